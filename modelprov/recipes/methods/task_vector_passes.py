"""The task-vector methods in passes over blocks: what has to be known of the whole tensor before any block is merged.

TIES and breadcrumbs have to know the sizes at which the share of the largest changes ends (`selection`), DARE and DELLA
how much was kept of all sizes, and each where in the sequence of random numbers an element's own one stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np

from modelprov.recipes.methods import steps
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.combining import moved
from modelprov.recipes.methods.interface import Float32, Inputs, MergeBlock, Passes, Whole
from modelprov.recipes.methods.selection import Kept, kept
from modelprov.recipes.methods.sparsify import enlarged, rank_chances
from modelprov.recipes.methods.steps import FLOAT64, Real, Steps, based, compiled, rows_block
from modelprov.recipes.methods.torch_steps import TorchSteps
from modelprov.recipes.methods.totals import Sizes

Thin = Callable[[int, int, Real], Real]
"""Number of a model, place of the first element, elements of its task vector: what is kept of them, 0 elsewhere."""
Look = tuple[Callable[[Inputs], int], Callable[[Whole, Steps], Thin]]


def in_passes(look: Look, vote: bool) -> Passes:
    """The passes of a method whose sparsifier looks so."""
    block, thinner = look

    def looked(whole: Whole) -> MergeBlock:
        step = steps_of(whole.about)
        thin = thinner(whole, step)

        def merge_block(first: int, inputs: Inputs) -> Float32:
            deltas, base = _deltas(inputs, step)
            return moved(base, [thin(n, first, delta) for n, delta in enumerate(deltas)], inputs, vote, step)

        return merge_block

    return Passes(block, looked)


def keeps_nothing(inputs: Inputs, model: dict[str, Any], count: int) -> bool:
    """Whether breadcrumbs keep nothing, as measured in mergekit 0.1.4 where no outlier is to be dropped."""
    return inputs.arithmetic == "mergekit-0.1.4" and model["density"] < 1 and int(model["gamma"] * count) == 0


def _deltas(inputs: Inputs, step: Steps) -> tuple[list[Real], Real]:
    tensors, base = based(inputs, step)
    return [step(tensor - base) for tensor in tensors], base


def _largest(whole: Whole, step: Steps) -> Thin:
    """Between the largest share `gamma` (0 without one) and the share `density` after it."""
    count, about = whole.count, whole.about
    wanted: list[tuple[int, int]] = []
    for number, model in enumerate(about.models):
        dropped = int(float(model["gamma"]) * count) if "gamma" in model and model["density"] < 1 else 0
        share = int(float(model["density"]) * count)
        nothing = "gamma" in model and keeps_nothing(about, model, count)
        wanted += [(number, 0 if nothing else dropped), (number, 0 if nothing else dropped + share)]

    def columns() -> Iterator[list[Real]]:
        for _, block in whole.blocks():
            yield [np.abs(delta) for delta in _deltas(block, step)[0]]

    found: list[Kept] = kept(columns, wanted, count, step)

    def thin(number: int, first: int, delta: Real) -> Real:
        outliers, inside = found[2 * number : 2 * number + 2]
        if compiled(step, len(delta)):
            from modelprov.recipes.methods.loops import fill_between

            out: Real = np.empty(len(delta), np.float32)
            fill_between(delta, first, (inside.cut, inside.last), (outliers.cut, outliers.last), out)
            return out
        sizes = np.abs(delta)
        return step(np.where(inside.mask(sizes, first) & ~outliers.mask(sizes, first), delta, 0))

    return thin


def _thinned_by_chance(whole: Whole, step: Steps) -> Thin:
    """Random masks; with `rescale`, what is kept is enlarged to the sizes of all."""
    about = whole.about
    random = [float(model["density"]) < 1 for model in about.models]
    drawn_before = [whole.count * sum(random[:number]) for number in range(len(random))]

    def masked(number: int, first: int, delta: Real) -> Real:
        if not random[number]:
            return step(delta)
        model = about.models[number]
        chance: Any = np.float32(model["density"])
        if "epsilon" in model:
            chance = rank_chances(delta, about.shape, model["density"], model["epsilon"])
        drawn = numbers_from(about.rng, drawn_before[number] + first, len(delta))
        return step(np.where(drawn < chance, delta, 0))

    if not about.options.get("rescale", True):
        return masked
    before, after = ([Sizes() for _ in random] for _ in range(2))
    for first, block in whole.blocks():
        for number, delta in enumerate(_deltas(block, step)[0]):
            before[number].add(delta)
            after[number].add(masked(number, first, delta))
    sums = [(old.result(), new.result()) for old, new in zip(before, after, strict=True)]
    return lambda number, first, delta: enlarged(masked(number, first, delta), *sums[number], step)


def numbers_from(rng: np.random.Generator | None, place: int, count: int) -> Real:
    """The `count` float32 numbers that `rng` would give after `place` others; it is left as it is."""
    if rng is None:
        raise ValueError("random masks without a random generator")
    bits = np.random.PCG64()
    bits.state = cast("Any", rng.bit_generator.state)
    bits.advance(place // 2)  # two numbers of 32 bits come from each step
    generator = np.random.Generator(bits)
    if place % 2:
        generator.random(1, np.float32)
    found: Real = generator.random(count, np.float32)
    return found


def _any_block(about: Inputs) -> int:
    """Torch sorts as no pass can: which of several equally large changes it puts first hangs on all of them."""
    return 0 if isinstance(steps_of(about), TorchSteps) else steps.BLOCK


def _block_of_rows(about: Inputs) -> int:
    """Whole rows where ranks are those of a row. Sizes in float64 are added as one sum, which no blocks give."""
    if about.options.get("rescale", True) and steps_of(about) is FLOAT64:
        return 0
    if "epsilon" not in about.models[0]:
        return steps.BLOCK
    return rows_block(about.shape)


by_magnitude: Look = (_any_block, _largest)
by_chance: Look = (_block_of_rows, _thinned_by_chance)
