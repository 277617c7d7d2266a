"""Series made on the spot, ways to pack them, and servers that give them."""

import contextlib
import http.server
import io
import json
import re
import threading
import time
import zipfile

import numpy as np
import pydicom
import pydicom.uid
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder

from conftest import body_picture, even, make_dataset, save

ROWS, COLUMNS, STEP = 48, 40, 2.5


def make_series(folder, count=9, *, rows=ROWS, columns=COLUMNS, order=None, edit=None, **attributes):
    """Write slices 0 ... count - 1; return the HU that they hold, (count, rows, columns) int16."""
    folder.mkdir(parents=True, exist_ok=True)
    names = range(count) if order is None else order
    truth = np.empty((count, rows, columns), np.int16)
    for k in range(count):
        pixels = body_picture(rows, columns, seed=k)
        ds = make_dataset(
            pixels,
            bits_stored=12,
            InstanceNumber=k + 1,
            ImagePositionPatient=[-100.0, -90.0, STEP * k],
            **attributes,
        )
        if edit is not None:
            edit(ds, k)
        truth[k] = pixels.astype(np.int32) * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
        save(ds, folder / f"{names[k]:03d}.dcm")
    return truth


def zip_folder(folder, *, method=zipfile.ZIP_STORED, names=None, streamed=False):
    """Return the bytes of a ZIP of a folder; `streamed` as a pipe is written: sizes behind the data."""
    out = io.BytesIO()
    target = Unseekable(out) if streamed else out
    with zipfile.ZipFile(target, "w", method) as archive:
        for path in sorted(folder.rglob("*")) if names is None else [folder / n for n in names]:
            if path.is_file():
                archive.writestr(path.relative_to(folder).as_posix(), path.read_bytes())
    return out.getvalue()


class Unseekable:
    """A stream that only writes, or only reads forward, and counts."""

    def __init__(self, raw, chunk=None, delay=0.0):
        self.raw = raw
        self.chunk = chunk
        self.delay = delay
        self.count = 0

    def write(self, data):
        return self.raw.write(data)

    def flush(self):
        pass

    def read(self, size=-1):
        if self.chunk is not None:
            size = self.chunk if size < 0 else min(size, self.chunk)
        if self.delay:
            time.sleep(self.delay)
        data = self.raw.read(size)
        self.count += len(data)
        return data


def forward(data, **options):
    return Unseekable(io.BytesIO(data), **options)


def multiframe(frames, syntax, *, table=True, extended=False, encoder=None, **attributes):
    """Return the bytes of an encapsulated multiframe file with frames as they are given, encoded."""
    ds = make_dataset(
        np.zeros((len(frames), *attributes.pop("shape")), np.uint16),
        bits_stored=12,
        frames=len(frames),
        **attributes,
    )
    del ds.ImagePositionPatient
    encoded = [even(encoder(f)) for f in frames] if encoder else [even(f) for f in frames]
    ds.PixelData = encapsulate(encoded, has_bot=table)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    if extended:
        lengths = [len(f) for f in encoded]
        offsets = np.concatenate([[0], np.cumsum(np.array(lengths[:-1]) + 8)]).astype("<u8")
        ds.ExtendedOffsetTable = offsets.tobytes()
        ds.ExtendedOffsetTableLengths = np.array(lengths, "<u8").tobytes()
        ds.PixelData = encapsulate(encoded, has_bot=False)
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    out = io.BytesIO()
    file = pydicom.dataset.FileDataset(out, ds, file_meta=meta, preamble=b"\0" * 128)
    pydicom.dcmwrite(out, file, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return out.getvalue()


def rle_frame(frame):
    """Return one frame of 12-bit samples as RLE segments, by pydicom."""
    return RLELosslessEncoder.encode(
        frame,
        rows=frame.shape[0],
        columns=frame.shape[1],
        samples_per_pixel=1,
        bits_allocated=16,
        bits_stored=12,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        number_of_frames=1,
    )


class Server:
    """Serves `files` (path to bytes) over HTTP, with or without ranges; counts what it sent."""

    def __init__(
        self, files, *, ranges=True, cut=None, bytes_per_second=None, status=None, routes=None, redirect=None
    ):
        self.sent = 0
        self.requests = []
        lock = threading.Lock()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                with lock:
                    server.requests.append((self.path, self.headers.get("Range")))
                if redirect is not None:
                    self.reply(302, b"", {"Location": redirect})
                    return
                if routes is not None and (answer := routes(self.path, self.headers)) is not None:
                    kind, body = answer
                    self.reply(206 if kind == "long" else 200, body, {"Content-Type": kind})
                    return
                body = files.get(self.path)
                if status is not None or body is None:
                    self.reply(status or 404, b"no", {})
                    return
                wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
                if ranges and wanted:
                    first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
                    where = {"Content-Range": f"bytes {first}-{last}/{len(body)}"}
                    self.reply(206, body[first : last + 1], where)
                else:
                    self.reply(200, body, {"Accept-Ranges": "bytes"} if ranges else {})

            def reply(self, code, body, headers):
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                end = len(body) if cut is None or code != 200 else cut
                with contextlib.suppress(OSError):
                    for start in range(0, end, 8192):
                        part = body[start : min(start + 8192, end)]
                        self.wfile.write(part)
                        with lock:
                            server.sent += len(part)
                        if bytes_per_second:
                            time.sleep(len(part) / bytes_per_second)
                    if end < len(body):
                        self.close_connection = True

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def dicomweb_routes(folder, study="1.2.3", series="1.2.3.4"):
    """Answer WADO-RS requests for the files of a folder, PS3.18 10.4."""
    files = {}
    for path in sorted(folder.glob("*.dcm")):
        ds = pydicom.dcmread(path)
        files[str(ds.SOPInstanceUID)] = (path.read_bytes(), ds)

    def answer(path, headers):
        base = f"/studies/{study}/series/{series}"
        if path == f"{base}/metadata":
            found = []
            for _, ds in files.values():
                fields = json.loads(ds.to_json(bulk_data_threshold=1 << 30, suppress_invalid_tags=True))
                fields.pop("7FE00010")
                found.append(fields)
            return "application/dicom+json", json.dumps(found).encode()
        if path.startswith(f"{base}/instances/"):
            data, _ = files[path.rsplit("/", 1)[1]]
            body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--x--\r\n"
            return 'multipart/related; type="application/dicom"; boundary=x', body
        return None

    return answer
