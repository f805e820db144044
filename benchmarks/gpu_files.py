"""How fast files become sums on GPUs, beside the same machine's processors; where each second of a whole run goes.

A part of `benchmarks/gpu.py`, which see. Writes three bf16 checkpoints (a merge and its parents) and deletes them.
Ceilings of the same run: the link from pinned memory, and reading into reused pinned memory with copies behind.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.plan import plan_pass
from modelprov.checkpoints.reading import way_of_reading
from modelprov.forensics.sums.kernels.choose import pick_device
from modelprov.forensics.sums.kernels.cuda import WINDOW, Cuda
from modelprov.forensics.sums.kernels.gpu_batches import Limits
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan
from modelprov.forensics.sums.sweep import PIECE, block_bytes, sweep
from modelprov.jobs.open import open as open_checkpoint

ROWS, COLUMNS, TENSORS = 8192, 4096, 16  # 64 MiB a tensor, 1 GiB a shard
MODELS = ("merge", "first", "base")
STAGES = """
import json, pathlib, re, sys, threading, time
import modelprov
anonymous = [0]
def watch():
    while True:
        status = pathlib.Path("/proc/self/status").read_text()
        anonymous.append(int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]) // 1024)
        time.sleep(0.05)
threading.Thread(target=watch, daemon=True).start()
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
print(json.dumps({"seconds": stages.seconds, "device": report.environment.device, "verdict": report.verdict.class_,
                  "memory of its own, MiB": max(anonymous)}))
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


def link(gpu: Cuda, size: int = 1 << 30) -> float:
    """GB/s from pinned memory to the device, by one copy."""
    memory, there = gpu.pinned(size), gpu.allocated(size)
    stream = gpu.do("cuStreamCreate", 1)
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        gpu.do("cuMemcpyHtoDAsync", there, memory.ctypes.data, size, stream)
        gpu.do("cuStreamSynchronize", stream)
        times.append(time.perf_counter() - begin)
    gpu.do("cuMemFree", there)
    gpu.do("cuMemFreeHost", memory.ctypes.data)
    return size / float(np.median(times)) / 1e9


def reading(gpu: Cuda, files: list[Path], threads: int, piece: int = WINDOW, *, direct: bool = False) -> float:
    """GB/s of positioned reads into two windows a thread, each copied to the device before it is read into again."""
    jobs = iter([(file, at) for file in files for at in range(0, file.stat().st_size, piece)])
    handles = {file: os.open(file, os.O_RDONLY | (os.O_DIRECT if direct else 0)) for file in files}
    lock = threading.Lock()

    def work(_number: int) -> None:
        gpu.enter()
        lane = gpu.lane(Limits(capacity=8 << 20, runs=64))
        while True:
            with lock:
                job = next(jobs, None)
            if job is None:
                break
            got = os.preadv(handles[job[0]], [lane.window().data[:piece]], job[1])
            lane.send(got, 0)
        lane.settle()
        lane.close()

    begin = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    seconds = time.perf_counter() - begin
    for handle in handles.values():
        os.close(handle)
    return sum(file.stat().st_size for file in files) / seconds / 1e9


