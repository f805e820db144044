"""The task-vector methods in passes over blocks: what has to be known of the whole tensor before any block is merged.

TIES and breadcrumbs have to know the sizes at which the share of the largest changes ends (`selection`), DARE and DELLA
how much was kept of all sizes, and each where in the sequence of random numbers an element's own one stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from modelprov.native import for_merging
from modelprov.native.functions import Native
from modelprov.recipes.methods import steps
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.combining import moved
from modelprov.recipes.methods.counting import HELD, kept_of_changes
from modelprov.recipes.methods.interface import Float32, Inputs, MergeBlock, Passes, Whole
from modelprov.recipes.methods.introsort import between, bytes_chosen, bytes_to_sort, chosen, sorter
from modelprov.recipes.methods.reused import Reused
from modelprov.recipes.methods.selection import Kept, kept
from modelprov.recipes.methods.sparsify import enlarged, enlargement, rank_chances
from modelprov.recipes.methods.steps import FLOAT64, SMALL_BLOCK, Real, Steps, base_of, based, compiled, rows_block
from modelprov.recipes.methods.torch_steps import TorchSteps
from modelprov.recipes.methods.totals import BUFFER, Sizes

NUMBERS = 1 << 24
"""Random float32 numbers between 0 and 1 that there are."""
_OWN = Reused()
Thin = Callable[[int, Inputs], tuple[Real, "list[Real] | Real"]]
"""Place of a block's first element and the block: its base, and what is kept of every task vector, 0 elsewhere."""


@dataclass(frozen=True)
class Look:
    """How a sparsifier looks at a whole tensor; the fields are those of `Passes`."""

    block: Callable[[Inputs], int]
    thinner: Callable[[Whole, Steps], Thin]
    held: Callable[[Inputs, int], int] = lambda _about, _count: 0
    kept: Callable[[Inputs, int], int] = lambda _about, _count: 0


def in_passes(look: Look, vote: bool) -> Passes:
    """The passes of a method whose sparsifier looks so."""

    def looked(whole: Whole) -> MergeBlock:
        step = steps_of(whole.about)
        thin = look.thinner(whole, step)

        def merge_block(first: int, inputs: Inputs) -> Float32:
            base, deltas = thin(first, inputs)
            return moved(base, deltas, inputs, vote, step, _OWN.array("moved", len(base)))

        return merge_block

    return Passes(look.block, looked, look.held, look.kept)


def keeps_nothing(inputs: Inputs, model: dict[str, Any], count: int) -> bool:
    """Whether breadcrumbs keep nothing, as measured in mergekit 0.1.4 where no outlier is to be dropped."""
    return inputs.arithmetic == "mergekit-0.1.4" and model["density"] < 1 and int(model["gamma"] * count) == 0


def _deltas(inputs: Inputs, step: Steps) -> tuple[list[Real], Real]:
    tensors, base = based(inputs, step)
    return [step(tensor - base) for tensor in tensors], base


def _largest(whole: Whole, step: Steps) -> Thin:
    """Between the largest share `gamma` (0 without one) and the share `density` after it."""
    library = sorter(step)
    return _counted(whole, step) if library is None else _sorted(whole, step, library)


def _shares(about: Inputs, number: int, count: int) -> tuple[int, int]:
    """Of how many changes of a model the largest are dropped, and how many are kept then."""
    model = about.models[number]
    if "gamma" in model and keeps_nothing(about, model, count):
        return 0, 0
    dropped = int(float(model["gamma"]) * count) if "gamma" in model and model["density"] < 1 else 0
    return dropped, int(float(model["density"]) * count)


