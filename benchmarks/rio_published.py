"""Do the published figures of the Rio 3.5 case need more than one mixing coefficient? A simulation of bf16 rounding.

Run: `python benchmarks/rio_published.py`. The published points (cosine, least-squares alpha) are facts from
`benchmarks/data/published_figures.json`; everything else is simulated, nothing here measures the real weights.
Model: base ~ N(0, 0.02) in bf16, parent = bf16(base + N(0, s)), suspect = bf16(alpha parent + (1 - alpha) base) in
float32 with one rounding. The distance s is swept; it alone moves cosine and least-squares alpha along one curve.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, Float64, round_to

DATA = Path(__file__).parent / "data" / "published_figures.json"
ELEMENTS = 400_000
SEED = 20261101
TABLE = (("router", 59), ("router", 0), ("router", 45), ("router", 30), ("router", 15))
"""The five points of the first table in `docs/method.md`, from the closest to the coarsest."""


@dataclass(frozen=True)
class Point:
    """One published pair."""

    tensor: str
    layer: int
    cosine: float
    alpha: float


def published_points() -> tuple[Point, ...]:
    """Read the published range reads that have a cosine."""
    reads = json.loads(DATA.read_text())["weights"]["range_reads"]
    return tuple(Point(r["tensor"], r["layer"], r["cos"], r["alpha"]) for r in reads if "cos" in r)


def merge_float32(alpha: float, parent: Float64, base: Float64) -> Float64:
    """Merge as float32 with one final rounding to bf16."""
    weight = np.float32(alpha)
    mixed = weight * parent.astype(np.float32) + (np.float32(1) - weight) * base.astype(np.float32)
    return round_to(mixed.astype(np.float64), DType.BF16)


def simulate(
    alphas: Sequence[float], spread: float, seed: int = SEED, elements: int = ELEMENTS, mean: float = 0.0
) -> list[tuple[float, float]]:
    """Simulate the (cosine, least-squares alpha) that exact merges show; `mean` 1 gives norm weights."""
    rng = np.random.default_rng(seed)
    base = round_to(mean + rng.normal(0, 0.02, elements), DType.BF16)
    parent = round_to(base + rng.normal(0, spread, elements), DType.BF16)
    u = parent - base
    uu, shown = float(u @ u), []
    for alpha in alphas:
        v = merge_float32(alpha, parent, base) - base
        uv, vv = float(u @ v), float(v @ v)
        shown.append((uv / math.sqrt(uu * vv), uv / uu))
    return shown


def alphas_at(
    points: tuple[Point, ...], alphas: Sequence[float], seed: int = SEED, elements: int = ELEMENTS
) -> Float64:
    """Give the least-squares alpha shown at each published cosine (columns) by each true alpha (rows)."""
    swept = np.array([simulate(alphas, s, seed, elements) for s in np.geomspace(1.2e-4, 1.6e-3, 18)])
    cosines = [p.cosine for p in points]
    rows = []
    for one in swept.transpose(1, 2, 0):
        order = np.argsort(one[0])
        rows.append(np.interp(cosines, one[0][order], one[1][order]))
    return np.array(rows)


def rms_error(points: tuple[Point, ...], simulated: Float64) -> float:
    """Root mean square of simulated minus published alphas."""
    return float(np.sqrt(np.mean((simulated - np.array([p.alpha for p in points])) ** 2)))


def table_points() -> tuple[Point, ...]:
    """Pick the five points of the table."""
    found = {(p.tensor, p.layer): p for p in published_points()}
    return tuple(found[key] for key in TABLE)


def main() -> None:
    """Print the table."""
    points, all_points = table_points(), published_points()
    print("published (cos, alpha)    " + "  ".join(f"{p.cosine:.3f},{p.alpha:.3f}" for p in points) + "   rms error")
    alphas = (0.565, 4 / 7, 0.6)
    for alpha, row in zip(alphas, alphas_at(points, alphas), strict=True):
        cells = "  ".join(f"{x:11.4f}" for x in row)
        print(f"simulated, alpha {alpha:.4f}   {cells}   {rms_error(points, row):.4f}")
    candidates = [float(a) for a in np.arange(0.555, 0.5755, 0.001)]
    rows = alphas_at((*points, *all_points), candidates)
    for what, chosen, part in (("five", points, rows[:, :5]), ("all seven", all_points, rows[:, 5:])):
        errors = [rms_error(chosen, row) for row in part]
        best = int(np.argmin(errors))
        print(f"best single alpha, {what} points: {candidates[best]:.3f} (rms error {errors[best]:.4f})")
    print("norm weights (mean 1), true alpha 0.565, published about 0.9:")
    for spread in (1e-3, 2e-3, 3e-3, 3.5e-3, 4e-3, 8e-3):
        cosine, shown = simulate([0.565], spread, mean=1.0)[0]
        print(
            f"  parents' distance {spread:.1e} ({spread / 2**-7:.2f} ulp at 1): cos {cosine:.3f}, LS alpha {shown:.3f}"
        )


if __name__ == "__main__":
    main()
