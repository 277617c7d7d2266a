"""Progress bars: on terminals and in notebooks, silent elsewhere."""

import contextlib
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _bar_class() -> Any:
    if _in_notebook():
        try:
            import ipywidgets  # noqa: F401, PLC0415 - its absence decides
            from tqdm.notebook import tqdm  # noqa: PLC0415 - slow to import
        except ImportError:
            pass
        else:
            return _alone(tqdm)
    from tqdm import tqdm as plain  # noqa: PLC0415 - slow to import

    return _alone(plain)


def _alone(bar: Any) -> Any:
    """Return the same bar without the thread that tqdm starts to watch bars, which can outlive Ctrl-C."""
    return type("Bar", (bar,), {"monitor_interval": 0})


class Progress:
    """A bar over `total` items; ``progress=None`` shows it where somebody looks.

    For one thread: the locks of bars do not survive Ctrl-C in one thread while another draws.
    """

    def __init__(self, total: int, progress: bool | None, description: str, unit: str = "file") -> None:
        show = (sys.stderr.isatty() or _in_notebook()) if progress is None else progress
        self._bar: Any = None
        if show and total:
            with contextlib.suppress(OSError, ValueError):
                self._bar = _bar_class()(total=total, desc=description, unit=unit, smoothing=0.1)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._draw(lambda bar: bar.close())

    def advance(self, note: str = "", count: int = 1) -> None:
        """One more item is done, or several."""

        def draw(bar: Any) -> None:
            if note:
                bar.set_postfix_str(note, refresh=False)
            bar.update(count)

        self._draw(draw)

    def _draw(self, draw: Callable[[Any], None]) -> None:
        if self._bar is None:
            return
        try:
            draw(self._bar)
        except (OSError, ValueError):  # nobody looks any more: a closed pipe must not stop the work
            self._bar.disable = True
            self._bar = None
