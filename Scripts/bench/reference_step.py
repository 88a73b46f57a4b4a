#!/usr/bin/env python3
"""One PyTorch training step (or forward pass) of a full-size configuration, as `unmask benchmark train` measures ours.

usage: reference_step.py MODEL [--batch N] [--threads N] [--precision fp32|bf16] [--steps N] [--infer]

Prints one JSON line with the fields of Unmask's benchmarks. PyTorch is given its best setting: channels-last for
convolutional networks, fused AdamW, oneDNN on. Needs torch, transformers and, for r3d-18, torchvision.
"""
import argparse
import json
import re
import resource
import statistics
import sys
import time

import torch
from torch import nn


class Detector(nn.Module):
    """A body, what is read of its output, and one logit."""

    def __init__(self, body, width, read):
        super().__init__()
        self.body, self.head, self.read = body, nn.Linear(width, 1), read

    def forward(self, x):
        return self.head(self.read(self.body(x))).squeeze(-1)


def pooled(output):
    return output.pooler_output


def averaged(output):
    return output.last_hidden_state.mean(1)


def audio_cnn():
    layers, channels = [], 1
    for width in (32, 64, 128, 256):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def import_torchvision():
    """transformers imports it, too. Built for another torch it lacks its operators, of which no model here uses one: each
    that it asks for is declared."""
    from torch import library as operators
    library = operators.Library("torchvision", "FRAGMENT")
    import_torchvision.keep = library  # its declarations go when it does
    for _ in range(50):
        try:
            import torchvision  # noqa: F401
            return
        except ImportError:
            return
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if not missing:
                raise
            library.define(f"{missing[1]}(Tensor x) -> Tensor")
            for name in [name for name in sys.modules if name.startswith("torchvision")]:
                del sys.modules[name]


def r3d_18():
    from torchvision.models.video import r3d_18 as make

    body = make()
    body.fc = nn.Identity()
    return body


def detector(name, batch):
    """The network and its input."""
    import_torchvision()
    images = torch.randn(batch, 3, 224, 224)
    if name == "audio-cnn":
        body, x = audio_cnn(), torch.randn(batch, 1, 64, 200)
        return flat(Detector(body, 256, lambda o: o)), x.contiguous(memory_format=torch.channels_last)
    if name == "lstm":
        body = nn.LSTM(512, 256, 2, batch_first=True, bidirectional=True)
        return Detector(body, 512, lambda o: o[0].mean(1)), torch.randn(batch, 16, 512)
    if name == "r3d-18":
        network = Detector(r3d_18(), 512, lambda o: o).to(memory_format=torch.channels_last_3d)
        return network, torch.randn(batch, 3, 16, 112, 112).to(memory_format=torch.channels_last_3d)
    import transformers as t

    if name == "clip-vit-base-patch32":
        return Detector(t.CLIPVisionModel(t.CLIPVisionConfig(patch_size=32)), 768, pooled), images
    if name == "dinov2-small":
        settings = t.Dinov2Config(hidden_size=384, num_attention_heads=6, num_hidden_layers=12, image_size=518)
        return Detector(t.Dinov2Model(settings), 384, pooled), images
    if name == "convnext-tiny":
        images = images.contiguous(memory_format=torch.channels_last)
        return flat(Detector(t.ConvNextModel(t.ConvNextConfig()), 768, pooled)), images
    if name == "efficientnet-b0":
        settings = t.EfficientNetConfig(
            width_coefficient=1.0, depth_coefficient=1.0, image_size=224, hidden_dim=1280, dropout_rate=0.2)
        body = Detector(t.EfficientNetModel(settings), 1280, lambda o: o.pooler_output.flatten(1))
        return flat(body), images.contiguous(memory_format=torch.channels_last)
    if name == "wav2vec2-base":
        return Detector(t.Wav2Vec2Model(t.Wav2Vec2Config()), 768, averaged), torch.randn(batch, 32000)
    if name == "hubert-base":
        return Detector(t.HubertModel(t.HubertConfig()), 768, averaged), torch.randn(batch, 32000)
    raise SystemExit(f"reference_step.py: {name} has no reference")


def flat(network):
    return network.to(memory_format=torch.channels_last)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--infer", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    network, x = detector(options.model, options.batch)
    network.train(not options.infer)
    y = torch.randint(0, 2, (options.batch,)).float()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def numbers():
        return torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16")

    def step():
        if options.infer:
            with torch.inference_mode(), numbers():
                return network(x)
        with numbers():
            logits = network(x)
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    times, work = [], []
    for number in range(options.steps + 2):
        start, used = time.perf_counter(), time.process_time()
        step()
        if number >= 2:
            times.append(time.perf_counter() - start)
            work.append(time.process_time() - used)
    middle = statistics.median(times)
    report = {
        "model": options.model, "batch": options.batch, "threads": options.threads, "precision": options.precision,
        "mode": "infer" if options.infer else "train", "step_ms": round(middle * 1e3, 2),
        "cpu_ms": round(min(work) * 1e3, 2), "samples_per_s": round(options.batch / middle, 2), "parameters": sum(p.numel() for p in network.parameters()),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
