"""How fast files become sums on a GPU, beside the same machine's processors; where each second of a whole run goes.

Run: `python benchmarks/gpu_files.py --folder DIR [--gigabytes 24] [--json FILE]`. Writes three bf16 checkpoints there
(a merge and its parents) and deletes them afterwards; put DIR in memory (`/dev/shm`) to measure the machine and not its
disk. Ceilings of the same run: reading into reused pinned memory alone, with the copies to the device, and the link.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

PIECE = 8 << 20
ROWS, COLUMNS, TENSORS = 8192, 4096, 16  # 64 MiB a tensor, 1 GiB a shard
MODELS = ("merge", "first", "base")
STAGES = """
import json, sys, time
import modelprov
class Stages:
    def __init__(self): self.seconds, self.name, self.since = {}, "importing", START
    def stage(self, text, total=0, /):
        now = time.perf_counter()
        self.seconds[self.name] = self.seconds.get(self.name, 0) + now - self.since
        self.name, self.since = text, now
    def advance(self, done, /): pass
stages = Stages()
report = modelprov.compare(*json.loads(sys.argv[1]), device=sys.argv[2], progress=stages)
stages.stage("end")
print(json.dumps({"seconds": stages.seconds, "device": report.environment.device, "verdict": report.verdict.class_}))
"""


def write(folder: Path, gigabytes: float) -> list[Path]:
    """Three checkpoints of together about so many GB; the same weights in every shard, under other names."""
    generator = np.random.default_rng(20261127)
    base = generator.normal(0, 0.02, ROWS * COLUMNS).astype(np.float32)
    first = base + generator.normal(0, 2e-4, base.size).astype(np.float32)
    merged = np.float32(0.6) * rounded(first) + np.float32(0.4) * rounded(base)
    places = []
    for model, values in zip(MODELS, (merged, first, base), strict=True):
        payload = (rounded(values).view(np.uint32) >> 16).astype(np.uint16).tobytes()
        place = folder / model
        place.mkdir()
        places.append(place)
        shards = max(1, round(gigabytes * 1e9 / len(MODELS) / (TENSORS * len(payload))))
        index = {}
        for shard in range(shards):
            name = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
            names = [f"model.layers.{shard * TENSORS + i}.mlp.up_proj.weight" for i in range(TENSORS)]
            size = len(payload)
            header = {
                tensor: {"dtype": "BF16", "shape": [ROWS, COLUMNS], "data_offsets": [i * size, (i + 1) * size]}
                for i, tensor in enumerate(names)
            }
            raw = json.dumps(header).encode()
            raw += b" " * (-len(raw) % 8)
            with (place / name).open("wb") as file:
                file.write(len(raw).to_bytes(8, "little") + raw)
                for _ in names:
                    file.write(payload)
            index |= dict.fromkeys(names, name)
        (place / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return places


def rounded(values: Any) -> Any:
    """Float32 values rounded to bf16, to nearest even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def reading(torch: Any, files: list[Path], threads: int, *, copying: bool) -> float:
    """GB/s of positioned reads into reused pinned memory, a piece a thread, with or without copies to the device."""
    jobs = [(file, at) for file in files for at in range(0, file.stat().st_size, PIECE)]
    handles = {file: os.open(file, os.O_RDONLY) for file in files}
    rings = [torch.empty((2, PIECE), dtype=torch.uint8, pin_memory=True) for _ in range(threads)]
    target = torch.empty((threads, PIECE), dtype=torch.uint8, device="cuda")

    def work(number: int) -> None:
        ring, stream, events = rings[number], torch.cuda.Stream(), [torch.cuda.Event(), torch.cuda.Event()]
        views = [memoryview(ring[i].numpy()) for i in range(2)]
        for turn, (file, at) in enumerate(jobs[number::threads]):
            slot = turn % 2
            if copying:
                events[slot].synchronize()
            os.preadv(handles[file], [views[slot]], at)
            if copying:
                with torch.cuda.stream(stream):
                    target[number].copy_(ring[slot], non_blocking=True)
                    events[slot].record(stream)

    begin = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    torch.cuda.synchronize()
    seconds = time.perf_counter() - begin
    for handle in handles.values():
        os.close(handle)
    return sum(file.stat().st_size for file in files) / seconds / 1e9


def sweeping(places: list[Path], device: Any, threads: int, memory: int) -> float:
    """GB/s of the pass alone, kernels compiled and files in memory."""
    from modelprov.checkpoints.layouts.alignment import align
    from modelprov.checkpoints.plan import plan_pass
    from modelprov.forensics.sums.kernels.interface import RecipePlan
    from modelprov.forensics.sums.sweep import PIECE, block_bytes, sweep
    from modelprov.jobs.open import open as open_checkpoint

    checkpoints = tuple(open_checkpoint(place) for place in places)
    alignment = align(checkpoints)
    plan = plan_pass(alignment, block_bytes(memory, threads, len(checkpoints), device), PIECE)
    recipes = RecipePlan.none(len(checkpoints) - 1, len(alignment.tensors))
    begin = time.perf_counter()
    sweep(checkpoints, plan, len(alignment.tensors), recipes, device, threads=threads)
    return plan.bytes / (time.perf_counter() - begin) / 1e9


def whole(places: list[Path], device: str) -> dict[str, Any]:
    """Seconds of a whole run in a process of its own, by stage."""
    code = "import time; START = time.perf_counter()\n" + STAGES
    command = [sys.executable, "-c", code, json.dumps([str(place) for place in places]), device]
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"wall": time.perf_counter() - begin, **json.loads(done.stdout.splitlines()[-1])}


def main() -> int:
    """Exit status 0; 2 without a GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--gigabytes", type=float, default=24)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    try:
        import torch
    except ImportError:
        torch = None  # type: ignore[assignment]
    if torch is None or not torch.cuda.is_available():
        print("No GPU that torch can use: nothing was measured.")
        return 2
    from modelprov.forensics.sums.kernels.choose import pick_device

    folder = Path(tempfile.mkdtemp(prefix="gpu-files-", dir=arguments.folder))
    results: dict[str, Any] = {"gpu": torch.cuda.get_device_name(), "processors": os.cpu_count()}

    def say(name: str, value: Any) -> None:
        results[name] = value
        print(f"{name}: {value if isinstance(value, dict) else f'{value:.2f}'}", flush=True)

    try:
        places = write(folder, arguments.gigabytes)
        files = sorted(file for place in places for file in place.glob("*.safetensors"))
        say("GB", sum(file.stat().st_size for file in files) / 1e9)
        for threads in (8, 16):
            say(f"reading into pinned memory, {threads} threads, GB/s", reading(torch, files, threads, copying=False))
            say(f"the same with copies to the device, {threads} threads", reading(torch, files, threads, copying=True))
        gpu, processor = pick_device("cuda"), pick_device("cpu")
        for turn in range(2):
            say(f"pass on the processors, {os.cpu_count()} threads, turn {turn}",
                sweeping(places, processor, os.cpu_count() or 1, 512 << 20))  # fmt: skip
            for threads in (4, 8, 16):
                for memory in (512 << 20, 1 << 30):
                    say(f"pass on the GPU, {threads} threads, {memory >> 20} MiB, turn {turn}",
                        sweeping(places, gpu, threads, memory))  # fmt: skip
        for device in ("cpu", "cuda", "auto"):
            say(f"whole run, {device}", whole(places, device))
    finally:
        shutil.rmtree(folder)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
