"""Writes big families of checkpoints for benchmarks, as fast as the disk takes them: parent, base, exact merge.

Run: `python benchmarks/families.py FOLDER --gigabytes 2 [--small-tensors]`. One random block of each checkpoint is
made from the seed; every tensor is that block, rolled by its own distance. Parent, base and suspect are rolled alike,
so the merge stays exact in every element.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, encode_single, store
from modelprov.demo.weights import merge_exact
from modelprov.demo.writing import Float32, StoredTensor, Weights, staged, write_checkpoint

ALPHA = 0.565
BLOCK_BYTES = 64 * 2**20
SHARD_BYTES = 500_000_000
TENSORS = 56
SMALL_TENSORS = 20_000
CHANGES = np.geomspace(2e-5, 8e-4, 16)
"""Distance of the parents (standard deviation, weight units) in consecutive sixteenths of the block."""
ROLL = 7_368_787
"""Elements by which each tensor is rolled further than the one before: a prime, so that no two begin alike."""
DENSE = ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up", "mlp.down")
EXPERTS = 120


@dataclass(frozen=True, slots=True)
class BigFamily:
    """Where the checkpoints lie, and what each holds: bytes of tensor data and number of tensors."""

    parent: Path
    base: Path
    suspect: Path
    bytes: int
    tensors: int


def write_big_family(
    folder: Path,
    bytes_per_checkpoint: int = 2_000_000_000,
    tensors: int | None = None,
    *,
    small_tensors: bool = False,
    seed: int = 0,
    block_bytes: int = BLOCK_BYTES,
) -> BigFamily:
    """Write `parent`, `base` and `suspect` = 0.565 parent + 0.435 base (float32, one rounding to bf16) into `folder`.

    Each holds `bytes_per_checkpoint`, rounded down to whole rows, in `tensors` equal matrices: 56, or 20,000
    with `small_tensors`. Raises the errors of `modelprov.demo.writing.staged`.
    """
    count = tensors or (SMALL_TENSORS if small_tensors else TENSORS)
    width = 128 if small_tensors else 1024
    rows = bytes_per_checkpoint // (DType.BF16.size * width * count)
    if rows < 1:
        raise ValueError(f"{bytes_per_checkpoint:,} bytes are too few for {count:,} tensors of {width} columns")
    shape = (rows, width)
    size = count * rows * width * DType.BF16.size
    shards = math.ceil(size / SHARD_BYTES)
    blocks = random_blocks(min(block_bytes, size) // DType.BF16.size, seed)
    with staged(folder, blocks) as part:
        for name, block in blocks.items():
            stored = [
                StoredTensor(
                    tensor_name(i, experts=small_tensors), DType.BF16, shape, _rolled(block, i, math.prod(shape))
                )
                for i in range(count)
            ]
            write_checkpoint(part / name, stored, {"model_type": "benchmark", "seed": seed}, shards)
    return BigFamily(folder / "parent", folder / "base", folder / "suspect", size, count)


def random_blocks(count: int, seed: int) -> dict[str, npt.NDArray[np.uint16]]:
    """`count` elements of parent, base and suspect as bf16 bits, element by element of the same family."""
    rng = np.random.default_rng(seed)
    base = store(_normal(rng, count) * np.float32(0.02), DType.BF16)
    distance = np.repeat(CHANGES.astype(np.float32), math.ceil(count / len(CHANGES)))[:count]
    parent = store(base + distance * _normal(rng, count), DType.BF16)
    family: dict[str, Weights] = {name: {"": (row, DType.BF16)} for name, row in (("parent", parent), ("base", base))}
    family["suspect"] = merge_exact((family["parent"], family["base"]), (ALPHA, 1 - ALPHA))
    return {name: np.frombuffer(encode_single(*weights[""]), np.uint16) for name, weights in family.items()}


def tensor_name(number: int, *, experts: bool) -> str:
    """The name of tensor `number`: seven matrices a layer, or 120 experts of three."""
    if experts:
        layer, inside = divmod(number, 3 * EXPERTS)
        return f"model.layers.{layer}.mlp.experts.{inside // 3}.{('gate', 'up', 'down')[inside % 3]}_proj.weight"
    layer, inside = divmod(number, len(DENSE))
    return f"model.layers.{layer}.{DENSE[inside]}_proj.weight"


def _normal(rng: np.random.Generator, count: int) -> Float32:
    return rng.standard_normal(count, dtype=np.float32)


def _rolled(block: npt.NDArray[np.uint16], number: int, count: int) -> Iterator[memoryview]:
    """`count` elements of the block without a copy, from where tensor `number` begins, round and round."""
    at = number * ROLL % len(block)
    while count:
        take = min(count, len(block) - at)
        yield block[at : at + take].data.cast("B")
        count, at = count - take, 0


def main() -> None:
    """Write a family and say how fast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of each of the three checkpoints")
    parser.add_argument("--small-tensors", action="store_true", help=f"{SMALL_TENSORS:,} tensors instead of {TENSORS}")
    arguments = parser.parse_args()
    start = time.perf_counter()
    size = int(arguments.gigabytes * 1e9)
    family = write_big_family(arguments.folder, size, small_tensors=arguments.small_tensors)
    seconds = time.perf_counter() - start
    speed = 3e-9 * family.bytes / seconds
    print(f"3 x {family.bytes:,} bytes in {family.tensors:,} tensors: {seconds:.1f} s, {speed:.2f} GB/s")


if __name__ == "__main__":
    main()
