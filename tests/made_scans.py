"""Scans written by Pillow, tifffile and by hand: the readers' tests and the fuzzer's seeds.

``python tests/made_scans.py FOLDER`` writes the seeds.
"""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

#: Colours of torn paper, and of what shines through it.
PAPER, HOLE = (180, 150, 100), (245, 245, 245)
HOLES = (slice(60, 120), slice(90, 210))


def picture(rows=61, columns=83, channels=3, dtype=np.uint8, seed=0):
    """Return runs, a ramp and noise: long and short strings for every packer."""
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    y, x = np.mgrid[:rows, :columns]
    planes = [(x * (c + 2) + y * 3) % 256 * (top // 255) for c in range(channels)]
    out = np.stack(planes, axis=-1)
    out[rows // 3 : rows // 2] = top // 3
    noisy = slice(rows // 2, rows * 3 // 4)
    out[noisy] = rng.integers(0, top + 1, out[noisy].shape)
    return out.astype(dtype)


def torn(rows=600, columns=900, seed=0):
    """Return noisy paper with a white hole in it, and where the hole is."""
    rng = np.random.default_rng(seed)
    picture = np.empty((rows, columns, 3), np.uint8)
    picture[:] = np.array(PAPER) + rng.integers(-12, 13, (rows, columns, 3))
    hole = np.zeros((rows, columns), bool)
    hole[HOLES] = True
    picture[hole] = np.array(HOLE) + rng.integers(-4, 5, (hole.sum(), 3))
    return picture, hole


def tiff_bytes(pixels, **options):
    """Return what tifffile writes; `photometric` follows the samples unless given."""
    options.setdefault("photometric", "rgb" if pixels.ndim == 3 else "minisblack")
    options.setdefault("metadata", None)
    file = io.BytesIO()
    form = {key: options.pop(key) for key in ("bigtiff", "byteorder") if key in options}
    with tifffile.TiffWriter(file, **form) as writer:
        writer.write(pixels, **options)
    return file.getvalue()


def pillow_bytes(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def tiff_by_hand(tags, strips, order="<"):
    """Return a classic TIFF of one directory; `tags`: number -> (type, values), as struct writes them.

    The offsets and lengths of `strips` are filled in unless the tags say otherwise.
    """
    codes = {1: "B", 3: "H", 4: "I"}
    body = bytearray(b"II*\0" if order == "<" else b"MM\0*") + bytearray(4)
    places = []
    for strip in strips:
        places.append(len(body))
        body += strip + b"\0" * (len(strip) % 2)
    tags = {273: (4, places), 279: (4, [len(s) for s in strips]), **tags}
    entries = b""
    for number in sorted(tags):
        kind, values = tags[number]
        if kind == 5:
            packed = struct.pack(f"{order}{2 * len(values)}I", *(n for value in values for n in value))
        else:
            packed = struct.pack(f"{order}{len(values)}{codes[kind]}", *values)
        if len(packed) > 4:
            place = struct.pack(order + "I", len(body))
            body += packed + b"\0" * (len(packed) % 2)
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", number, kind, len(values)) + place
    body[4:8] = struct.pack(order + "I", len(body))
    return bytes(body) + struct.pack(order + "H", len(tags)) + entries + bytes(4)


def plain_tags(rows, columns, samples=3, bits=8, photometric=2, compression=1, rows_per_strip=None):
    return {
        256: (4, [columns]),
        257: (4, [rows]),
        258: (3, [bits] * samples),
        259: (3, [compression]),
        262: (3, [photometric]),
        277: (3, [samples]),
        278: (4, [rows_per_strip or rows]),
    }


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_by_hand(header, data, *between):
    """Return a PNG of the fields of IHDR, unpacked rows with their filter bytes, and further chunks."""
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", struct.pack(">IIBBBBB", *header)),
            *(png_chunk(kind, content) for kind, content in between),
            png_chunk(b"IDAT", zlib.compress(data)),
            png_chunk(b"IEND", b""),
        ]
    )


def adam7(pixels):
    """Return the rows of the seven passes of an 8-bit RGB picture, each with filter 0 (PNG, section 8.2)."""
    out = b""
    for y, x, down, across in (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1),
    ):  # fmt: skip
        part = pixels[y::down, x::across]
        if part.size:
            out += b"".join(b"\0" + row.tobytes() for row in part)
    return out


def interlaced_png(pixels):
    return png_by_hand((pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 1), adam7(pixels))


def seeds():
    """Yield (name, bytes) of small scans of every kind."""
    rgb, deep = picture(17, 21), picture(17, 21, dtype=np.uint16)
    for compression in (None, "lzw", "deflate", "packbits", "zstd"):
        for name, pixels in (("8", rgb), ("16", deep)):
            predictor = {"predictor": 2} if compression in {"lzw", "deflate"} else {}
            label = f"{compression}-{name}"
            options = {"compression": compression, **predictor}
            yield f"strips-{label}.tif", tiff_bytes(pixels, rowsperstrip=4, **options)
            yield f"whole-{label}.tif", tiff_bytes(pixels, rowsperstrip=17, byteorder=">", **options)
            yield f"tiles-{label}.tif", tiff_bytes(pixels, tile=(16, 16), bigtiff=True, **options)
            planes = np.moveaxis(pixels, -1, 0)
            yield f"planes-{label}.tif", tiff_bytes(planes, planarconfig="separate", **options)
    image = Image.fromarray(rgb)
    yield "jpeg.tif", pillow_bytes(image, "TIFF", compression="jpeg")
    yield "fax.tif", pillow_bytes(image.convert("1"), "TIFF", compression="group4")
    yield "palette.tif", pillow_bytes(image.quantize(16), "TIFF")
    for mode in ("L", "LA", "P", "RGB", "RGBA", "1", "I;16"):
        source = Image.fromarray(deep[..., 0]) if mode == "I;16" else image.convert(mode)
        yield f"{mode.replace(';', '')}.png", pillow_bytes(source, "PNG")
    yield "interlaced.png", interlaced_png(rgb)
    for name, options in (("baseline", {}), ("progressive", {"progressive": True})):
        yield f"{name}.jpg", pillow_bytes(image, "JPEG", quality=80, **options)
    yield "restarts.jpg", pillow_bytes(image, "JPEG", restart_marker_blocks=1, subsampling=0)
    yield "grey.jpg", pillow_bytes(image.convert("L"), "JPEG")
    yield "cmyk.jpg", pillow_bytes(image.convert("CMYK"), "JPEG")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for seed_name, seed_bytes in seeds():
        (folder / seed_name).write_bytes(seed_bytes)
