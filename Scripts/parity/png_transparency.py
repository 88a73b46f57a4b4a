"""Makes Tests/Fixtures/media/transparency: grey and RGB PNGs with one transparent colour, and the pixels (`.rgb`) that
transformers' convert_to_rgb makes of them with Pillow: laid on white.

usage: python3 Scripts/parity/png_transparency.py        (needs pillow and numpy)
"""
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

out = pathlib.Path(__file__).resolve().parents[2] / "Tests/Fixtures/media/transparency"
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(1)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write(name, depth, colour, rows, transparent):
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", 13, 11, depth, colour, 0, 0, 0))
    body += chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))
    body += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    path = out / f"{name}.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))
    with Image.open(path) as image:
        assert image.info.get("transparency") is not None
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        (out / f"{name}.rgb").write_bytes(np.asarray(Image.alpha_composite(white, image).convert("RGB")).tobytes())


def pack(row, depth):
    bits = "".join(format(value, f"0{depth}b") for value in row)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


for depth in (1, 2, 4, 8):
    values = rng.integers(0, 1 << depth, (11, 13))
    values[5, 5] = 0
    # Of two and four bits Pillow compares the transparent value with what they become, so that only 0 works.
    for kind, value in (("zero", 0), ("one", 1), ("last", (1 << depth) - 1), ("some", int(values[0, 0]))):
        write(f"grey{depth}_{kind}", depth, 0, [pack(row, depth) for row in values], [value])
values = rng.integers(0, 4, (11, 13, 3)).astype(np.uint8)
write("rgb8", 8, 2, [row.tobytes() for row in values], [int(x) for x in values[3, 3]])
values = rng.integers(0, 1000, (11, 13, 3)).astype(">u2")
write("rgb16_low", 16, 2, [row.tobytes() for row in values], [int(x) >> 8 for x in values[3, 3]])
write("rgb16", 16, 2, [row.tobytes() for row in values], [300, 300, 300])
