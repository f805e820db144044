"""What a kernel should return, computed a third way: torch rounds and compares, numpy adds in extended precision.

Shares nothing with the package but the meaning of the columns (`sums/moments.py`), written out by hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from modelprov.checkpoints.formats.dtypes import FORMATS, DType
from modelprov.forensics.sums.kernels.interface import RecipePlan, Segments
from modelprov.forensics.sums.kernels.self_check import Example
from modelprov.forensics.sums.moments import Moments

Float64 = npt.NDArray[np.float64]
TORCH = {DType.BF16: torch.bfloat16, DType.F16: torch.float16, DType.F32: torch.float32, DType.F64: torch.float64}
BITS = {DType.BF16: torch.int16, DType.F16: torch.int16, DType.F32: torch.int32, DType.F64: torch.int64}


def on(values: Sequence[npt.ArrayLike], dtypes: Sequence[DType], recipes: RecipePlan | None = None) -> Example:
    """Arguments of a kernel: one segment, checkpoint i holding `values[i]` (float32 or less) as `dtypes[i]`."""
    rows = [torch.from_numpy(np.array(row, np.float64)).to(TORCH[d]) for row, d in zip(values, dtypes, strict=True)]
    buffers = tuple(row.view(torch.uint8).numpy() for row in rows)
    codes = np.array([[dtype.code] for dtype in dtypes], np.int64)
    segments = Segments(np.zeros(1, np.int64), np.array([rows[0].numel()]), np.zeros_like(codes), codes)
    return Example(buffers, segments, recipes or RecipePlan.none(len(rows) - 1, 1))


def tensors(example: Example, segment: int = 0) -> list[torch.Tensor]:
    """The checkpoints' elements of one segment, in their own formats."""
    found = []
    for buffer, start, code in zip(
        example.buffers, example.segments.start[:, segment], example.segments.dtype[:, segment], strict=True
    ):
        dtype = FORMATS[code]
        raw = buffer[start : start + example.segments.count[segment] * dtype.size].copy()
        found.append(torch.from_numpy(raw).view(TORCH[dtype]))
    return found


@dataclass(frozen=True)
class Expected:
    """Counts by name, and the Gram of (deltas..., reference, ones), of one segment."""

    counts: dict[str, int]
    gram: Float64
    jackknife: list[tuple[float, float, float]]


def expected(example: Example, segment: int = 0) -> Expected:
    """Count and add one segment from its definition."""
    stored = tensors(example, segment)
    finite = torch.stack([torch.isfinite(row.double()) for row in stored]).all(0)
    blocks = [part for part in torch.split(finite, 4096) if part.any()]
    rows = [row[finite] for row in stored]
    kind = FORMATS[example.segments.dtype[0, segment]]
    same = [row.to(TORCH[kind]) for row in rows]
    bits = [row.view(BITS[kind]) for row in same]

    def below(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Whether a <= b, -0 just below +0."""
        return (a < b) | ((a == b) & (torch.signbit(a) | ~torch.signbit(b)))

    over = torch.stack([below(parent, same[0]) for parent in same[1:]]).any(0)
    under = torch.stack([below(same[0], parent) for parent in same[1:]]).any(0)
    agree = torch.stack([parent == bits[-1] for parent in bits[1:]]).all(0)
    counts = {
        "elements": int(finite.sum()),
        "nonfinite": int((~finite).sum()),
        "blocks": len(blocks),
        "all equal": int((agree & (bits[0] == bits[-1])).sum()),
        "parents agree": int(agree.sum()),
        "between": int((over & under).sum()),
    }
    for i, j in itertools.combinations(range(len(rows)), 2):
        counts[f"equal {i} {j}"] = int((bits[i] == bits[j]).sum())

    gram = np.zeros((len(rows) + 1, len(rows) + 1), np.longdouble)
    jackknife = np.zeros((len(rows) - 2, 3), np.longdouble)
    for part in np.array_split(np.arange(len(finite)), range(4096, len(finite), 4096)):
        kept = [row[part][finite[part]].double().numpy().astype(np.longdouble) for row in stored]
        z = np.array([*[row - kept[-1] for row in kept[:-1]], kept[-1], np.ones_like(kept[-1])])
        gram += z @ z.T
        for parent in range(1, len(rows) - 1):
            a, c = z[parent] @ z[parent], z[parent] @ z[0]
            jackknife[parent - 1] += (a * a, a * c, c * c)
    return Expected(counts, gram.astype(np.float64), [tuple(map(float, row)) for row in jackknife])


def named_counts(moments: Moments, segment: int = 0) -> dict[str, int]:
    """The counts of one segment under the names of `expected`, recipes left out."""
    row = moments.counts[segment].tolist()
    names = ["elements", "nonfinite", "blocks", "all equal", "parents agree", "between"]
    names += [f"equal {i} {j}" for i, j in itertools.combinations(range(moments.n), 2)]
    return dict(zip(names, row, strict=False))


def gram_error(found: Moments, exact: Float64, segment: int = 0) -> float:
    """Largest error of a Gram entry relative to the root of the product of its diagonals; infinite where that is 0."""
    root = np.sqrt(np.diag(exact))
    scale = np.outer(root, root)
    difference = np.abs(found[segment].gram() - exact)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(difference == 0, 0.0, difference / scale)
    return float(np.nan_to_num(relative, nan=np.inf).max())


def jackknife_error(found: Moments, exact: Expected, segment: int = 0) -> float:
    """Largest error of a jackknife sum relative to what Cauchy-Schwarz allows it: A*A, A*root(A*V), A*V."""
    worst, v = 0.0, exact.gram[0, 0]
    for parent, sums in enumerate(exact.jackknife, start=1):
        a = exact.gram[parent, parent]
        for value, right, scale in zip(
            found[segment].jackknife(parent), sums, (a * a, a * np.sqrt(a * v), a * v), strict=True
        ):
            if value != right:
                worst = max(worst, abs(value - right) / scale if scale else np.inf)
    return worst
