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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64, finite_or_zero
from modelprov.checkpoints.plan import plan_segments
from modelprov.checkpoints.types import AlignedTensor, Alignment, Component
from modelprov.forensics.estimators.binomial import tails
from modelprov.forensics.sampling.blocks import partial
from modelprov.forensics.sampling.segments import decoded
from modelprov.forensics.thresholds import BEYOND_CHANCE, PROFILE_ROWS, PROFILES, RARE, VARIED
from modelprov.recipes.tensor_groups import kind_of

if TYPE_CHECKING:
    from modelprov.forensics.search.coordinates.frame_free import FrameFree
    from modelprov.forensics.search.coordinates.head_spectra import HeadsAlike
    from modelprov.forensics.search.matrices_alike import Displaced

ELEMENTS, SHARE = 1 << 26, 0.02
"""Weights of each checkpoint that are read, in whole tensors: about 130 MB in bf16, of large models a share of all."""
PIECE = 1 << 20
INDEXED = re.compile(r"\.(?:q_proj|k_proj|qkv\w*|query\w*|key|c_attn|Wqkv|wq|wk)\.")
"""Rows that stand for positions of a rotary embedding, whose sizes follow one pattern in models that share nothing."""
BY_TOKEN = (Component.EMBEDDINGS, Component.HEAD)
READERS = (
    (re.compile(r"\.self_attn\.[qkv]_proj\.weight$"), ("input_layernorm.weight",)),
    (
        re.compile(r"\.mlp\.(?:gate|(?:experts\.\d+\.|shared_expert\.)?(?:gate|up)_proj)\.weight$"),
        ("pre_feedforward_layernorm.weight", "post_attention_layernorm.weight"),
    ),
    (re.compile(r"\.mlp\.(?:c_fc|fc1|fc_in)\.weight$"), ("post_attention_layernorm.weight", "ln_2.weight")),
)
"""Which norm a matrix reads from; its gains belong to the matrix, since they can be moved there."""


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


def resemblance(
    alignment: Alignment, chosen: Sequence[int], on_bytes: Callable[[int], None] = lambda _: None
) -> Resemblance:
    """Compare the sorted sizes of rows and columns of the `chosen` matrices, read whole; `on_bytes` hears of it.

    Raises what reading raises.
    """
    sizes = (_sizes_in_part if partial(alignment.checkpoints) else sizes_of)(alignment, chosen, on_bytes)
    tensors = {number: alignment.tensors[number] for number in chosen}
    return resemblance_of(tensors, sizes, len(alignment.checkpoints) - 1)


