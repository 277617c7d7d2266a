"""Progress bars: nobody's looking is no reason to stop."""

import io
import subprocess
import sys

import pytest

from spinekit._progress import Progress


class Broken(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("broken_at", ["start", "later"])
def test_a_bar_that_cannot_be_drawn_is_dropped(broken_at, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken() if broken_at == "start" else io.StringIO())
    with Progress(3, True, "films") as bar:
        monkeypatch.setattr(sys, "stderr", Broken())
        for _ in range(3):
            bar.advance("some")


def test_a_pipe_that_nobody_reads_does_not_stop_the_work():
    program = (
        "from spinekit._progress import Progress\n"
        "with Progress(20000, True, 'rows') as bar:\n"
        "    for _ in range(20000): bar.advance()\n"
        "print('done')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stderr.read(5)
    process.stderr.close()
    assert process.stdout.read() == "done\n"
    process.stdout.close()
    assert process.wait(30) in (0, 120)  # the latter where Python itself cannot flush at its end
