"""Decoding speed of Pillow (JPEG, PNG, WebP) and soundfile (FLAC, WAV) beside Unmask's, in one run.

usage: media_decode.py [KIND …] [--unmask PATH] [--passes N] [--rounds N] [--directory DIR]
KIND: jpeg jpeg444 png webp flac wav mp4 (default: jpeg png flac). Needs pillow, soundfile and numpy.

Writes files of realistic size (12 pictures of 1280x960, 4 sounds of 60 s stereo at 44.1 kHz) once, then prints the
reference's JSON line per kind, and with --unmask also Unmask's and the ratio of the rates (Unmask / reference). The two
take turns, so that a busy machine slows both; the best round of each counts. Both decode JPEG with the accurate inverse
DCT and smooth chroma upsampling; Pillow's time is that of load() alone, without a copy to an array.
"""
import argparse, json, pathlib, statistics, subprocess, tempfile, time
import numpy as np
import soundfile
from PIL import Image

parser = argparse.ArgumentParser()
parser.add_argument("kinds", nargs="*")
parser.add_argument("--unmask")
parser.add_argument("--passes", type=int, default=5)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--directory", default=str(pathlib.Path(tempfile.gettempdir()) / "unmask-bench-media"))
options = parser.parse_args()
folder = pathlib.Path(options.directory)
folder.mkdir(parents=True, exist_ok=True)


def picture(seed, width=1280, height=960):
    """Smooth light, edges and sensor noise: compresses like a photograph."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    p = np.zeros((height, width, 3), np.float32)
    for _ in range(12):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(60, 400)
        colour = rng.uniform(-90, 90, 3)
        disc = (x - cx) ** 2 + (y - cy) ** 2 < r * r
        p += (disc * (0.6 + 0.4 * np.sin((x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) / 7)))[..., None] * colour
    p += 128 + 40 * np.sin(x / 211 + y / 173)[..., None]
    return Image.fromarray(np.clip(p + rng.normal(0, 3, p.shape), 0, 255).astype(np.uint8))


def sound(seed, seconds=60, rate=44100):
    rng = np.random.default_rng(seed)
    t = np.arange(seconds * rate) / rate
    voice = sum(np.sin(2 * np.pi * 110 * k * t + rng.uniform(0, 6)) / k for k in range(1, 12))
    envelope = 0.12 * np.clip(np.sin(2 * np.pi * 2.3 * t), 0, 1)
    return np.stack([envelope * voice + rng.normal(0, 0.003, t.size) for _ in range(2)], 1)


SAVE = {
    "jpeg": (".jpg", dict(quality=90, subsampling=2)), "jpeg444": (".444.jpg", dict(quality=95, subsampling=0)),
    "png": (".png", dict()), "webp": (".webp", dict(quality=85)),
}


def files(kind):
    paths = []
    for i in range(12 if kind in SAVE else 4):
        suffix, arguments = SAVE.get(kind, ("." + kind, None))
        path = folder / f"{i}{suffix}"
        if not path.exists():
            if arguments is not None: picture(i).save(path, **arguments)
            else: soundfile.write(path, sound(i), 44100, subtype="PCM_16")
        paths.append(path)
    return paths


def reference(kind, paths):
    def decode(path):
        if kind in SAVE:
            with Image.open(path) as image:
                image.load()
        else:
            soundfile.read(path, dtype="float32")
    times = []
    for i in range(options.passes + 1):
        start = time.perf_counter()
        for path in paths: decode(path)
        if i: times.append(time.perf_counter() - start)
    s = statistics.median(times)
    return dict(model="decode", batch=len(paths), threads=1, precision="uint8", mode=kind,
                reference="pillow" if kind in SAVE else "soundfile",
                step_ms=round(s * 1e3, 2), samples_per_s=round(len(paths) / s, 2), parameters=0)


for kind in options.kinds or ["jpeg", "png", "flac"]:
    paths = files(kind)
    theirs, ours = [], []
    for _ in range(options.rounds):
        theirs.append(reference(kind, paths))
        if options.unmask:
            command = [options.unmask, "benchmark", "decode", "--passes", str(options.passes), *map(str, paths)]
            ours.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    best = max(theirs, key=lambda line: line["samples_per_s"])
    print(json.dumps(best))
    if ours:
        mine = max(ours, key=lambda line: line["samples_per_s"])
        print(json.dumps(mine))
        print(json.dumps(dict(kind=kind, ratio=round(mine["samples_per_s"] / best["samples_per_s"], 3))), flush=True)
