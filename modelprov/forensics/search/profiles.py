"""The same model in other coordinates: whether the sizes of rows and columns are a parent's, in whatever order.

Whoever reorders the hidden dimensions, units or heads of a model, or rotates its residual stream, changes every weight
at its place and nothing of what it computes. Sizes survive: those of columns and rows under any reordering, those of
rows under a rotation of what they read, and of columns under one of what they write. Two models that were trained apart
have sizes of their own, and however alike the distributions, sorted sizes then differ by what two samples of one
distribution differ by. Closer than that is no chance. Says that something is there, not what, and never accuses.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.plan import Int64
from modelprov.checkpoints.types import BY_TOKEN, AlignedTensor, Alignment, Component
from modelprov.forensics.estimators.binomial import tails
from modelprov.forensics.sampling.blocks import partial
from modelprov.forensics.search.sizes import OwnSizes, Sides
from modelprov.forensics.thresholds import BEYOND_CHANCE, PROFILE_ROWS, PROFILES, RARE, VARIED
from modelprov.native import native
from modelprov.recipes.tensor_groups import kind_of

if TYPE_CHECKING:
    from modelprov.forensics.search.coordinates.frame_free import FrameFree
    from modelprov.forensics.search.coordinates.head_spectra import HeadsAlike
    from modelprov.forensics.search.matrices_alike import Displaced

ELEMENTS, SHARE = 1 << 26, 0.02
"""Weights of each checkpoint that are read, in whole tensors: about 130 MB in bf16, of large models a share of all."""
INDEXED = re.compile(r"\.(?:q_proj|k_proj|qkv\w*|query\w*|key|c_attn|Wqkv|wq|wk)\.")
"""Rows that stand for positions of a rotary embedding, whose sizes follow one pattern in models that share nothing."""


@dataclass(frozen=True)
class Resemblance:
    """For each parent (1 ... k): whether it matches, and how many of the `profiles` are rarer than `RARE`.

    `by_chance` is how many that would be among independent models. `covered`: whether layers that stand elsewhere would
    have been found as well (`sizes_by_layer.py`). `heads` says the same of attention, by parent; `displaced`, of whole
    models, which matrices stand at other places; `frame_free`, where fingerprints are compared, what no coordinates
    change.
    """

    matching: tuple[bool, ...]
    rare: tuple[int, ...]
    profiles: int
    by_chance: float
    covered: bool = True
    heads: tuple[HeadsAlike, ...] = ()
    displaced: tuple[Displaced, ...] = ()
    frame_free: tuple[FrameFree | None, ...] = ()

    @property
    def tested(self) -> bool:
        """Whether enough was left that could have matched."""
        return self.profiles >= PROFILES and self.covered

    @property
    def parent(self) -> int | None:
        """The parent that matches best, or None."""
        found = [number for number, matches in enumerate(self.matching) if matches]
        return max(found, key=lambda number: self.rare[number]) + 1 if found else None


def resemblance(alignment: Alignment, chosen: Sequence[int], models: Sequence[OwnSizes]) -> Resemblance:
    """Compare the sorted sizes of rows and columns of the `chosen` matrices of the `models`, those of the alignment.

    Raises what reading raises.
    """
    each = [_sizes(model, alignment, place, chosen) for place, model in enumerate(models)]
    sizes = {
        number: {side: np.stack([sides[side] for sides in of_models]) for side in ("rows", "columns")}
        for number, *of_models in zip(chosen, *each, strict=True)
    }
    tensors = {number: alignment.tensors[number] for number in chosen}
    return resemblance_of(tensors, sizes, len(models) - 1)


def resemblance_of(
    tensors: Mapping[int, AlignedTensor], sizes: Mapping[int, Mapping[str, Float64]], parents: int = 1
) -> Resemblance:
    """The same of sizes that are known, by tensor and side, float64 [1 + parents, n] each, the suspect's first."""
    found: dict[tuple[int | None, str, str], list[Float64]] = defaultdict(list)
    for number, tensor in tensors.items():
        for side, squares in sizes[number].items():
            if _speaks(tensor, side) and varied(squares, tensor.count // squares.shape[1]):
                found[tensor.layer, kind_of(tensor.name), side].append(squares)
    profiles = [np.sort(np.concatenate(parts, axis=1), axis=1) for parts in found.values()]
    profiles = [profile for profile in profiles if profile.shape[1] >= PROFILE_ROWS]
    chances = np.array([closer(p[:1], p[1:])[0] for p in profiles]).reshape(len(profiles), parents)
    matching = tuple(_beyond_chance(column) for column in chances.T)
    rare = tuple(int((column < np.log(RARE)).sum()) for column in chances.T)
    return Resemblance(matching, rare, len(profiles), RARE * len(profiles))


def closer(first: Float64, second: Float64) -> Float64:
    """Log probability that two samples of one distribution agree as closely as these, or closer, float64 [p, q].

    Of every two rows of `first` [p, n] and `second` [q, n], ascending. Ties count as far apart as they could be.
    """
    n = first.shape[1]
    found: Float64 = np.vectorize(lambda h: _staying(n, h), otypes=[np.float64])(_apart(first, second))
    return found


def _apart(first: Float64, second: Float64) -> Int64:
    """The two-sample Kolmogorov-Smirnov distance, times n, of every two rows, int64 [p, q]."""
    library = native()
    if library is not None:
        return library.apart(np.ascontiguousarray(first), np.ascontiguousarray(second))
    count = np.arange(1, first.shape[1] + 1)
    found = np.empty((len(first), len(second)), np.int64)
    for row, own in enumerate(first):
        for place, theirs in enumerate(second):
            ahead, behind = count - np.searchsorted(theirs, own), count - np.searchsorted(own, theirs)
            found[row, place] = max(ahead.max(), behind.max())
    return found


@lru_cache(maxsize=1 << 14)  # layers by layers ask for the same few
def _staying(n: int, h: int) -> float:
    """The two-sample Kolmogorov-Smirnov distance h / n from below, exact, as a log probability.

    A walk of 2 n steps that ends where it began and stays within h (the eigenvalues of a path of 2 h + 1 points).
    """
    odd = np.arange(1, 2 * h + 2, 2)
    with np.errstate(divide="ignore"):
        powers = 2 * n * np.log(np.abs(np.cos(odd * np.pi / (2 * h + 2))))
    staying = powers.max() + math.log(np.exp(powers - powers.max()).sum()) - math.log(h + 1)
    returning = math.lgamma(2 * n + 1) - 2 * math.lgamma(n + 1) - 2 * n * math.log(2)
    return float(min(staying - returning, 0.0))


def _beyond_chance(chances: Float64) -> bool:
    """Whether the rarest of the log probabilities, taken two or more together, are rarer than chance makes them."""
    return bool((tails(np.sort(chances))[1:] < BEYOND_CHANCE).any())


def choose(alignment: Alignment, seed: int, budget: int | None = None) -> list[int]:
    """Whole matrices up to a budget: layers in a seeded order, each with half of it at most, telling kinds first.

    With fingerprints among the checkpoints those matrices of which all of them hold the sizes.
    """
    if partial(alignment.checkpoints):
        return [number for number, tensor in enumerate(alignment.tensors) if _held(alignment, tensor)]
    by_layer: dict[int | None, list[int]] = defaultdict(list)
    for number, tensor in enumerate(alignment.tensors):
        if tensor.decisive and len(tensor.shape) == 2:
            by_layer[tensor.layer].append(number)
    layers = sorted(layer for layer in by_layer if layer is not None)
    order: list[int | None] = [layers[place] for place in np.random.default_rng(seed).permutation(len(layers))]
    if budget is None:
        budget = max(ELEMENTS, int(SHARE * sum(tensor.count for tensor in alignment.tensors)))
    chosen, left = [], budget
    for layer in [*order, None]:
        here = min(left, budget // 2)
        for number in sorted(by_layer.get(layer, ()), key=lambda number: telling(alignment.tensors[number])):
            count = alignment.tensors[number].count
            if count <= here:
                chosen.append(number)
                here, left = here - count, left - count
    return sorted(chosen)


def telling(tensor: AlignedTensor) -> tuple[int, int]:
    """Order in which matrices are read: units of the MLP first, whose sizes survive most, rotary positions last."""
    units = (Component.MLP, Component.EXPERTS, Component.SHARED_EXPERT)
    rank = 0 if tensor.component in units else 2 if INDEXED.search(tensor.name) else 1
    return rank, tensor.count


def _held(alignment: Alignment, tensor: AlignedTensor) -> bool:
    """Whether every fingerprint holds the sizes of a matrix, whole."""
    if not tensor.decisive or len(tensor.shape) != 2:
        return False
    held = [each.fingerprint.sizes for each in alignment.checkpoints if each.fingerprint is not None]
    sides = (("rows", tensor.shape[0]), ("columns", tensor.shape[1]))
    return all(len(sizes.get((tensor.name, side), ())) == count for sizes in held for side, count in sides)


def _sizes(model: OwnSizes, alignment: Alignment, place: int, chosen: Sequence[int]) -> list[Sides]:
    """The sizes of the chosen tensors, of a fingerprint those that it holds."""
    fingerprint = model.checkpoint.fingerprint
    if fingerprint is None:
        return model.of(alignment, place, chosen)
    names = [alignment.tensors[number].name for number in chosen]
    return [{side: fingerprint.sizes[name, side] for side in ("rows", "columns")} for name in names]


def _speaks(tensor: AlignedTensor, side: str) -> bool:
    """Whether the sizes of this side are each model's own: not those of tokens or of rotary positions."""
    return side == "columns" or not (tensor.component in BY_TOKEN or INDEXED.search(tensor.name))


def varied(squares: Float64, summed: int) -> bool:
    """Whether sizes [k, n], of `summed` weights each, vary as those of independent weights do, in every checkpoint."""
    mean = squares.mean(axis=1)
    return bool((mean > 0).all() and (squares.std(axis=1) >= VARIED * np.sqrt(2 / summed) * mean).all())
