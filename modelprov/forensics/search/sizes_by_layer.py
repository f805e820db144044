"""Sizes of rows and columns of every layer of a model against those of every layer of another. No verdict.

What `profiles.py` compares name by name, wherever the layers stand: of fingerprints, which hold some layers' sizes, and
of whole models, of which those are read. Products of two sizes are compared too, of what a unit reads with what it
writes, and of values with what reads them: factors that are moved between the two leave them as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.layouts.components import component_of, layers_of
from modelprov.checkpoints.layouts.naming import canonical_names
from modelprov.checkpoints.layouts.roles import EXPERT, text_config, unnumbered
from modelprov.checkpoints.remote.source import is_far
from modelprov.checkpoints.remote.traffic import TRAFFIC
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.engines.local import run_tasks
from modelprov.forensics.estimators.binomial import tails
from modelprov.forensics.search.profiles import INDEXED, Resemblance, closer, telling, varied
from modelprov.forensics.search.sizes import OwnSizes
from modelprov.forensics.thresholds import BEYOND_CHANCE, NEARLY_ALL, PROFILE_ROWS, PROFILES

NEAR, FAR = 1 << 29, 1 << 27
"""Elements of a whole model's matrices that are read at most, where it is on this machine and where it is not."""
UNITS = (("up_proj", "down_proj"), ("c_fc", "c_proj"), ("fc1", "fc2"), ("fc_in", "fc_out"),
         ("dense_h_to_4h", "dense_4h_to_h"))  # fmt: skip
"""What units of an MLP read with and write with."""
Sizes = Mapping[tuple[str, str], Float64]
"""Sums of squares by canonical name and side."""


@dataclass(frozen=True, eq=False)
class LayerSizes:
    """A model's text `layers`, and its profiles by kind and side, each by layer, sorted; `read` whether it is whole."""

    layers: frozenset[int]
    profiles: Mapping[tuple[str, str], Mapping[int, Float64]]
    read: bool

    def covered(self) -> frozenset[int]:
        """The layers of which enough profiles are known."""
        counts = [[layer in held for held in self.profiles.values()] for layer in self.layers]
        return frozenset(layer for layer, each in zip(self.layers, counts, strict=True) if sum(each) >= PROFILES)


@dataclass(frozen=True)
class Matched:
    """Whether layers have the sizes of another model's beyond chance; `covered` whether they would have been found.

    They would where nearly all layers of a whole model were read and the other holds some, or where both hold those of
    nearly all: of two fingerprints that hold a few, moved layers may be others.
    """

    matching: bool
    covered: bool


def with_layers(found: Resemblance, each: Sequence[Matched]) -> Resemblance:
    """What was found name by name, with what was found layer by layer, of the same parents."""
    matching = tuple(own or other.matching for own, other in zip(found.matching, each, strict=True))
    return replace(found, matching=matching, covered=all(other.covered for other in each))


def layer_sizes(checkpoint: Checkpoint, sizes: Sizes) -> LayerSizes:
    """The profiles of one model, of sizes that are known."""
    found: dict[tuple[str, str], dict[int, Float64]] = defaultdict(dict)
    whole = checkpoint.fingerprint is None  # else some experts of a layer are there, and not the same ones in all
    named = {name: component_of(name, (16, 16))[0] for name, _ in sizes if whole or not EXPERT.search(name)}
    for (name, side), values in _with_products(sizes, text_config(checkpoint.config)):
        layer, kind = named.get(name), EXPERT.sub(".experts.", unnumbered(name))
        other = sizes.get((name, "columns" if side == "rows" else "rows"))
        summed = 1 if other is None else len(other)
        spoken = side != "rows" or not INDEXED.search(kind)
        if layer is not None and spoken and len(values) >= PROFILE_ROWS and varied(values[None], summed):
            before = found[kind, side].get(layer, values[:0])  # of the layer's experts so far
            found[kind, side][layer] = np.sort(np.concatenate([before, values]))
    layers = layers_of(canonical_names(tuple(checkpoint.tensors)))
    return LayerSizes(layers, found, whole)


def _with_products(sizes: Sizes, config: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Float64]]:
    """All sizes, and products of what undoes each other's factors, under the name of what reads."""
    yield from sizes.items()
    for name in dict.fromkeys(name for name, _ in sizes):
        for reads, writes in UNITS:
            if f".{reads}." in name:
                own, theirs = _by_unit(sizes, name), _by_unit(sizes, name.replace(reads, writes), writes=True)
                if own is not None and theirs is not None and own.size == theirs.size:
                    yield (name, "units"), own * theirs
        values, columns = sizes.get((name, "rows")), sizes.get((name.replace(".v_proj.", ".o_proj."), "columns"))
        if ".v_proj." in name and values is not None and columns is not None:
            read = _by_value(columns, values.size, config)
            if read is not None:
                yield (name, "values"), values * read


def _by_unit(sizes: Sizes, name: str, *, writes: bool = False) -> Float64 | None:
    """The sizes by unit: rows of what reads and columns of what writes, or the other way where it is stored so."""
    both = sizes.get((name, "rows")), sizes.get((name, "columns"))
    if both[0] is None or both[1] is None:
        return None
    if ".c_fc." in name or ".c_proj." in name:  # in either way, by family: units are more than dimensions
        return max(both, key=len)  # type: ignore[arg-type]
    return both[writes]


