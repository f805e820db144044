"""What two published similarities are worth: the same figures between vectors that were drawn independently.

Run: `python -m benchmarks.lineage.published`. Nothing here measures real weights. Gains of norms: 4,096 positive
numbers around a mean, whose raw cosine is 1 / (1 + (deviation / mean) ** 2). Curves of standard deviations by layer: a
trend that both share, and noise of their own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.generated import Rng

SEED = 20261201
WIDTH, LAYERS, DRAWS = 4096, 48, 4000
Float64 = npt.NDArray[np.float64]


def cosines_of_gains(rng: Rng, spread: float) -> tuple[float, float]:
    """Raw cosine, and Pearson's correlation, of two independent vectors of gains with this relative deviation."""
    own, other = np.abs(1 + spread * rng.standard_normal((2, WIDTH)))
    raw = float(own @ other / np.sqrt((own @ own) * (other @ other)))
    return raw, float(np.corrcoef(own, other)[0, 1])


def correlations_of_curves(rng: Rng, trend: float, draws: int = DRAWS) -> Float64:
    """Of pairs of curves over the layers whose variance is by the share `trend` that of one common line."""
    line = np.linspace(-1, 1, LAYERS)
    line /= line.std()
    noise = rng.standard_normal((2, draws, LAYERS))
    curves = np.sqrt(trend) * line + np.sqrt(1 - trend) * noise
    curves -= curves.mean(-1, keepdims=True)
    curves /= np.linalg.norm(curves, axis=-1, keepdims=True)
    return np.asarray((curves[0] * curves[1]).sum(-1))


def main() -> None:
    """Print both."""
    rng = np.random.default_rng(SEED)
    print("gains of norms, independent (published as proof: cosine .989; without the mean .01)")
    for spread in (0.05, 0.1, 0.2, 0.3):
        raw, centred = cosines_of_gains(rng, spread)
        print(f"  deviation {spread:.0%} of the mean: cosine {raw:.3f}, without the mean {centred:+.3f}")
    print("standard deviations by layer, independent but for a common trend (published as proof: .927)")
    for trend in (0.5, 0.8, 0.9, 0.95):
        found = correlations_of_curves(rng, trend)
        print(f"  {trend:.0%} trend: median {np.median(found):.3f}, at least .927 in {np.mean(found >= 0.927):.1%}")


if __name__ == "__main__":
    main()