def _counted(whole: Whole, step: Steps) -> Thin:
    """By the sizes at which the shares end; of equal ones the earlier are taken first."""
    wanted: list[tuple[int, int]] = []
    for number in range(len(whole.about.models)):
        dropped, share = _shares(whole.about, number, whole.count)
        wanted += [(number, dropped), (number, dropped + share)]
    library = for_merging() if step.working is np.float32 else None

    def columns() -> Iterator[list[Real]]:
        for _, block in whole.blocks(0):
            yield [np.abs(delta) for delta in _deltas(block, step)[0]]

    found: list[Kept] = (
        kept(columns, wanted, whole.count, step) if library is None else kept_of_changes(library, whole, wanted, step)
    )

    def thin(first: int, block: Inputs) -> tuple[Real, list[Real] | Real]:
        if library is not None:
            base, rows = base_of(block), _rows(block)
            for number, tensor in enumerate(block.tensors):
                outliers, inside = found[2 * number : 2 * number + 2]
                cuts, last = (inside.cut, outliers.cut), (inside.last, outliers.last)
                library.thin(tensor, base, step.dtype.code, first, cuts, last, rows[number])
            return base, rows
        deltas, rounded = _deltas(block, step)
        return rounded, [_between(delta, first, found[2 * n], found[2 * n + 1], step) for n, delta in enumerate(deltas)]

    return thin


def _between(delta: Real, first: int, outliers: Kept, inside: Kept, step: Steps) -> Real:
    """What lies between the largest and the smallest of a block's task vector."""
    if compiled(step, len(delta)):
        from modelprov.recipes.methods.loops import fill_between

        out: Real = np.empty(len(delta), np.float32)
        fill_between(delta, first, (inside.cut, inside.last), (outliers.cut, outliers.last), out)
        return out
    sizes = np.abs(delta)
    return step(np.where(inside.mask(sizes, first) & ~outliers.mask(sizes, first), delta, 0))


def _sorted(whole: Whole, step: Steps, library: Native) -> Thin:
    """By the places that the program's sort gives them."""
    about, count = whole.about, whole.count
    ascending = "gamma" in about.models[0]
    wanted: list[tuple[int, int]] = []
    for number in range(len(about.models)):
        dropped, share = _shares(about, number, count)
        wanted.append(between(count, dropped, share) if ascending else (0, share))
    found = chosen(library, whole, step, wanted, not ascending)

    def thin(first: int, block: Inputs) -> tuple[Real, list[Real] | Real]:
        base, rows = base_of(block), _rows(block)
        for row, tensor, one in zip(rows, block.tensors, found, strict=True):
            one.thin(library, tensor, base, step, first, row)
        return base, rows

    return thin


def _rows(block: Inputs) -> Real:
    return _OWN.array("thinned", len(block.tensors), len(block.tensors[0]))


def _thinned_by_chance(whole: Whole, step: Steps) -> Thin:
    """Random masks; with `rescale`, what is kept is enlarged to the sizes of all."""
    about = whole.about
    random = [float(model["density"]) < 1 for model in about.models]
    drawn_before = [whole.count * sum(random[:number]) for number in range(len(random))]
    library = _drawing(about, step)
    if library is not None:
        return _by_chance_in_c(library, whole, step, drawn_before)

    def masked(number: int, first: int, delta: Real) -> Real:
        if not random[number]:
            return step(delta)
        model = about.models[number]
        chance: Any = np.float32(model["density"])
        if "epsilon" in model:
            chance = rank_chances(delta, about.shape, model["density"], model["epsilon"])
        drawn = numbers_from(about.rng, drawn_before[number] + first, len(delta))
        return step(np.where(drawn < chance, delta, 0))

    def thin(first: int, block: Inputs, sums: Sequence[tuple[float, float]] = ()) -> tuple[Real, list[Real] | Real]:
        deltas, base = _deltas(block, step)
        rows = [masked(number, first, delta) for number, delta in enumerate(deltas)]
        return base, [enlarged(row, *sums[n], step) for n, row in enumerate(rows)] if sums else rows

    if not about.options.get("rescale", True):
        return thin
    before, after = ([Sizes() for _ in random] for _ in range(2))
    for first, block in whole.blocks(0):
        for number, delta in enumerate(_deltas(block, step)[0]):
            before[number].add(delta)
            after[number].add(masked(number, first, delta))
    sums = [(old.result(), new.result()) for old, new in zip(before, after, strict=True)]
    return lambda first, block: thin(first, block, sums)


