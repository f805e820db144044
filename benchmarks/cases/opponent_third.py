"""What a third opposing expert tried: siblings of one training that look as if chance had thinned a parent's change."""

from __future__ import annotations

import numpy as np

from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import difference, family, log_uniform
from tests.generated import Change, Rng, apply, change, distance

OPEN = ("inconclusive", "same-origin", "on-line")


@kind(40, "negative", *OPEN, never=ACCUSATIONS)
def part_of_a_training_at_another_rate(rng: Rng) -> Case:
    """The parent's training at 0.3 to 1.5 of its rate, of a random part of the weights, with 0.1 to 3 % of its own.

    Its own is as large everywhere, or in proportion to each change.
    """
    parent, base = family(rng, 1, 2e-4)
    rate, share, noise = float(rng.uniform(0.3, 1.5)), float(rng.uniform(0.2, 0.8)), log_uniform(rng, 1e-3, 3e-2)
    alike = rng.random() < 0.5
    trained: Change = {}
    own = change(base, rng, distance(parent, base) * noise, 0.5, 0.0)
    for name, values in difference(parent, base).items():
        beside = own[name] if alike else rate * noise * values * rng.standard_normal(values.shape)
        kept = rng.random(values.shape) < share
        trained[name] = np.where(kept, rate * values + beside, 0).astype(np.float32)
    about = f"{rate:.2f} of {share:.2f}, {noise:.4f} {'alike' if alike else 'in proportion'}"
    return Case((apply(base, trained), parent, base), about)


@kind(40, "negative", *OPEN, never=ACCUSATIONS)
def sign_steps_at_another_rate(rng: Rng) -> Case:
    """One to four steps of signSGD or Lion at two rates, where 85 to 99 % of the signs agree: changes of few sizes."""
    base = family(rng, 1, 2e-4)[-1]
    step, count = log_uniform(rng, 5e-5, 8e-4), int(rng.integers(1, 5))
    agreeing, rate = float(rng.uniform(0.85, 0.99)), float(rng.choice([0.3, 0.5, 0.7, 1.5, 2.0]))
    signs = {name: rng.choice([-1, 1], (count, *values.shape)) for name, (values, _) in base.items()}

    def run(size: float) -> Change:
        made: Change = {}
        for name, common in signs.items():
            own = np.where(rng.random(common.shape) < agreeing, common, rng.choice([-1, 1], common.shape))
            made[name] = (size * own.sum(axis=0)).astype(np.float32)
        return made

    suspect = apply(base, run(rate * step))
    return Case((suspect, apply(base, run(step)), base), f"{count} of {step:.1g}, {agreeing:.2f}, {rate}")
