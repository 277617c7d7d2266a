"""A headless Chromium that tests steer as a person would: real pointers, keys and pictures."""

import base64
import http.server
import json
import os
import subprocess
import threading
import time
from contextlib import contextmanager

CHROMIUM = "/usr/bin/chromium"

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--force-color-profile=srgb", "--remote-debugging-pipe",
)  # fmt: skip


@contextmanager
def served(contents):
    """Serve {path: (type, bytes)} to this machine alone; give the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body = contents.get(self.path, ("text/plain", None))
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Page:
    """One page, steered by the Chrome DevTools protocol over a pair of pipes."""

    def __init__(self, profile, size=(1280, 900), seconds=60):
        inward, self._out = os.pipe()
        self._in, outward = os.pipe()
        # The protocol is spoken on descriptors 3 and 4, which a shell can set.
        line = f'exec "$0" "$@" 3<&{inward} 4>&{outward}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", line, CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(inward, outward), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(inward)
        os.close(outward)
        self._buffer, self._number, self._session = b"", 0, None
        self.failures = []
        # A browser that hangs ends, and its pipe with it.
        self._watch = threading.Timer(seconds, self._process.kill)
        self._watch.start()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Runtime.enable")
        self.call("Page.enable")
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=False)  # fmt: skip

    def close(self):
        self._session = None
        try:
            # Its children end with it, and leave the profile's folder.
            self.call("Browser.close")
            self._process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._watch.cancel()
        os.close(self._in)
        os.close(self._out)

    def call(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("method") == "Runtime.exceptionThrown":
                self.failures.append(answer["params"]["exceptionDetails"])
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def _read(self):
        while b"\0" not in self._buffer:
            more = os.read(self._in, 1 << 16)
            if not more:
                raise ConnectionError("Chromium ended")
            self._buffer += more
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def value(self, expression):
        """Return what an expression gives, as JSON; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, address, until):
        """Go to an address and wait until an expression is true."""
        self.call("Page.navigate", url=address)
        self.until(until)

    def until(self, expression, seconds=20):
        end = time.monotonic() + seconds
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < end, f"never true: {expression}; {self.failures}"
            time.sleep(0.03)

    def mouse(self, kind, x, y, button="none", **more):
        held = {"left": 1, "middle": 4}.get(button, 0) if kind != "mouseReleased" else 0
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=held,
                  clickCount=int(kind != "mouseMoved"), **more)  # fmt: skip

    def drag(self, start, end, button="left", steps=4):
        (x, y), (to_x, to_y) = start, end
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button)
        for k in range(1, steps + 1):
            self.mouse("mouseMoved", x + (to_x - x) * k / steps, y + (to_y - y) * k / steps, button)
        self.mouse("mouseReleased", to_x, to_y, button)

    def click(self, x, y):
        self.drag((x, y), (x, y), steps=1)

    def key(self, key, code="", modifiers=0, kinds=("keyDown", "keyUp")):
        """Type a key; modifiers: 1 Alt, 2 Ctrl, 8 Shift."""
        for kind in kinds:
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, modifiers=modifiers)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
