"""Makes Tests/Fixtures/processors: pictures, preprocessor_config.json texts, and what the reference's processors give.

usage: python3 Scripts/parity/image_processors.py        (needs transformers, pillow, numpy and safetensors; no torch)
"""
import importlib, json, pathlib
import numpy as np
import PIL, transformers
from PIL import Image
from safetensors.numpy import save_file

out = pathlib.Path(__file__).resolve().parents[2] / "Tests/Fixtures/processors"
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
names = {"clip": "CLIPImageProcessor", "bit": "BitImageProcessor", "convnext": "ConvNextImageProcessor",
         "efficientnet": "EfficientNetImageProcessor", "vit": "ViTImageProcessor"}
cases, expected = [], {}
for index, (kind, settings) in enumerate(processors):
    module = importlib.import_module(f"transformers.models.{kind}.image_processing_pil_{kind}")
    processor = getattr(module, names[kind] + "Pil")(**settings)
    # Large outputs are kept for one picture only.
    used = ["wide"] if settings.get("size") == {"shortest_edge": 384} else list(pictures)
    for name in used:
        pixels = np.asarray(processor(Image.open(out / f"{name}.png"))["pixel_values"][0], np.float32)
        # save_file writes memory as it lies, whatever the strides.
        expected[f"{index}/{name}"] = np.ascontiguousarray(pixels[:, ::8, ::8] if pixels.shape[1] == 384 else pixels)
    cases.append({"config": {"image_processor_type": names[kind], **settings}, "pictures": used,
                  "step": 8 if pixels.shape[1] == 384 else 1})
save_file(expected, out / "expected.safetensors",
          {"made_by": f"transformers {transformers.__version__}, Pillow {PIL.__version__}, numpy {np.__version__}"})
(out / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
print(len(expected), "pictures")
