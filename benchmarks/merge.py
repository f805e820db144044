"""What a merge costs, against the plain copy of the same bytes and, if asked, against mergekit, in one run.

Run: `python benchmarks/merge.py [--gigabytes 1.6] [--repeats 3] [--mergekit-python PYTHON] [--json FILE]`, for another
method than linear `--method ties --arithmetic float32`, for tensors of 1.1 GB `--vocabulary 270000`. Writes two
checkpoints of that size into a scratch folder (and removes them). Every candidate is a process of its own, candidates
are interleaved, and medians of wall time, processor time and peak resident memory are given as ratios to the floor:
a program that reads both checkpoints, writes one of them, syncs it, and (second floor) hashes what it writes, as
`modelprov merge` does. `--mergekit-python` is the interpreter of a virtual environment with mergekit; its output is
compared with ours tensor by tensor. Planning is measured on a checkpoint of 25,000 tensors. Nothing asserts a time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from families import ROLL, random_blocks

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.writing import header, write_json
from modelprov.demo.writing import StoredTensor, write_checkpoint
from modelprov.merge.source import plan_shards
from modelprov.merge.virtual import plan_recipe
from modelprov.recipes.recipe import linear

COPY = """
import hashlib, os, sys
one, other, out, hashed = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] == "hash"
buffer = bytearray(8 << 20)
os.makedirs(out)
for name in sorted(os.listdir(one)):
    digest = hashlib.sha256()
    with open(os.path.join(one, name), "rb", 0) as source, open(os.path.join(out, name), "wb", 0) as target:
        while (got := source.readinto(buffer)):
            target.write(memoryview(buffer)[:got])
            if hashed:
                digest.update(memoryview(buffer)[:got])
        os.fsync(target.fileno())
for name in sorted(os.listdir(other)):
    with open(os.path.join(other, name), "rb", 0) as source:
        while source.readinto(buffer):
            pass
"""
# A program of its own, small: a process inherits the peak memory of whoever starts it.
LAUNCH = """
import os, sys, time
started = time.perf_counter()
child = os.fork()
if not child:
    os.dup2(2, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""
RECIPE = """merge_method: linear
models:
- model: {one}
  parameters: {{weight: 0.6}}
- model: {other}
  parameters: {{weight: 0.4}}
dtype: bfloat16
"""
WITH_BASE = """merge_method: {method}
base_model: {other}
models:
- model: {one}
{parameters}
dtype: bfloat16
"""
PARAMETERS = {
    "ties": "  parameters: {weight: 1.0, density: 0.5}",
    "dare_ties": "  parameters: {weight: 1.0, density: 0.5}",
    "slerp": "- model: {other}\nparameters: {t: 0.4}",
    "task_arithmetic": "  parameters: {weight: 0.4}",
}


def measured(command: list[str], out: Path) -> dict[str, float]:
    """Wall seconds, processor seconds and peak resident bytes of a command that writes `out` anew."""
    shutil.rmtree(out, ignore_errors=True)
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}  # what is installed has its bytecode
    launched = [sys.executable, "-S", "-c", LAUNCH, *command]
    done = subprocess.run(launched, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{command[:3]} failed: {done.stderr[-2000:]}")
    wall, cpu, peak = map(float, done.stdout.split()[-3:])
    return {"wall": wall, "cpu": cpu, "peak": peak}


def equal_share(one: Path, other: Path) -> dict[str, float]:
    """Share of tensors of `one` that `other` holds with the same bytes, and of tensors it has at all."""
    a, b = open_checkpoint(str(one)), open_checkpoint(str(other))
    same = there = 0
    for name, ref in a.tensors.items():
        if name not in b.tensors:
            continue
        there += 1
        theirs = b.tensors[name]
        raw = []
        for checkpoint, tensor in ((a, ref), (b, theirs)):
            held = np.empty(tensor.stop - tensor.start, np.uint8)
            checkpoint.source.read_into(tensor.shard, tensor.start, held.data)
            raw.append(held)
        same += np.array_equal(*raw)
    return {"present": there / len(a.tensors), "equal": same / len(a.tensors)}


def planning(folder: Path, tensors: int = 25_000) -> float:
    """Seconds to open two checkpoints of so many tensors and plan their merge."""
    places = []
    for name in ("one", "other"):
        place = folder / f"plan-{name}"
        place.mkdir()
        refs = [StoredTensor(f"model.layers.{n // 400}.mlp.experts.{n % 400}.up_proj.weight", DType.BF16, (16, 16), ())
                for n in range(tensors)]  # fmt: skip
        head = header(refs)
        with (place / "model.safetensors").open("wb") as file:
            file.write(head)
            file.truncate(len(head) + sum(ref.size for ref in refs))
        write_json(place / "config.json", {})
        places.append(str(place))
    started = time.perf_counter()
    plan = plan_recipe(linear(dict(zip(places, (0.6, 0.4), strict=True))))
    plan_shards(plan.tensors)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print; see the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.6, help="of each checkpoint")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to make the scratch folder")
    parser.add_argument("--mergekit-python", type=Path)
    parser.add_argument("--method", default="linear", choices=["linear", *PARAMETERS])
    parser.add_argument("--arithmetic", help="of modelprov's merge, instead of the recipe's")
    parser.add_argument("--vocabulary", type=int, default=32_000, help="rows of the embeddings and the head")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
        folder = Path(scratch)
        family = write_family(folder, given.gigabytes, given.vocabulary)
        recipe = folder / "recipe.yml"
        recipe.write_text(recipe_of(given.method, *family))
        modelprov = [sys.executable, "-m", "modelprov"]
        chosen = ["--arithmetic", given.arithmetic] if given.arithmetic else []
        commands = {
            "copy": [sys.executable, "-c", COPY, *map(str, family), str(folder / "copy"), "plain"],
            "copy and hash": [sys.executable, "-c", COPY, *map(str, family), str(folder / "copy and hash"), "hash"],
            "modelprov": [*modelprov, "merge", str(recipe), str(folder / "modelprov"), "-q", *chosen],
        }
        if given.mergekit_python:
            kit = str(given.mergekit_python.with_name("mergekit-yaml"))
            commands["mergekit"] = [kit, str(recipe), str(folder / "mergekit")]
        warm = [str(folder / "warm") if word == str(folder / "modelprov") else word for word in commands["modelprov"]]
        subprocess.run(warm, check=True)  # compiles once
        shutil.rmtree(folder / "warm")
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
        for _ in range(given.repeats):
            for name, command in commands.items():
                runs[name].append(measured(command, folder / name))
                if name.startswith("copy"):
                    shutil.rmtree(folder / name)
        medians = {
            name: {key: statistics.median(run[key] for run in each) for key in each[0]} for name, each in runs.items()
        }
        result: dict[str, object] = {
            "gigabytes": given.gigabytes,
            "method": given.method,
            "largest tensor, bytes": given.vocabulary * 4096,
            "repeats": given.repeats,
            "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "medians": medians,
            "ratio to copy": {name: _ratios(one, medians["copy"]) for name, one in medians.items()},
            "planning 25,000 tensors, seconds": planning(folder),
        }
        if given.mergekit_python:
            result["ratio to mergekit"] = _ratios(medians["modelprov"], medians["mergekit"])
            result["against mergekit"] = equal_share(folder / "modelprov", folder / "mergekit")
    text = json.dumps(result, indent=2)
    print(text)
    if given.json:
        held = json.loads(given.json.read_text()) if given.json.exists() else {}
        kept = {"large tensors": held["large tensors"]} if "large tensors" in held else {}  # of merge_large.py
        given.json.write_text(json.dumps(result | kept, indent=2) + "\n")


