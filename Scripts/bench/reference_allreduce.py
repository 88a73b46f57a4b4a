#!/usr/bin/env python3
"""All-reduce of float32 by Gloo, as `unmask benchmark allreduce --json` measures ours: one JSON line a size.

usage: Scripts/bench/reference_allreduce.py --workers N --bytes 1024,1048576 [--seconds S]

Every worker is a process of its own. One iteration begins when all have ended the one before, as in training; its time
is the slowest worker's, and is taken on the first.
"""
import argparse
import json
import os
import pathlib
import tempfile
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing


def worker(rank, options, store):
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=options.workers)
    for size in options.sizes:
        data = torch.full((size // 4,), float(rank))
        begin = time.perf_counter()
        for _ in range(5):
            dist.all_reduce(data)
        each = (time.perf_counter() - begin) / 5
        count = torch.tensor([max(20, min(5000, int(options.seconds / each)))])
        dist.broadcast(count, 0)
        times = []
        for _ in range(int(count)):
            begin = time.perf_counter()
            dist.all_reduce(data)
            times.append(time.perf_counter() - begin)
            data.mul_(0.5)
        if rank == 0:
            times.sort()
            middle, late = times[len(times) // 2], times[int((len(times) - 1) * 0.99)]
            rate = size / middle / 1e9
            print(json.dumps({
                "benchmark": "allreduce", "by": "gloo", "workers": options.workers, "bytes": size,
                "iterations": len(times), "p50_us": middle * 1e6, "p99_us": late * 1e6, "algbw_gb_s": rate,
                "busbw_gb_s": rate * 2 * (options.workers - 1) / options.workers}), flush=True)
    dist.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bytes", default="1024,1048576")
    parser.add_argument("--seconds", type=float, default=0.5)
    options = parser.parse_args()
    options.sizes = [int(size) for size in options.bytes.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        store = pathlib.Path(folder) / "store"
        multiprocessing.spawn(worker, (options, store), nprocs=options.workers)


if __name__ == "__main__":
    main()
