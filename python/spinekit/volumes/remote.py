"""Volumes over HTTP: by ranges where the server gives them, else as a stream."""

import contextlib
import http.client
import itertools
import re
import shutil
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from spinekit import _core
from spinekit.volumes.filling import Filling
from spinekit.volumes.local import Wishes
from spinekit.volumes.manifest import MANIFEST_NAME, MOST_BYTES, parse_manifest
from spinekit.volumes.ranged import fill_from_bundle, fill_from_ranges, zip_entries
from spinekit.volumes.streams import chunks_of, fill_from_chunks

#: Seconds without a byte after which a server counts as gone.
_TIMEOUT = 60.0
#: Connections at a time, as browsers open them, and tries for each request.
_CONNECTIONS = 6
_TRIES = 3

_DICOMWEB = re.compile(r"(?P<base>.+)/studies/(?P<study>[0-9.]+)/series/(?P<series>[0-9.]+)/?")


def fill_from_url(filling: Filling, url: str, wishes: Wishes, headers: dict[str, str]) -> None:
    """Fill a volume from what stands at a URL."""
    if web := _DICOMWEB.fullmatch(url):
        from spinekit.volumes.dicomweb import fill_from_dicomweb_url  # noqa: PLC0415 - an extra

        return fill_from_dicomweb_url(filling, web, wishes, headers)
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    for name, value in headers.items():
        # Not for whoever the server redirects to.
        request.add_unredirected_header(name, value)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as failure:
        failure.close()
        hint = "; pass headers= with what the server wants" if failure.code in (401, 403) else ""
        raise _core.ResourceError(
            f"'{url}': the server says {failure.code} {failure.reason}{hint}"
        ) from failure
    except (OSError, http.client.HTTPException) as failure:
        reason = getattr(failure, "reason", failure)
        raise _core.ResourceError(f"'{url}' cannot be opened: {reason}; check the address") from failure
    with contextlib.closing(response):
        filling.on_cancel(lambda: _hang_up(response))
        _fill_from_response(filling, response, wishes, headers)
    return None


def _hang_up(response: Any) -> None:
    """Have a thread that waits for bytes of `response` go on; close() would wait for it."""
    raw = getattr(getattr(response, "fp", None), "raw", None)
    connection = getattr(raw, "_sock", None)
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(2)


def _fill_from_response(filling: Filling, response: Any, wishes: Wishes, headers: dict[str, str]) -> None:
    path = urllib.parse.urlsplit(response.url).path.lower()
    if path.endswith((".nii", ".nii.gz")):
        return _fill_from_nifti(filling, response, path, wishes)
    length = response.headers.get("Content-Length", "")
    ranges = response.headers.get("Accept-Ranges", "").lower() == "bytes" and length.isdigit()
    chunks = chunks_of(response, filling)
    if not ranges:
        return fill_from_chunks(filling, chunks, wishes)
    same_server = urllib.parse.urlsplit(response.url)[:2] == urllib.parse.urlsplit(filling.name)[:2]
    whole = HttpRanges(response.url, int(length), headers if same_server else {})
    filling.on_cancel(whole.close)
    head = b""
    zip_stream = _core.ZipStream()
    for chunk in chunks:
        head += chunk
        if len(head) > 2 * MOST_BYTES:
            break
        # A bundle's first bytes say all; anything else is better had by ranges.
        if not head.startswith(b"PK\x03\x04"[: len(head)]) or (
            len(head) >= 64 and head[30 : 30 + len(MANIFEST_NAME)] != MANIFEST_NAME.encode()
        ):
            _hang_up(response)
            return fill_from_ranges(filling, whole, wishes)
        zip_stream.feed(chunk)
        if (entry := zip_stream.next()) is not None:
            manifest = parse_manifest(entry.tobytes(), filling.name)
            coarse = wishes.coarse is not False and all(e.coarse is not None for e in manifest.entries)
            if coarse or wishes.coarse or not wishes.keep or wishes.order != "middle-out":
                _hang_up(response)
                return fill_from_bundle(filling, whole, wishes, manifest, zip_entries(filling.name, whole))
            break
    return fill_from_chunks(filling, itertools.chain([head], chunks), wishes)


def _fill_from_nifti(filling: Filling, response: Any, path: str, wishes: Wishes) -> None:
    from spinekit.volumes.nifti import fill_from_nifti  # noqa: PLC0415 - an extra

    folder = Path(tempfile.mkdtemp(prefix="spinekit-"))
    try:
        file = folder / ("volume.nii.gz" if path.endswith(".gz") else "volume.nii")
        with file.open("wb") as out:
            for chunk in chunks_of(response, filling):
                out.write(chunk)
        if not filling.cancelled:
            fill_from_nifti(filling, file, wishes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class HttpRanges:
    """Bytes of a URL, by range requests on connections that are kept open."""

    parallel = _CONNECTIONS

    def __init__(self, url: str, size: int, headers: dict[str, str]) -> None:
        self._url = url
        self.size = size
        self._headers = {"Accept-Encoding": "identity", **headers}
        self._parts = urllib.parse.urlsplit(url)
        proxies = urllib.request.getproxies()
        host = self._parts.hostname or ""
        self._proxied = self._parts.scheme in proxies and not urllib.request.proxy_bypass(host)
        self._local = threading.local()
        self._lock = threading.Lock()  # guards what follows
        self._open: list[http.client.HTTPConnection] = []
        self._closed = False

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes; a connection that broke is tried again."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        for attempt in range(_TRIES):
            try:
                return self._request(offset, length)
            except (OSError, http.client.HTTPException) as failure:
                self._drop()
                if self._closed:
                    raise _core.CancelledError("cancelled") from failure
                if attempt + 1 == _TRIES:
                    raise _core.ResourceError(
                        f"'{self._url}': bytes {offset} to {offset + length - 1} cannot be had: {failure}"
                    ) from failure
                time.sleep(0.2 * 2**attempt)
        raise AssertionError

    def _request(self, offset: int, length: int) -> bytes:
        headers = {**self._headers, "Range": f"bytes={offset}-{offset + length - 1}"}
        if self._proxied:
            request = urllib.request.Request(self._url, headers=headers)
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
                return self._checked(response.status, response.read(length + 1), offset, length)
        connection = self._connection()
        path = urllib.parse.urlunsplit(("", "", self._parts.path or "/", self._parts.query, ""))
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status != 206:
            connection.close()
            return self._checked(answer.status, b"", offset, length)
        found = answer.read(length + 1)
        if len(found) > length:
            connection.close()
            raise _core.MalformedDataError(
                f"'{self._url}': the server gives more than the {length} bytes that it was asked for"
            )
        return self._checked(answer.status, found, offset, length)

    def _checked(self, status: int, found: bytes, offset: int, length: int) -> bytes:
        if status == 206 and len(found) == length:
            return found
        if status == 206:
            raise http.client.IncompleteRead(found, length - len(found))
        raise _core.ResourceError(
            f"'{self._url}': the server answers {status} to a request for bytes {offset} to "
            f"{offset + length - 1}, expected 206"
        )

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            secure = self._parts.scheme == "https"
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            connection = kind(self._parts.netloc.rpartition("@")[2], timeout=_TIMEOUT)
            self._local.connection = connection
            with self._lock:
                if self._closed:
                    raise _core.CancelledError("cancelled")
                self._open.append(connection)
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Break off every request."""
        with self._lock:
            self._closed = True
            connections, self._open = self._open, []
        for connection in connections:
            socket = connection.sock
            if socket is not None:
                with contextlib.suppress(OSError):
                    socket.shutdown(2)
            connection.close()
