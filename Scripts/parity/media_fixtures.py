"""Makes Tests/Fixtures/media/pillow: pictures in many formats with the pixels that Pillow decodes, and resized pictures.

usage: python3 Scripts/parity/media_fixtures.py        (needs pillow and numpy)
"""
import json, pathlib, struct, zlib
import numpy as np
from PIL import Image, ImageOps, __version__

out = pathlib.Path(__file__).resolve().parents[2] / "Tests/Fixtures/media/pillow"
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(7)


def picture(width, height):
    y, x = np.mgrid[0:height, 0:width]
    p = np.stack([128 + 100 * np.sin(x / 5 + y / 9), 255 * x / width, 255 * y / height], 2)
    p[height // 4: height // 2, width // 3: width // 2] = (250, 20, 40)
    return np.clip(p + rng.normal(0, 4, p.shape), 0, 255).astype(np.uint8)


tensors, files = {}, []


def add(name, tolerance=0, **more):
    with Image.open(out / name) as image:
        # An image of more than 8 bits has no convert("RGB") that keeps its high byte: given by hand.
        pixels = more.pop("pixels", None)
        if pixels is None:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    tensors[name + "/rgb"] = pixels
    files.append({"file": name, "max_absolute_difference": tolerance, **more})


base = picture(45, 37)
rgb = Image.fromarray(base)
rgb.save(out / "lossless.webp", lossless=True); add("lossless.webp")
rgb.save(out / "lossy.webp", quality=80); add("lossy.webp")
rgba = rgb.copy(); rgba.putalpha(Image.fromarray((np.indices((37, 45)).sum(0) * 3 % 256).astype(np.uint8)))
rgba.save(out / "alpha.webp", quality=80, exact=True); add("alpha.webp")
rgb.save(out / "rgb.bmp"); add("rgb.bmp")
rgb.convert("P", palette=Image.Palette.ADAPTIVE, colors=200).save(out / "palette.bmp"); add("palette.bmp")
rgb.convert("1").save(out / "one_bit.bmp"); add("one_bit.bmp")
rgb.convert("L").save(out / "grey.bmp"); add("grey.bmp")
rgb.convert("CMYK").save(out / "cmyk.jpg", quality=90, subsampling=0); add("cmyk.jpg", 2)
rgb.convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(out / "palette.gif"); add("palette.gif")
rgb.save(out / "rgb.tiff"); add("rgb.tiff")
rgb.save(out / "lying.png", format="JPEG", quality=95, subsampling=0); add("lying.png", 2)
for orientation in range(1, 9):
    exif = Image.Exif(); exif[0x0112] = orientation
    for kind, options in (("png", {}), ("webp", {"lossless": True}), ("jpg", {"quality": 95, "subsampling": 0})):
        name = f"orientation_{orientation}.{kind}"
        rgb.save(out / name, exif=exif, **options); add(name, 2 if kind == "jpg" else 0)


def png(name, width, height, depth, colour, rows, pixels, palette=None, behind=b""):
    def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    if palette is not None: body += chunk(b"PLTE", palette.tobytes())
    data = zlib.compress(b"".join(b"\0" + row for row in rows) + behind)
    for i in range(0, len(data), 500): body += chunk(b"IDAT", data[i:i + 500])
    (out / name).write_bytes(b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))
    add(name, pixels=pixels)


wide = rng.integers(0, 65536, (11, 13, 4), dtype=np.uint16)
for colour, channels, name in ((2, 3, "rgb16.png"), (6, 4, "rgba16.png"), (4, 2, "grey_alpha16.png")):
    high = (wide[:, :, :channels] >> 8).astype(np.uint8)
    png(name, 13, 11, 16, colour, [row.astype(">u2").tobytes() for row in wide[:, :, :channels]],
        high[:, :, :3] if channels >= 3 else np.repeat(high[:, :, :1], 3, 2))
for depth in (1, 2, 4):
    values = rng.integers(0, 1 << depth, (11, 13))
    def pack(row):
        bits = "".join(format(v, f"0{depth}b") for v in row); bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")
    rows = [pack(row) for row in values]
    grey = (values * 255 // ((1 << depth) - 1)).astype(np.uint8)
    png(f"grey{depth}.png", 13, 11, depth, 0, rows, np.repeat(grey[:, :, None], 3, 2))
    palette = rng.integers(0, 256, (1 << depth, 3), dtype=np.uint8)
    png(f"palette{depth}.png", 13, 11, depth, 3, rows, palette[values], palette)

png("extra_data.png", 13, 11, 8, 2, [row.tobytes() for row in high[:, :, :1].repeat(3, 2)], high[:, :, :1].repeat(3, 2),
    behind=bytes(100))

# Refused with a reason: which of its pictures would be the sample?
frames = [Image.fromarray(picture(20, 16)) for _ in range(3)]
for name in ("animated.webp", "animated.gif"):
    frames[0].save(out / name, save_all=True, append_images=frames[1:], duration=40)

source = picture(61, 47); tensors["resize/source"] = source
resized = []
for width, height in ((61, 20), (24, 47), (32, 32), (7, 5), (1, 1), (100, 90), (61, 90), (150, 30), (60, 46)):
    for name in ("BOX", "BILINEAR", "BICUBIC", "LANCZOS"):
        key = f"resize/{name.lower()}/{width}x{height}"
        tensors[key] = np.asarray(Image.fromarray(source).resize((width, height), getattr(Image.Resampling, name)))
        resized.append({"tensor": key, "filter": name.lower(), "width": width, "height": height})

(out / "pillow.json").write_text(json.dumps(
    {"about": f"Pillow {__version__}: pixels after exif_transpose and convert('RGB')", "files": files,
     "refused": ["animated.webp", "animated.gif"], "resized": resized}, indent=1) + "\n")
header, blob = {}, b""
for name, array in tensors.items():
    data = np.ascontiguousarray(array).tobytes()
    header[name] = {"dtype": "U8", "shape": list(array.shape), "data_offsets": [len(blob), len(blob) + len(data)]}
    blob += data
text = json.dumps(header).encode(); text += b" " * (-len(text) % 8)
(out / "expected.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + blob)
