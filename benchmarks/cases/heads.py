"""A basis of its own inside each head: what attention computes does not change. Exact in float64; no rounding.

A group's values may be put in any basis if the outputs that read them are put in its inverse, and queries and keys
likewise where no positions are turned into them; where positions are (rotary embeddings), the two halves of each
frequency may be turned against each other, and scaled.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.cases.coordinates import Arrays
from benchmarks.cases.decoders import HEAD_WIDTH, Decoder
from tests.generated import Rng

Float64 = npt.NDArray[np.float64]


def turn_values(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """An orthogonal basis of the values of each group."""
    return _values(arrays, shape, [_orthogonal(rng) for _ in range(shape.layers * shape.groups)])


def mix_values(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """Any basis of the values of each group, with lengths that differ by a factor of nine."""
    return _values(arrays, shape, [_mixing(rng) for _ in range(shape.layers * shape.groups)])


def turn_frequencies(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """Each frequency of a group's queries and keys turned and scaled: what rotary positions leave free."""
    half = HEAD_WIDTH // 2
    bases = []
    for _ in range(shape.layers * shape.groups):
        made = np.zeros((HEAD_WIDTH, HEAD_WIDTH))
        for pair, angle in enumerate(rng.uniform(0, 2 * np.pi, half)):
            size = float(np.exp(rng.uniform(-1, 1)))
            made[np.ix_([pair, pair + half], [pair, pair + half])] = size * np.array(
                [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            )
        bases.append(made)
    return _queries(arrays, shape, bases)


def turn_queries(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """An orthogonal basis of the queries and keys of each group: the same function without rotary positions only."""
    return _queries(arrays, shape, [_orthogonal(rng) for _ in range(shape.layers * shape.groups)])


def _values(arrays: Arrays, shape: Decoder, bases: list[Float64]) -> Arrays:
    made, per_group = dict(arrays), shape.heads // shape.groups
    for layer in range(shape.layers):
        attention, own = f"model.layers.{layer}.self_attn.", bases[layer * shape.groups : (layer + 1) * shape.groups]
        made[f"{attention}v_proj.weight"] = _blocks(own) @ made[f"{attention}v_proj.weight"]
        undone = _blocks([np.linalg.inv(basis) for basis in own for _ in range(per_group)])
        made[f"{attention}o_proj.weight"] = made[f"{attention}o_proj.weight"] @ undone
    return made


def _queries(arrays: Arrays, shape: Decoder, bases: list[Float64]) -> Arrays:
    made, per_group = dict(arrays), shape.heads // shape.groups
    for layer in range(shape.layers):
        attention, own = f"model.layers.{layer}.self_attn.", bases[layer * shape.groups : (layer + 1) * shape.groups]
        made[f"{attention}k_proj.weight"] = _blocks(own) @ made[f"{attention}k_proj.weight"]
        undone = _blocks([np.linalg.inv(basis).T for basis in own for _ in range(per_group)])
        made[f"{attention}q_proj.weight"] = undone @ made[f"{attention}q_proj.weight"]
    return made


def _blocks(bases: list[Float64]) -> Float64:
    made = np.zeros((len(bases) * HEAD_WIDTH, len(bases) * HEAD_WIDTH))
    for number, basis in enumerate(bases):
        place = slice(number * HEAD_WIDTH, (number + 1) * HEAD_WIDTH)
        made[place, place] = basis
    return made


def _orthogonal(rng: Rng) -> Float64:
    q, r = np.linalg.qr(rng.standard_normal((HEAD_WIDTH, HEAD_WIDTH)))
    return np.asarray(q * np.sign(np.diag(r)), np.float64)


def _mixing(rng: Rng) -> Float64:
    return _orthogonal(rng) * np.exp(rng.uniform(-np.log(3), np.log(3), HEAD_WIDTH)) @ _orthogonal(rng)