def _ratios(one: dict[str, float], floor: dict[str, float]) -> dict[str, float]:
    return {key: round(one[key] / floor[key], 3) for key in one}


def recipe_of(method: str, one: Path, other: Path) -> str:
    """The recipe of the first model with the second; the second is the base where a method has one."""
    if method == "linear":
        return RECIPE.format(one=one, other=other)
    parameters = PARAMETERS[method].replace("{other}", str(other))
    return WITH_BASE.format(method=method, one=one, other=other, parameters=parameters)


def write_family(folder: Path, gigabytes: float, vocabulary: int, *, tied: bool = False) -> tuple[Path, Path]:
    """Two checkpoints of about so many gigabytes each, laid out and configured as a Llama, as mergekit knows it."""
    hidden, middle = 2048, 5632
    layer = {
        "input_layernorm": (hidden,), "mlp.down_proj": (hidden, middle), "mlp.gate_proj": (middle, hidden),
        "mlp.up_proj": (middle, hidden), "post_attention_layernorm": (hidden,),
        **{f"self_attn.{letter}_proj": (hidden, hidden) for letter in "koqv"},
    }  # fmt: skip
    outer = {"model.embed_tokens": (vocabulary, hidden), "model.norm": (hidden,)}
    if not tied:
        outer = {"lm_head": (vocabulary, hidden)} | outer
    fixed, each = (2 * sum(math.prod(shape) for shape in part.values()) for part in (outer, layer))
    layers = max(1, round((gigabytes * 1e9 - fixed) / each))
    shapes = outer | {f"model.layers.{n}.{name}": shape for n in range(layers) for name, shape in layer.items()}
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
        "intermediate_size": middle,
        "num_attention_heads": 16, "num_key_value_heads": 16, "num_hidden_layers": layers, "vocab_size": vocabulary,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
    }  # fmt: skip
    blocks = random_blocks(32 << 20, 0)
    for label, name in (("one", "parent"), ("other", "base")):
        stored = [
            StoredTensor(f"{tensor}.weight", DType.BF16, shape, taken(blocks[name], number, math.prod(shape)))
            for number, (tensor, shape) in enumerate(shapes.items())
        ]
        write_checkpoint(folder / label, stored, config, 1)
    return folder / "one", folder / "other"


def taken(block: npt.NDArray[np.uint16], number: int, count: int) -> Iterator[memoryview]:
    """`count` elements of a block that repeats, from a place of the tensor's own."""
    at = number * ROLL % len(block)
    while count:
        part = block[at : at + count]
        yield memoryview(part).cast("B")
        count, at = count - len(part), 0


if __name__ == "__main__":
    main()
