"""Makes Tests/Fixtures/processors: pictures, preprocessor_config.json texts, and what the reference's processors give.

usage: python3 Scripts/parity/image_processors.py        (needs transformers, pillow, numpy and safetensors; no torch)
   or: python3 Scripts/parity/image_processors.py OUT COUNT SEED
The second form makes COUNT random processors and pictures of odd sizes, grey and transparent ones among them, in
OUT/processors; UNMASK_CASES=OUT makes the suite `image processors` read them.
"""
import importlib, json, pathlib, random, sys
import numpy as np
import PIL, transformers
from PIL import Image
from safetensors.numpy import save_file

out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2] / "Tests/Fixtures")
out = out / "processors"
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(11)


def picture(width, height):
    y, x = np.mgrid[0:height, 0:width]
    p = np.stack([128 + 120 * np.sin(x / 3 + y / 7), 255 * ((x // 4 + y // 5) % 2), 255 * y / height], 2)
    return np.clip(p + rng.normal(0, 9, p.shape), 0, 255).astype(np.uint8)


pictures = {"wide": (101, 67), "high": (40, 93), "small": (23, 19), "strip": (150, 12)}
for name, size in pictures.items():
    Image.fromarray(picture(*size)).save(out / f"{name}.png")

square = lambda n: {"height": n, "width": n}
processors = [
    ("clip", {"size": {"shortest_edge": 32}, "crop_size": square(32)}),
    ("clip", {"size": 30, "crop_size": 36, "resample": 2}),
    ("clip", {"do_resize": False, "crop_size": square(40), "do_normalize": False}),
    ("clip", {"size": {"shortest_edge": 32}, "crop_size": square(32), "do_rescale": False}),
    ("bit", {"size": {"shortest_edge": 37}, "crop_size": square(32), "image_mean": [0.485, 0.456, 0.406],
             "image_std": [0.229, 0.224, 0.225]}),
    ("convnext", {"size": {"shortest_edge": 32}, "crop_pct": 0.875}),
    ("convnext", {"size": {"shortest_edge": 33}, "crop_pct": 0.77, "resample": 2}),
    ("convnext", {"size": {"shortest_edge": 384}}),
    ("efficientnet", {"size": square(35), "resample": 0, "image_mean": [0.485, 0.456, 0.406],
                      "image_std": [0.47853944, 0.4732864, 0.47434163]}),
    ("efficientnet", {"size": square(48), "crop_size": square(31), "do_center_crop": True, "rescale_offset": True,
                      "rescale_factor": 1 / 127.5, "include_top": False}),
    ("efficientnet", {"size": square(24), "resample": 5, "rescale_offset": True, "do_normalize": False}),
    ("vit", {"size": square(32)}),
    ("vit", {"size": square(27), "resample": 1, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25]}),
    ("vit", {"size": 26, "resample": 4}),
]
wanted = {}


def random_processors(count, seed):
    """Replaces the lists above by random ones; pictures with an alpha channel or grey ones go to those that convert."""
    random.seed(seed)
    for file in out.glob("*.png"):
        file.unlink()
    pictures.clear()
    processors.clear()
    statistics = lambda low, high: [round(random.uniform(low, high), 4) for _ in range(3)]
    for index in range(count):
        kind = random.choice(["clip", "bit", "convnext", "efficientnet", "vit"])
        side = random.randint(9, 70)
        settings = {"resample": random.randint(0, 5)}
        if random.random() < 0.6:
            settings |= {"image_mean": statistics(0, 0.9), "image_std": statistics(0.1, 1)}
        if kind in ("clip", "bit"):
            settings["size"] = random.choice([side, {"shortest_edge": side}, square(side)])
            settings["crop_size"] = random.choice([lambda n: n, square])(random.randint(9, 90))
            settings["do_center_crop"] = random.random() < 0.8 or not isinstance(settings["size"], dict)
            if not settings["do_center_crop"]:
                settings["size"] = square(side)  # other inputs would not be square
            settings["do_convert_rgb"] = True
        elif kind == "convnext":
            settings["size"] = {"shortest_edge": random.choice([side, side, 384 + side])}
            settings["crop_pct"] = round(random.uniform(0.3, 1), 3)
        elif kind == "efficientnet":
            settings |= {"size": square(side), "do_center_crop": random.random() < 0.5,
                         "crop_size": square(random.randint(9, 90)), "rescale_offset": random.random() < 0.5,
                         "include_top": random.random() < 0.5}
            if settings["rescale_offset"]:
                settings["rescale_factor"] = 1 / 127.5
        else:
            settings["size"] = random.choice([side, square(side)])
        if random.random() < 0.15:
            settings["do_normalize"] = False
        if kind != "efficientnet" and random.random() < 0.1:
            settings["rescale_factor"] = round(random.uniform(0.001, 0.1), 4)
        if kind in ("clip", "efficientnet") and settings.get("do_center_crop") and random.random() < 0.15:
            settings["do_resize"] = False
        mode = random.choice(["RGB", "RGB", "L", "LA", "RGBA"]) if kind in ("clip", "bit") else "RGB"
        name = f"p{index}"
        size = (random.randint(3, 160), random.randint(3, 160))
        image = Image.fromarray(picture(*size))
        if mode.endswith("A"):
            image.putalpha(Image.fromarray(picture(*size)[:, :, 1]))
        image.convert(mode).save(out / f"{name}.png")
        wanted[index] = [name]
        processors.append((kind, settings))


if len(sys.argv) > 3:
    random_processors(int(sys.argv[2]), int(sys.argv[3]))

names = {"clip": "CLIPImageProcessor", "bit": "BitImageProcessor", "convnext": "ConvNextImageProcessor",
         "efficientnet": "EfficientNetImageProcessor", "vit": "ViTImageProcessor"}
cases, expected = [], {}
for index, (kind, settings) in enumerate(processors):
    module = importlib.import_module(f"transformers.models.{kind}.image_processing_pil_{kind}")
    processor = getattr(module, names[kind] + "Pil")(**settings)
    # Large outputs are kept for one picture only.
    used = wanted.get(index) or ["wide"] if index in wanted or settings.get("size") == {"shortest_edge": 384} else list(pictures)
    for name in used:
        pixels = np.asarray(processor(Image.open(out / f"{name}.png"))["pixel_values"][0], np.float32)
        # save_file writes memory as it lies, whatever the strides.
        step = 8 if pixels.shape[1] >= 384 else 1
        expected[f"{index}/{name}"] = np.ascontiguousarray(pixels[:, ::step, ::step])
    cases.append({"config": {"image_processor_type": names[kind], **settings}, "pictures": used,
                  "step": step})
save_file(expected, out / "expected.safetensors",
          {"made_by": f"transformers {transformers.__version__}, Pillow {PIL.__version__}, numpy {np.__version__}"})
(out / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
print(len(expected), "pictures")
