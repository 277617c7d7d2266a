"""A file server over a slow link, for benchmarks: one bucket of bytes for all its connections."""

import contextlib
import http.server
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Bytes sent at a time: 3 ms at 20 Mbit/s, so that connections share the link evenly.
_PIECE = 8192


class Link:
    """The bytes that may pass, and a count of those that have. Thread-safe."""

    def __init__(self, bits_a_second: float) -> None:
        self._rate = bits_a_second / 8
        self._lock = threading.Lock()  # guards what follows
        self._free_at = time.perf_counter()
        self._sent = 0
        self._requests = 0

    def pass_through(self, count: int) -> None:
        """Wait until `count` bytes have gone over the link."""
        with self._lock:
            self._free_at = max(self._free_at, time.perf_counter()) + count / self._rate
            until = self._free_at
        time.sleep(max(until - time.perf_counter(), 0))
        with self._lock:
            self._sent += count

    def note_request(self) -> None:
        """Count a request."""
        with self._lock:
            self._requests += 1

    @property
    def sent(self) -> int:
        """Bytes so far, headers of answers included."""
        with self._lock:
            return self._sent

    @property
    def requests(self) -> int:
        """Requests so far."""
        with self._lock:
            return self._requests


@contextlib.contextmanager
def serving(file: Path, bits_a_second: float, *, ranges: bool) -> Iterator[tuple[str, Link]]:
    """Serve one file; yields its URL and the link that it is sent over."""
    link = Link(bits_a_second)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def setup(self) -> None:
            # Before the connection is used: the system must not take what the link has not passed.
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _PIECE)
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().setup()

        def do_GET(self) -> None:
            link.note_request()
            size = file.stat().st_size
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first, last = 0, size - 1
            if ranges and asked:
                first, last = int(asked[1]), min(int(asked[2] or last), last)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            else:
                self.send_response(200)
            if ranges:
                self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(last - first + 1))
            link.pass_through(sum(map(len, self._headers_buffer)) + 2)
            self.end_headers()
            with file.open("rb") as source, contextlib.suppress(OSError):
                source.seek(first)
                left = last - first + 1
                while left > 0 and (piece := source.read(min(_PIECE, left))):
                    left -= len(piece)
                    link.pass_through(len(piece))
                    self.wfile.write(piece)
                return
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # who hangs up is no error here
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{file.name}", link
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