def resemblance_of(
    tensors: Mapping[int, AlignedTensor], sizes: Mapping[int, Mapping[str, Float64]], parents: int = 1
) -> Resemblance:
    """The same of sizes that are known, by tensor and side, float64 [1 + parents, n] each, the suspect's first."""
    found: dict[tuple[int | None, str, str], list[Float64]] = defaultdict(list)
    for number, tensor in tensors.items():
        for side, squares in sizes[number].items():
            if _speaks(tensor, side) and varied(squares, tensor.count // squares.shape[1]):
                found[tensor.layer, kind_of(tensor.name), side].append(squares)
    profiles = [np.concatenate(parts, axis=1) for parts in found.values()]
    profiles = [profile for profile in profiles if profile.shape[1] >= PROFILE_ROWS]
    chances = np.array([[closer(p[0], p[j]) for j in range(1, len(p))] for p in profiles]).reshape(
        len(profiles), parents
    )
    matching = tuple(_beyond_chance(column) for column in chances.T)
    rare = tuple(int((column < np.log(RARE)).sum()) for column in chances.T)
    return Resemblance(matching, rare, len(profiles), RARE * len(profiles))


def closer(first: Float64, second: Float64) -> float:
    """Log probability that two samples of one distribution, of n elements each, agree as closely as these, or closer.

    Ties count as far apart as they could be.
    """
    n = first.size
    values = np.concatenate([first, second])
    side = np.repeat([1, -1], n)
    h = max(
        int(np.abs(np.cumsum(side[np.lexsort((order, values))])).max()) for order in (side, -side)
    )  # whichever of equal ones comes first
    return _staying(n, h)


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


def _sizes_in_part(
    alignment: Alignment, chosen: Sequence[int], on_bytes: Callable[[int], None]
) -> dict[int, dict[str, Float64]]:
    """The same as `sizes_of` with fingerprints among the checkpoints: theirs are held, the others are read."""
    full = [number for number, each in enumerate(alignment.checkpoints) if each.fingerprint is None]
    tensors = tuple(each._replace(views=tuple(each.views[number] for number in full)) for each in alignment.tensors)
    checkpoints = tuple(alignment.checkpoints[number] for number in full)
    own = sizes_of(replace(alignment, checkpoints=checkpoints, tensors=tensors), chosen, on_bytes) if full else {}
    found: dict[int, dict[str, Float64]] = {}
    for number in chosen:
        rows: dict[str, list[Float64]] = {"rows": [], "columns": []}
        for place, checkpoint in enumerate(alignment.checkpoints):
            for side, values in rows.items():
                if checkpoint.fingerprint is None:
                    values.append(own[number][side][full.index(place)])
                else:
                    values.append(checkpoint.fingerprint.sizes[alignment.tensors[number].name, side])
        found[number] = {side: np.stack(values) for side, values in rows.items()}
    return found


def sizes_of(
    alignment: Alignment, chosen: Sequence[int], on_bytes: Callable[[int], None]
) -> dict[int, dict[str, Float64]]:
    """Sums of squares of rows and columns of the chosen tensors, by side, float64 [1 + k, n], suspect first."""
    by_name = {tensor.name: number for number, tensor in enumerate(alignment.tensors)}
    norms = {number: _norm_of(alignment.tensors[number], by_name) for number in chosen}
    gains = _read(alignment, sorted({norm for norm in norms.values() if norm is not None}), on_bytes)
    found: dict[int, dict[str, Float64]] = {}
    for number, first, values in _pieces(alignment, chosen, on_bytes):
        rows, columns = alignment.tensors[number].shape
        sums = found.setdefault(
            number, {side: np.zeros((len(values), n)) for side, n in (("rows", rows), ("columns", columns))}
        )
        squares = np.square(values.reshape(len(values), -1, columns))
        norm = norms[number]
        gain = None if norm is None else gains[norm]
        if gain is not None and gain.shape[1] == columns:
            squares *= np.square(gain)[:, None, :]
        start = first // columns
        if gain is not None and gain.shape[1] == rows != columns:  # stored the other way
            squares *= np.square(gain[:, start : start + squares.shape[1], None])
        sums["rows"][:, start : start + squares.shape[1]] = squares.sum(axis=2)
        sums["columns"] += squares.sum(axis=1)
    return found


def own_sizes(
    alignment: Alignment, chosen: Sequence[int], on_bytes: Callable[[int], None]
) -> dict[tuple[str, str], Float64]:
    """The same of one model alone, float64 [n], by canonical name and side."""
    found = sizes_of(alignment, chosen, on_bytes)
    return {
        (alignment.tensors[number].name, side): values[0]
        for number, sides in found.items()
        for side, values in sides.items()
    }


def _norm_of(tensor: AlignedTensor, by_name: Mapping[str, int]) -> int | None:
    """The norm that a matrix reads from, if it is one of the known names."""
    if tensor.component is Component.HEAD:
        return by_name.get("model.norm.weight")
    for reader, norms in READERS:
        if found := reader.search(tensor.name):
            block = tensor.name[: found.start() + 1]
            return next((by_name[block + norm] for norm in norms if block + norm in by_name), None)
    return None


def _read(alignment: Alignment, chosen: Sequence[int], on_bytes: Callable[[int], None]) -> dict[int, Float64]:
    """Whole vectors, float64 [1 + k, n]."""
    return {number: values for number, _, values in _pieces(alignment, chosen, on_bytes)}


def _pieces(
    alignment: Alignment, chosen: Sequence[int], on_bytes: Callable[[int], None]
) -> Iterator[tuple[int, int, Float64]]:
    """(tensor, first element, values float64 [1 + k, m]) of the chosen tensors, in whole rows; not finite is 0."""
    segments = []
    for number in chosen:
        tensor = alignment.tensors[number]
        width = tensor.shape[-1]
        step = max(1, PIECE // width) * width if len(tensor.shape) > 1 else tensor.count
        segments += [(number, first, min(step, tensor.count - first)) for first in range(0, tensor.count, step)]
    columns = np.array(segments, np.int64).reshape(-1, 3)
    plan = plan_segments(alignment, columns[:, 0], columns[:, 1], columns[:, 2], 4 * PIECE)
    for position, values in decoded(alignment.checkpoints, plan, on_bytes):
        yield int(plan.tensor[position]), int(plan.first[position]), finite_or_zero(np.stack(values))
    for checkpoint in alignment.checkpoints:
        checkpoint.source.check_unchanged()


def _speaks(tensor: AlignedTensor, side: str) -> bool:
    """Whether the sizes of this side are each model's own: not those of tokens or of rotary positions."""
    return side == "columns" or not (tensor.component in BY_TOKEN or INDEXED.search(tensor.name))


def varied(squares: Float64, summed: int) -> bool:
    """Whether sizes [k, n], of `summed` weights each, vary as those of independent weights do, in every checkpoint."""
    mean = squares.mean(axis=1)
    return bool((mean > 0).all() and (squares.std(axis=1) >= VARIED * np.sqrt(2 / summed) * mean).all())