def touching(files: list[Path], threads: int, piece: int = 32 << 20) -> float:
    """GB/s of touching every byte of maps of the files: numpy's largest word of each piece."""
    maps = [np.memmap(file, np.uint8, "r") for file in files]
    jobs = [(held, at) for held in maps for at in range(0, len(held), piece)]
    begin = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda job: int(job[0][job[1] : job[1] + piece // 8 * 8].view(np.uint64).max()), jobs))
    return sum(len(held) for held in maps) / (time.perf_counter() - begin) / 1e9


def sweeping(
    places: list[Path], device: Device, threads: int, memory: int = 512 << 20, recipes: int = 0,
    forgotten: Sequence[Path] = (),
) -> float:  # fmt: skip
    """GB/s of the pass alone, kernels compiled and memory made: the better of two, or one over `forgotten` files."""
    checkpoints = tuple(open_checkpoint(place) for place in places)
    alignment = align(checkpoints)
    method = way_of_reading(checkpoints, "auto")
    plan = plan_pass(alignment, block_bytes(memory, threads, len(checkpoints), device, method), PIECE)
    tensors, rates = len(alignment.tensors), []
    counted = RecipePlan(
        np.arange(recipes), np.tile(np.arange(2), (recipes, 1)), np.tile(np.array([0.6, 0.4]), (recipes, tensors, 1))
    )
    for _ in range(1 if forgotten else 2):
        forget(forgotten)
        begin = time.perf_counter()
        sweep(checkpoints, plan, tensors, counted, device, threads=threads, method=method)
        rates.append(plan.bytes / (time.perf_counter() - begin) / 1e9)
    return max(rates)


def whole(places: list[Path], device: str) -> dict[str, Any]:
    """Seconds of a whole run in a process of its own, by stage, and the most memory that it had beside files."""
    code = "import time; START = time.perf_counter()\n" + STAGES
    command = [sys.executable, "-c", code, json.dumps([str(place) for place in places]), device]
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr[-2000:]}
    return {"wall": time.perf_counter() - begin, **json.loads(done.stdout.splitlines()[-1])}


def forget(files: Sequence[Path]) -> None:
    """Let the system forget what it holds of the files."""
    if files:
        os.sync()
    for file in files:
        handle = os.open(file, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def on_files(
    gpu: Cuda, folder: Path, gigabytes: float, disk: Path | None, keep: Callable[[str, dict[str, Any]], None]
) -> None:
    """Every figure of files in memory, and of files on a disk where one is named."""
    gpu_device, processor = pick_device("cuda"), pick_device("cpu")
    every = os.cpu_count() or 1
    place = Path(tempfile.mkdtemp(prefix="gpu-files-", dir=folder))
    try:
        places = write(place, gigabytes)
        files = sorted(file for model in places for file in model.glob("*.safetensors"))
        ceiling = link(gpu)
        keep("files", {"GB": sum(file.stat().st_size for file in files) / 1e9, "link GB/s": ceiling})
        keep("ceilings GB/s", {
            f"touching every byte, {every} threads": touching(files, every),
            **{f"reading with copies, {n} threads": reading(gpu, files, n) for n in (8, 12, 16)},
        })  # fmt: skip
        rates: dict[str, float] = {}
        for recipes in (0, 2):
            of = f"{recipes} recipes"
            rates[f"processor, {every} threads, {of}"] = sweeping(places, processor, every, 512 << 20, recipes)
            for threads, memory in ((12, 512), (16, 512), (12, 1024))[: 1 if recipes else 3]:
                rates[f"GPU, {threads} threads, {memory} MiB, {of}"] = sweeping(
                    places, gpu_device, threads, memory << 20, recipes
                )
        keep("pass GB/s", rates)
        best = max(rate for name, rate in rates.items() if name.startswith("GPU"))
        keep("pass", {"best GB/s": best, "share of the link": best / ceiling})
        for device in ("cpu", "cuda", "cuda", "auto"):
            keep(f"whole run, {device}", whole(places, device))
    finally:
        shutil.rmtree(place)
    if disk is not None:
        _on_disk(gpu, gpu_device, processor, disk, min(gigabytes, 12), keep)


def _on_disk(
    gpu: Cuda, gpu_device: Device, processor: Device, disk: Path, gigabytes: float,
    keep: Callable[[str, dict[str, Any]], None],
) -> None:  # fmt: skip
    every = os.cpu_count() or 1
    place = Path(tempfile.mkdtemp(prefix="gpu-files-", dir=disk))
    try:
        places = write(place, gigabytes)
        files = sorted(file for model in places for file in model.glob("*.safetensors"))
        works: dict[str, Callable[[], float]] = {
            "reading past the cache, with copies, 8 threads": lambda: reading(gpu, files, 8, direct=True),
            "pass on the GPU": lambda: sweeping(
                places, gpu_device, min(gpu_device.threads or every, every), forgotten=files
            ),
            "pass on the processor": lambda: sweeping(places, processor, every, forgotten=files),
        }
        rates = {}
        for name, work in works.items():
            forget(files)
            rates[name] = work()
        keep("files that are not cached, GB/s", rates)
    finally:
        shutil.rmtree(place)
