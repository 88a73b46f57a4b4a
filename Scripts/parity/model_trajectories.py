"""Twenty AdamW steps of each small reference model under a linear head, by the reference implementations.

usage: model_trajectories.py CASES > Tests/Fixtures/models/trajectories.json
CASES is the tree of reference cases. Input and head follow from the rule of full-size weights (README of the cases), so
that only losses are stored. Networks with batch norm run in training mode, the others as they are: no dropout is on.
Versions: PyTorch 2.13, torchvision 0.28, transformers 5.23.
"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import load_file
from torchvision.models.video.resnet import BasicBlock, BasicStem, Conv3DSimple, VideoResNet

SEED, STEPS, SAMPLES = 7, 20, 4

# model: class, the features of its output, input shape of one sample, training mode, rate
POOLED = "pooler_output"
MODELS = {
    "clip_vision_projection": ("CLIPVisionModelWithProjection", "image_embeds", [3, 32, 32], False, 1e-3),
    "dinov2": ("Dinov2Model", POOLED, [3, 42, 42], False, 1e-4),
    "dinov2_registers": ("Dinov2WithRegistersModel", POOLED, [3, 42, 42], False, 1e-4),
    "dinov2_swiglu": ("Dinov2Model", POOLED, [3, 42, 42], False, 1e-4),
    "convnext": ("ConvNextModel", POOLED, [3, 64, 64], False, 1e-3),
    "efficientnet": ("EfficientNetModel", POOLED, [3, 64, 64], True, 1e-3),
    "wav2vec2_base": ("Wav2Vec2Model", "mean", [3200], False, 3e-4),
    "wav2vec2_large": ("Wav2Vec2Model", "mean", [3200], False, 1e-3),
    "hubert_base": ("HubertModel", "mean", [3200], False, 3e-4),
    "r3d": ("VideoResNet", "features", [3, 8, 24, 28], True, 1e-3),
    "lstm": ("LSTM", "output", [11, 10], False, 3e-3),
}


def values(name: str, shape: list[int], scale: float) -> torch.Tensor:
    """Numbers between ±scale: SplitMix64 keyed by FNV-1a of the name."""
    key = 0xCBF29CE484222325
    for byte in f"{SEED}:{name}".encode():
        key = ((key ^ byte) * 0x100000001B3) & (2**64 - 1)
    with np.errstate(over="ignore"):
        z = np.uint64(key) + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    x = ((z >> np.uint64(40)).astype(np.float64) - 2**23) / 2**23
    return torch.from_numpy((scale * x).astype(np.float32).reshape(shape))


def load(folder: pathlib.Path, kind: str) -> torch.nn.Module:
    config = json.loads((folder / "config.json").read_text())
    if kind == "LSTM":
        keys = ["input_size", "hidden_size", "num_layers", "bidirectional", "batch_first", "bias"]
        model = torch.nn.LSTM(**{key: config[key] for key in keys})
    elif kind == "VideoResNet":
        # torchvision's r3d_18 has no argument for widths.
        widths = config["widths"]
        model = VideoResNet(BasicBlock, [Conv3DSimple] * 4, config["layers"], BasicStem, config["num_classes"])
        model.inplanes = widths[0]
        model.stem = torch.nn.Sequential(
            torch.nn.Conv3d(3, widths[0], (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False),
            torch.nn.BatchNorm3d(widths[0]), torch.nn.ReLU(inplace=True))
        for index, width in enumerate(widths):
            layer = model._make_layer(
                BasicBlock, Conv3DSimple, width, config["layers"][index], stride=1 if index == 0 else 2)
            setattr(model, f"layer{index + 1}", layer)
        model.fc = torch.nn.Linear(widths[-1], config["num_classes"])
    else:
        return getattr(transformers, kind).from_pretrained(folder)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    if kind == "VideoResNet":
        model.fc = torch.nn.Identity()
    return model


def features(output, wanted: str) -> torch.Tensor:
    if wanted == "features":
        return output
    if wanted == "output":
        return output[0].mean(1)
    return output.last_hidden_state.mean(1) if wanted == "mean" else getattr(output, wanted)


def trajectory(folder: pathlib.Path, kind: str, wanted: str, shape: list[int], training: bool, rate: float) -> dict:
    model = load(folder, kind).train(training)
    x = values("input", [SAMPLES] + shape, 3**0.5)
    y = torch.tensor([0.0, 1.0] * (SAMPLES // 2))
    with torch.no_grad():
        width = features(model.eval()(x), wanted).shape[1]
    model = load(folder, kind).train(training)
    head = torch.nn.Linear(width, 1)
    head.weight.data = values("head.weight", [1, width], (3 / width) ** 0.5)
    head.bias.data = values("head.bias", [1], 0.1)
    optimizer = torch.optim.AdamW(list(model.parameters()) + list(head.parameters()), lr=rate, weight_decay=0.01)
    losses = []
    for _ in range(STEPS):
        logits = head(features(model(x), wanted)).squeeze(-1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"model": folder.name, "input": [SAMPLES] + shape, "training": training, "rate": rate, "losses": losses}


def main() -> None:
    torch.use_deterministic_algorithms(True)
    cases = pathlib.Path(sys.argv[1]) / "models"
    found = [trajectory(cases / name, *settings) for name, settings in MODELS.items()]
    json.dump({"seed": SEED, "weight_decay": 0.01, "trajectories": found}, sys.stdout, indent=1)
    print()


main()
