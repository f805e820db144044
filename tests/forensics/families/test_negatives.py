"""Checkpoints that are no merge and no copy are never called one: hundreds of three kinds, through the whole pipeline.

A case is made from its number alone, so that a failure can be made again: `judge(*siblings(NUMBER)[0])`. The kinds
stand in `benchmarks/cases/`, and the calibration tries thousands.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from tests.generated import Rng, Size, apply, change, combine, model
from tests.memory import judge

FINDINGS = {"copy", "merge", "on-line"}
FORMATS = (DType.BF16, DType.BF16, DType.F16, DType.F32)
CHUNK = 20
Case = tuple[list[Weights], str]


def small(rng: Rng) -> Size:
    """A few thousand to thirty thousand parameters in two layers or three."""
    hidden = int(rng.choice([16, 24, 32]))
    layers = 3 if rng.random() < 0.2 else 2
    return Size(layers, hidden, hidden * int(rng.integers(1, 3)), int(rng.integers(20, 200)), bool(rng.random() < 0.5))


def pair(rng: Rng) -> tuple[Weights, Weights, float]:
    """A parent, its base, and how far it was trained."""
    base = model(rng, small(rng), FORMATS[int(rng.integers(4))], float(rng.choice([0.3, 1.0, 3.0])))
    size = math.exp(rng.uniform(math.log(2e-5), math.log(2e-3)))
    return apply(base, change(base, rng, size, float(rng.choice([0, 0.5, 0.95])))), base, size


def siblings(number: int) -> Case:
    """An independent finetune of the parent's base, trained 0.1 to 10 times as strongly."""
    rng = np.random.default_rng([1, number])
    parent, base, size = pair(rng)
    strength = 10 ** rng.uniform(-1, 1)
    stored = FORMATS[int(rng.integers(4))] if rng.random() < 0.3 else None
    suspect = apply(base, change(base, rng, size * strength, float(rng.choice([0, 0.5]))), stored)
    return [suspect, parent, base], f"{size:.2g} x {strength:.2g}, stored as {stored}"


def sharing(number: int) -> Case:
    """Siblings whose changes have a cosine of 0.1 to 0.9."""
    rng = np.random.default_rng([2, number])
    parent, base, size = pair(rng)
    cosine, scale = rng.uniform(0.1, 0.9), 10 ** rng.uniform(-0.7, 0.5)
    common = {name: values - base[name][0] for name, (values, _) in parent.items()}
    own = change(base, rng, size)
    return [apply(base, combine([(scale * cosine, common), (scale * math.sqrt(1 - cosine**2), own)])), parent, base], (
        f"cosine {cosine:.2f}, {scale:.2f} as far"
    )


def stages(number: int) -> Case:
    """A stage of the parent's own training, which went by a random walk for a third of the way at least."""
    rng = np.random.default_rng([3, number])
    base, noise, time = model(rng, small(rng)), rng.uniform(0.33, 1), rng.uniform(0.05, 0.97)
    drift, early, late = (change(base, rng, 5e-4, uneven=0) for _ in range(3))
    parts = [(time * math.sqrt(1 - noise**2), drift), (noise * math.sqrt(time), early)]
    more = [((1 - time) * math.sqrt(1 - noise**2), drift), (noise * math.sqrt(1 - time), late)]
    return [apply(base, combine(parts)), apply(base, combine([*parts, *more])), base], f"{noise:.2f} at {time:.2f}"


def _check(make: Callable[[int], Case], numbers: range) -> None:
    for number in numbers:
        models, about = make(number)
        found = judge(*models)
        assert found.verdict.class_ not in FINDINGS, f"{make.__name__}({number}): {about}: {found.facts}"


@pytest.mark.parametrize("first", range(0, 160, CHUNK))
def test_an_independent_sibling_is_never_called_a_merge_or_copy(first: int) -> None:
    _check(siblings, range(first, first + CHUNK))


@pytest.mark.parametrize("first", range(0, 80, CHUNK))
def test_a_sibling_with_similar_training_is_never_called_a_merge_or_copy(first: int) -> None:
    _check(sharing, range(first, first + CHUNK))


@pytest.mark.parametrize("first", range(0, 60, CHUNK))
def test_a_stage_of_the_parents_own_training_is_never_called_a_merge_or_copy(first: int) -> None:
    _check(stages, range(first, first + CHUNK))
