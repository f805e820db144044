"""Whether a kernel computes what the oracle computes, on a few runs of made-up weights. Seeded; reads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, decode, encode
from modelprov.forensics.sums.kernels.interface import Kernel, RecipePlan, Segments
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.moments import Float64, Moments, layout
from modelprov.recipes.arithmetics import Arithmetic, evaluate

TOLERANCE = 1e-7
SEED = 20261122


@dataclass(frozen=True, slots=True)
class Example:
    """Arguments of a kernel."""

    buffers: tuple[npt.NDArray[np.uint8], ...]
    segments: Segments
    recipes: RecipePlan


def example(
    counts: Sequence[int],
    formats: Sequence[Sequence[DType]],
    arithmetics: Sequence[Arithmetic],
    *,
    scale: float = 0.02,
    nonfinite: float = 0.0,
    taken: int | None = None,
    seed: int = SEED,
) -> Example:
    """Segments of `counts` elements, in checkpoint i and segment s stored as `formats[i][s]`.

    The suspect is a merge of the others: a third each is made by the recipes in turn, the rest differs by noise. A
    share `nonfinite` of the elements is NaN or infinite in some checkpoint. Every second segment begins at an odd
    byte. The last of the recipes has weights that do not add to 1. A recipe takes so many of the parents as `taken`.
    """
    generator = np.random.default_rng(seed)
    n = len(formats)
    weights = generator.dirichlet(np.full(n - 1, 3.0), (len(arithmetics), len(counts)))
    if len(arithmetics):
        weights[-1] *= 1.25
    order = np.stack([generator.permutation(n - 1) for _ in arithmetics] or [np.zeros(n - 1, np.int64)])
    if taken is not None:
        order[:, taken:] = -1
    recipes = RecipePlan(np.array(arithmetics, np.int64), order[: len(arithmetics)].astype(np.int64), weights)
    parts: list[list[npt.NDArray[np.uint8]]] = [[] for _ in range(n)]
    start = np.zeros((n, len(counts)), np.int64)
    for s, count in enumerate(counts):
        base = generator.normal(0, scale, count)
        values = [base + generator.normal(0, scale / 10, count) for _ in range(n - 1)]
        stored = [encode(v, formats[i + 1][s]) for i, v in enumerate(values)]
        merged = _merge(stored, [formats[i][s] for i in range(n)], recipes, s)
        merged = np.where(np.arange(count) % 3 == 0, base, merged)
        for i, raw in enumerate([encode(merged, formats[0][s]), *stored]):
            broken = generator.random(count) < nonfinite / n
            if nonfinite:
                wrong = np.where(broken, generator.choice([np.nan, np.inf, -np.inf], count), decode(raw, formats[i][s]))
                raw = encode(wrong, formats[i][s])  # noqa: PLW2901
            gap = np.zeros(s % 2, np.uint8)
            start[i, s] = sum(map(len, parts[i])) + len(gap)
            parts[i] += [gap, raw]
    codes = np.array([[f.code for f in row] for row in formats], np.int64)
    tensors = np.arange(len(counts))
    segments = Segments(tensors, np.array(counts, np.int64), start, codes)
    return Example(tuple(np.concatenate(p) if p else np.zeros(0, np.uint8) for p in parts), segments, recipes)


def _merge(
    stored: Sequence[npt.NDArray[np.uint8]], formats: Sequence[DType], recipes: RecipePlan, tensor: int
) -> Float64:
    """Elements dealt to the recipes in turn, float64; the first parent where there are no recipes or F64."""
    values = np.stack([decode(raw, f) for raw, f in zip(stored, formats[1:], strict=True)])
    if DType.F64 in formats or not len(recipes.arithmetic):
        return np.array(values[0])
    single = np.ascontiguousarray(values.astype(np.float32))
    out = np.empty(single.shape[1], np.float32)
    merged = np.empty(single.shape[1])
    for r in range(len(recipes.arithmetic)):
        weights = np.ascontiguousarray(recipes.weights[r, tensor])
        evaluate(recipes.arithmetic[r], single, weights, recipes.order[r], formats[0].code, out)
        merged[r :: len(recipes.arithmetic)] = out[r :: len(recipes.arithmetic)]
    return merged


def disagreement(kernel: Kernel, on: Example) -> str:
    """What `kernel` computes otherwise than the oracle on an example, in words; empty when nothing."""
    found = kernel(on.buffers, on.segments, on.recipes)
    expected = reference_kernel(on.buffers, on.segments, on.recipes)
    if not np.array_equal(found.counts, expected.counts):
        segment, column = np.argwhere(found.counts != expected.counts)[0]
        return (
            f"count {column} of segment {segment} is {found.counts[segment, column]}, "
            f"not {expected.counts[segment, column]}"
        )
    error = worst_error(found, expected)
    return "" if error <= TOLERANCE else f"sums are off by {error:.1e}"


def worst_error(found: Moments, expected: Moments) -> float:
    """Largest error of a sum relative to the root of the product of its diagonals; rows of segments."""
    n = expected.n
    worst = 0.0
    for s in range(len(expected.counts)):
        root = np.sqrt(np.diag(expected[s].gram()))
        scale = np.outer(root, root)[np.triu_indices(n + 1)][:-1]
        difference = np.abs(found.sums[s] - expected.sums[s])
        jackknife = np.abs(expected.sums[s, layout(n).gram :])
        for parent in range(n - 2):  # a*a, a*c, c*c: against the largest of the three that |c| <= sqrt(a * vv) allows
            jackknife[3 * parent : 3 * parent + 3] = jackknife[3 * parent : 3 * parent + 3].max()
        scale = np.append(scale, jackknife)
        if not np.isfinite(difference).all():
            return float("inf")
        worst = max(worst, float((difference[scale > 0] / scale[scale > 0]).max(initial=0.0)))
        if (difference[scale == 0] != 0).any():
            return float("inf")
    return worst


def quick_example() -> Example:
    """Three bf16 checkpoints, several runs, some non-finite values, the two float32 arithmetics."""
    return example(
        [9000, 4096, 65], [[DType.BF16] * 3] * 3, [Arithmetic.FLOAT32, Arithmetic.FLOAT32_FUSED], nonfinite=0.001
    )