def _by_chance_in_c(library: Native, whole: Whole, step: Steps, drawn_before: list[int]) -> Thin:
    """The same to the same bits, where chances do not depend on ranks."""
    about = whole.about
    generator = halves_of(about.rng)
    least = [math.ceil(min(float(np.float32(model["density"])), 1.0) * NUMBERS) for model in about.models]
    factors = [1.0 for _ in least]

    def drawn(number: int, first: int) -> tuple[npt.NDArray[np.uint64], int, int]:
        return generator, drawn_before[number] + first, least[number]

    if about.options.get("rescale", True):
        sums = [(Sizes(), Sizes()) for _ in least]

        def summed(first: int, block: Inputs) -> npt.NDArray[np.float64]:
            base = base_of(block)
            found = np.empty((len(block.tensors), -(-len(base) // BUFFER), 2), np.float64)
            for number, (tensor, own) in enumerate(zip(block.tensors, found, strict=True)):
                library.sizes_by_chance(tensor, base, step.dtype.code, drawn(number, first), own)
            return found

        def add(found: npt.NDArray[np.float64]) -> None:
            for pair, own in zip(sums, found, strict=True):
                for each, column in zip(pair, own.T, strict=True):
                    each.add_sums(column)

        whole.each(summed, add)
        factors = [enlargement(before.result(), after.result()) for before, after in sums]

    def thin(first: int, block: Inputs) -> tuple[Real, list[Real] | Real]:
        base, rows = base_of(block), _rows(block)
        for number, (row, tensor) in enumerate(zip(rows, block.tensors, strict=True)):
            library.thin_by_chance(tensor, base, step.dtype.code, drawn(number, first), factors[number], row)
        return base, rows

    return thin


def _drawing(about: Inputs, step: Steps) -> Native | None:
    """The library, where it draws the numbers and one chance is that of all elements of a model."""
    return for_merging() if step.working is np.float32 and "epsilon" not in about.models[0] else None


def halves_of(rng: np.random.Generator | None) -> npt.NDArray[np.uint64]:
    """The state and the increment of a PCG64 that has given nothing yet: uint64 [4], the high halves first."""
    if rng is None:
        raise ValueError("random masks without a random generator")
    held = cast("Any", rng.bit_generator.state)["state"]
    low = (1 << 64) - 1
    return np.array([half for one in (held["state"], held["inc"]) for half in (one >> 64, one & low)], np.uint64)


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
    """Without C kernels torch sorts, as no pass can: which of equal changes it puts first hangs on all of them."""
    step = steps_of(about)
    if isinstance(step, TorchSteps) and for_merging() is None:
        return 0
    return steps.BLOCK if step.working is np.float64 else min(steps.BLOCK, SMALL_BLOCK)


def _held(about: Inputs, count: int) -> int:
    """A sort holds the keys of a model, counting what is remembered of every cut."""
    step = steps_of(about)
    if sorter(step) is not None:
        return bytes_to_sort(step, count) + _kept(about, count)
    cuts = len(about.models) * (2 if "gamma" in about.models[0] else 1)
    return cuts * HELD if step.working is np.float32 else 0


def _kept(about: Inputs, count: int) -> int:
    """A bit for every element of every model, where a sort chose."""
    return len(about.models) * bytes_chosen(count) if sorter(steps_of(about)) is not None else 0


def _block_of_rows(about: Inputs) -> int:
    """Whole rows where ranks are those of a row. Sizes in float64 are added as one sum, which no blocks give."""
    if about.options.get("rescale", True) and steps_of(about) is FLOAT64:
        return 0
    if "epsilon" not in about.models[0]:
        whole_sums = max(1, min(steps.BLOCK, SMALL_BLOCK) // BUFFER) * BUFFER
        return steps.BLOCK if _drawing(about, steps_of(about)) is None else whole_sums
    return rows_block(about.shape)


by_magnitude = Look(_any_block, _largest, _held, _kept)
by_chance = Look(_block_of_rows, _thinned_by_chance)
