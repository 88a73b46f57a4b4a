#!/usr/bin/env python3
"""Samples per second of `unmask benchmark train audio-cnn` against the same step in PyTorch, in alternating runs.

usage: training_pairs.py [--pairs N] [--steps N] [--threads N] [--batch N] [--unmask PROGRAM]

A pair is one run of ours with one logical shard, one with four, and one of PyTorch (channels-last, fused AdamW, oneDNN
on), right after each other; the machine may be busy, so what counts is the median of the pairs' ratios. Needs torch.
Prints one JSON line.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time


def reference(batch, threads, steps):
    """One JSON line of PyTorch's step, in this process."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    layers, channels = [], 1
    for width in (32, 64, 128, 256):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1))
    model = model.to(memory_format=torch.channels_last).train()
    x = torch.randn(batch, 1, 64, 200).contiguous(memory_format=torch.channels_last)
    y = torch.randint(0, 2, (batch,)).float()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    times = []
    for step in range(steps + 2):
        start = time.perf_counter()
        loss = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(-1), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step >= 2:
            times.append(time.perf_counter() - start)
    print(json.dumps({"samples_per_s": batch / statistics.median(times)}))


def run(command):
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()
    return json.loads(lines[-1])["samples_per_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--unmask", default=".build/release/unmask")
    parser.add_argument("--reference", action="store_true", help="run PyTorch's step only")
    options = parser.parse_args()
    if options.reference:
        return reference(options.batch, options.threads, options.steps)
    common = ["--batch", str(options.batch), "--threads", str(options.threads), "--steps", str(options.steps)]
    ours = [options.unmask, "benchmark", "train", "audio-cnn", "--precision", "fp32", *common]
    theirs = [sys.executable, __file__, "--reference", *common]
    one, four, shards, best = [], [], [], {"ours": 0.0, "pytorch": 0.0}
    for _ in range(options.pairs):
        single = run(ours + ["--logical-shards", "1"])
        torch = run(theirs)
        sharded = run(ours + ["--logical-shards", "4"])
        one.append(single / torch)
        four.append(sharded / torch)
        shards.append(sharded / single)
        best = {"ours": max(best["ours"], single), "pytorch": max(best["pytorch"], torch)}
    report = {
        "pairs": options.pairs,
        "one_shard_over_pytorch": round(statistics.median(one), 3),
        "four_shards_over_pytorch": round(statistics.median(four), 3),
        "four_shards_over_one": round(statistics.median(shards), 3),
        "best_samples_per_s": {name: round(value, 1) for name, value in best.items()},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
