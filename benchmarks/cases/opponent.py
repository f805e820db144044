"""What an opposing expert tried against the verdict: innocents near a line or a copy, descendants barely changed.

Innocents may be named on a line, which asks for a look, and not be accused. Descendants that were changed as little as
goes may get another class than the true one; they may not be cleared, nor may the sentence hide how much is the same.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import WIDTH, difference, family, log_uniform
from benchmarks.cases.planting import mixture
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights
from tests.generated import Rng, apply, change, combine, distance

NAMED_ALONE = (r"a copy of P1", r"those of P1, to the precision")
WHOLE = (r"is a copy of (?!.*%)",)


def _vectors(of: Weights, rng: Rng) -> Weights:
    """The model with norms of its own."""
    return {
        name: (values, dtype)
        if values.ndim > 1
        else (store((values * (1 + 0.02 * rng.standard_normal(values.shape))).astype(np.float32), dtype), dtype)
        for name, (values, dtype) in of.items()
    }


@kind(40, "negative", "on-line", "same-origin", "inconclusive")
def sibling_at_another_rate(rng: Rng) -> Case:
    """The same training at 0.3 to 0.8 of the rate: straight, with 0.5 to 3 % of its own."""
    parent, base = family(rng, 1, 2e-4)
    own = change(base, rng, distance(parent, base) * log_uniform(rng, 5e-3, 3e-2), 0.5, 0.3)
    rate = float(rng.uniform(0.3, 0.8))
    return Case((apply(base, combine([(rate, difference(parent, base)), (1.0, own)])), parent, base), f"{rate:.2f}")


@kind(40, "negative", "on-line", "same-origin", "inconclusive")
def sibling_at_another_rate_beside_another(rng: Rng) -> Case:
    """The same with 0.1 to 3 % of its own, and a sibling among the parents of which nothing is in it."""
    parent, other, base = family(rng, 2, 2e-4)
    own = change(base, rng, distance(parent, base) * log_uniform(rng, 1e-3, 3e-2), 0.5, 0.3)
    rate = float(rng.uniform(0.3, 0.8))
    suspect = apply(base, combine([(rate, difference(parent, base)), (1.0, own)]))
    return Case((suspect, parent, other, base), f"{rate:.2f}")


@kind(40, "negative", "on-line", "same-origin", "inconclusive")
def moving_average_of_a_run(rng: Rng) -> Case:
    """An exponential average of eight stages of a random walk with a drift; its end and the base are given."""
    base = family(rng, 1, 2e-4)[-1]
    size = log_uniform(rng, 2e-4, WIDTH[1])
    drift = change(base, rng, size, 0.5, 0.0)
    stages, walked = [], combine([(0.0, drift)])
    for _ in range(8):
        walked = combine([(1.0, walked), (1 / 8, drift), (1.0, change(base, rng, size / 40, 0.5, 0.0))])
        stages.append(apply(base, walked, DType.F32))
    decay = float(rng.choice([0.5, 0.7, 0.9]))
    weights = decay ** np.arange(7, -1, -1)
    dtype = next(iter(base.values()))[1]
    averaged = mixture(
        [(float(weight / weights.sum()), stage) for weight, stage in zip(weights, stages, strict=True)], dtype
    )
    end = {name: (store(values, dtype), dtype) for name, (values, _) in stages[-1].items()}
    return Case((averaged, end, base), f"decay {decay}")


@kind(40, "limit", "merge", "on-line", "inconclusive", never=frozenset({"copy", "unrelated"}))
def adapter_at_a_part_of_its_scale(rng: Rng) -> Case:
    """An adapter merged at a half or less and whole, both rounded once: the weights of a merge with the base."""
    base = family(rng, 1, 2e-4)[-1]
    adapter = change(base, rng, log_uniform(rng, 2e-4, WIDTH[1]), 1.0, 0.3)
    scale = float(rng.choice([0.25, 0.5, 0.6]))
    return Case((apply(base, combine([(scale, adapter)])), apply(base, adapter), base), f"{scale}")


@kind(40, "negative", "on-line", "same-origin", "inconclusive")
def adapter_between_two_scales_in_float32(rng: Rng) -> Case:
    """One adapter at three scales, or the base, at a lower one and whole, in F32: exact to float32's rounding."""
    base = family(rng, 1, 2e-4, DType.F32)[-1]
    adapter = change(base, rng, log_uniform(rng, 2e-4, WIDTH[1]), 1.0, 0.3)
    low, scale = sorted(float(value) for value in rng.uniform(0, 1, 2))
    ends = (low if rng.random() < 0.5 else 0.0, float(rng.choice([1.0, 2.0])))
    models = [apply(base, combine([(at, adapter)])) if at else base for at in (scale, *ends)]
    return Case((*models,), f"{ends[0]:.2f} {scale:.2f} {ends[1]:.0f}")


@kind(40, "positive", "copy", never=ACCUSATIONS - {"copy"} | {"unrelated", "same-origin"}, unsaid=NAMED_ALONE)
def norms_of_two_on_one_base(rng: Rng) -> Case:
    """Two models that trained the norms of a public base alone: the matrices are the base's, not P1's alone."""
    base = family(rng, 1)[-1]
    return Case((_vectors(base, rng), _vectors(base, rng), base))


@kind(40, "positive", "copy", never=frozenset({"unrelated", "same-origin", "merge"}), unsaid=WHOLE)
def copy_with_a_norm_touched(rng: Rng) -> Case:
    """One norm of a copy, by a percent: norms carry no verdict, so they clear nobody."""
    parent, base = family(rng, 1)
    values, dtype = parent["model.norm.weight"]
    suspect = parent | {"model.norm.weight": (store(values * np.float32(1.02), dtype), dtype)}
    return Case((suspect, parent, base) if rng.random() < 0.5 else (suspect, parent))


@kind(40, "positive", "copy", never=frozenset({"unrelated", "same-origin", "merge"}))
def copy_with_single_elements_changed(rng: Rng) -> Case:
    """One element a matrix doubled: training, however little, changes more."""
    parent, base = family(rng, 1, 2e-4)
    suspect = {name: (values.copy(), dtype) for name, (values, dtype) in parent.items()}
    for values, _ in suspect.values():
        if values.ndim == 2:
            values[0, 0] *= 2
    return Case((suspect, parent, base) if rng.random() < 0.5 else (suspect, parent))


@kind(40, "positive", "same-origin", "inconclusive", "other-coordinates", never=frozenset({"unrelated"}))
def copy_that_was_scaled(rng: Rng) -> Case:
    """Everything by 0.5 to 2 %, rounded anew."""
    parent, base = family(rng, 1, 2e-4)
    factor = np.float32(1 + rng.uniform(0.005, 0.02))
    return Case(
        ({name: (store(values * factor, dtype), dtype) for name, (values, dtype) in parent.items()}, parent, base)
    )


@kind(40, "positive", "inconclusive", "other-coordinates", never=frozenset({"unrelated", "same-origin"}))
def copy_with_all_signs_flipped(rng: Rng) -> Case:
    """Every number negated: useless as a model, and a copy all the same."""
    parent, base = family(rng, 1, 2e-4)
    return Case(({name: (-values, dtype) for name, (values, dtype) in parent.items()}, parent, base))