def _by_value(columns: Float64, values: int, config: Mapping[str, Any]) -> Float64 | None:
    """The sizes of the output's columns, those of one value's heads added up; None where heads are not known."""
    if columns.size == values:
        return columns
    heads, hidden = config.get("num_attention_heads"), config.get("hidden_size")
    width = config.get("head_dim") or (hidden // heads if isinstance(heads, int) and isinstance(hidden, int) else None)
    if not isinstance(width, int) or width < 1 or values % width or columns.size % values:
        return None
    summed: Float64 = columns.reshape(values // width, -1, width).sum(axis=1).ravel()
    return summed


def by_layer(suspect: OwnSizes, others: Sequence[OwnSizes]) -> list[Matched]:
    """Whether the suspect's layers have the sizes of any layers of each of the others, fingerprints among them.

    Of two whole models all kinds of matrices are looked at, and an all-clear does not wait for it: of large ones too
    much would have to be read. Raises what reading raises.
    """
    fingerprints = [model.checkpoint.fingerprint for model in (suspect, *others)]
    held = [each.sizes for each in fingerprints if each is not None]
    kinds = frozenset(unnumbered(name) for sizes in held for name, _ in sizes if not EXPERT.search(name))

    def sizes_of(model: OwnSizes) -> LayerSizes:
        checkpoint = model.checkpoint
        if checkpoint.fingerprint is not None:
            return layer_sizes(checkpoint, checkpoint.fingerprint.sizes)
        chosen = _chosen(model.alignment, kinds if held else None, *_budget(checkpoint))
        return layer_sizes(checkpoint, model.by_name(chosen))

    own = sizes_of(suspect)
    found = [
        (matched(own, sizes_of(other), suspect.threads), other.checkpoint.fingerprint is not None) for other in others
    ]
    part = suspect.checkpoint.fingerprint is not None
    return [replace(each, covered=each.covered or not (part or theirs)) for each, theirs in found]


def _budget(checkpoint: Checkpoint) -> tuple[int, int | None]:
    """Elements, and bytes where there is a budget."""
    far = is_far(checkpoint.source)
    return (FAR, TRAFFIC.left()) if far else (NEAR, None)


def _chosen(alignment: Alignment, names: frozenset[str] | None, budget: int, left: int | None) -> list[int]:
    """Matrices of the kinds `names` (# for the layer), or of any, of all layers or of none; the most telling first."""
    by_kind: dict[str, list[int]] = defaultdict(list)
    for number, tensor in enumerate(alignment.tensors):
        kind = unnumbered(tensor.name)
        if tensor.decisive and len(tensor.shape) == 2 and tensor.layer is not None and (names is None or kind in names):
            by_kind[kind].append(number)
    chosen: list[int] = []
    for numbers in sorted(by_kind.values(), key=lambda numbers: telling(alignment.tensors[numbers[0]])):
        tensors = [alignment.tensors[number] for number in numbers]
        count = sum(tensor.count for tensor in tensors)
        size = sum(tensor.count * tensor.views[0].ref.dtype.size for tensor in tensors)
        if count <= budget and (left is None or size <= left):  # whoever sets a budget is told what was not looked at
            chosen += numbers
            budget, left = budget - count, None if left is None else left - size
    return sorted(chosen)


def matched(own: LayerSizes, theirs: LayerSizes, threads: int = 1) -> Matched:
    """Hold every layer of the one against every layer of the other."""
    layers, others = sorted(own.covered()), sorted(theirs.covered())
    if own.read or theirs.read:
        whole, part = (own, theirs) if own.read else (theirs, own)
        covered = len(whole.covered()) >= NEARLY_ALL * len(whole.layers) and bool(part.covered())
    else:
        covered = all(len(each.covered()) >= NEARLY_ALL * len(each.layers) for each in (own, theirs))
    chances = _chances(own, theirs, layers, others, threads)
    counts, found = np.sum(~np.isnan(chances), axis=2), np.ones((len(layers), len(others)))
    for count in set(counts.ravel().tolist()) - {0}:
        here = counts == count
        together = tails(np.sort(chances[here], axis=1)[:, :count])  # what is no number comes last
        if (together[:, 1:] * here.size < BEYOND_CHANCE).any():
            return Matched(True, covered)
        found[here] = together.min(axis=1) * count
    best = np.minimum(found.min(axis=1, initial=1.0) * max(1, len(others)), 1.0)
    with np.errstate(divide="ignore"):
        together = tails(np.log(np.sort(best)))
    return Matched(bool((together[1:] < BEYOND_CHANCE).any()), covered)


def _chances(
    own: LayerSizes, theirs: LayerSizes, layers: Sequence[int], others: Sequence[int], threads: int
) -> Float64:
    """Of every two layers how closely each kind agrees, log probabilities [a, b, kinds]; NaN where not both have it."""
    found = np.full((len(layers), len(others), len(own.profiles)), np.nan)
    kinds = list(own.profiles.items())

    def hold(number: int) -> None:
        kind, held = kinds[number]
        there = theirs.profiles.get(kind, {})
        for size in {len(values) for values in held.values()}:
            rows, columns = (
                [place for place, layer in enumerate(each) if len(of.get(layer, ())) == size]
                for each, of in ((layers, held), (others, there))
            )
            if rows and columns:
                first = np.stack([held[layers[row]] for row in rows])
                second = np.stack([there[others[column]] for column in columns])
                found[np.ix_(rows, columns, [number])] = closer(first, second)[..., None]

    run_tasks(len(kinds), lambda: hold, threads)
    return found
