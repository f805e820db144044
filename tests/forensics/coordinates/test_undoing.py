"""What is undone: a parent's view holds the suspect's bits, in every disguise that keeps them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases.side_by_side import stored_transposed
from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.layouts.realigned import parent_view, suspect_view
from modelprov.checkpoints.types import Checkpoint
from modelprov.demo.writing import Weights
from modelprov.forensics.search.coordinates.kinship import kinship
from modelprov.forensics.search.coordinates.undoing import Undone, undo
from tests.forensics.coordinates.family import (
    KEEPING_BITS,
    OF_EXPERTS,
    ROUNDED,
    STRUCTURE,
    decoder,
    family,
    made,
)
from tests.generated import merge


def undone(suspect: Weights, parent: Weights) -> Undone:
    own, theirs = decoder("S", suspect), decoder("P", parent)
    found = kinship(own, theirs, seed=0)
    assert found is not None
    return undo(found, own, theirs, seed=0)


def views(suspect: Weights, parent: Weights, found: Undone) -> tuple[Checkpoint, Checkpoint]:
    own, theirs = decoder("S", suspect), decoder("P", parent)
    return (
        suspect_view(own.checkpoint, own.held, found.realignment),
        parent_view(theirs.checkpoint, theirs.held, found.realignment),
    )


def raw(checkpoint: Checkpoint, name: str) -> bytes:
    ref = checkpoint.tensors[name]
    out = bytearray(ref.stop - ref.start)
    checkpoint.source.read_into(ref.shard, ref.start, memoryview(out))
    return bytes(out)


def values_of(checkpoint: Checkpoint, name: str) -> np.ndarray:
    return decode(np.frombuffer(raw(checkpoint, name), np.uint8), checkpoint.tensors[name].dtype)


def share_of_equal_bits(first: Checkpoint, second: Checkpoint) -> float:
    assert set(first.tensors) == set(second.tensors)
    equal = total = 0
    for name, ref in first.tensors.items():
        one, other = (np.frombuffer(raw(checkpoint, name), np.uint16) for checkpoint in (first, second))
        equal, total = equal + int((one == other).sum()), total + ref.count
    return equal / total


@pytest.mark.parametrize("name", KEEPING_BITS)
def test_every_bit_of_a_merge_comes_back_through_an_order_found_from_its_base(name: str) -> None:
    mixed = merge([family().first, family().second], [0.6, 0.4])
    suspect = made(name, KEEPING_BITS, mixed)
    found = undone(suspect, family().base)
    assert found.realignment.exact
    assert len(found.realignment.tensors) == len(suspect)
    assert share_of_equal_bits(*views(suspect, mixed, found)) == 1.0


@pytest.mark.parametrize("name", ["experts reordered", "experts removed", "all orders"])
def test_every_bit_of_experts_in_another_order_comes_back(name: str) -> None:
    suspect = made(name, OF_EXPERTS, family(True).first)
    found = undone(suspect, family(True).base)
    assert share_of_equal_bits(*views(suspect, family(True).first, found)) == 1.0


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("width pruned", {0: 0, 1: 1, 2: 2, 3: 3}),
        ("layers pruned", {0: 0, 1: 2, 2: 3}),
        ("layers reordered", {0: 0, 1: 2, 2: 1, 3: 3}),
        ("depth upscaled", {0: 0, 1: 1, 2: 2, 3: 1, 4: 2, 5: 3}),
        ("upscaled and permuted", {0: 0, 1: 1, 2: 2, 3: 1, 4: 2, 5: 3}),
        ("vocabulary cut", {0: 0, 1: 1, 2: 2, 3: 3}),
    ],
)
def test_structure_is_undone_bit_for_bit(name: str, layers: dict[int, int]) -> None:
    suspect = made(name, STRUCTURE, family().first)
    found = undone(suspect, family().base)
    assert found.realignment.layers == layers
    own, theirs = views(suspect, family().first, found)
    assert set(own.tensors) == set(suspect)
    assert share_of_equal_bits(own, theirs) == 1.0


def test_rows_that_the_parent_has_not_are_left_out() -> None:
    suspect = made("vocabulary extended", STRUCTURE, family().first)
    own, theirs = views(suspect, family().first, undone(suspect, family().base))
    assert own.tensors["model.embed_tokens.weight"].shape == (256, 64)
    assert share_of_equal_bits(own, theirs) == 1.0


def test_experts_copied_from_an_mlp_are_seen_as_it() -> None:
    suspect = made("upcycled", STRUCTURE, family().first)
    found = undone(suspect, family().base)
    pairs = {tensor.name: tensor.parent for tensor in found.realignment.tensors}
    place = "model.layers.1.mlp."
    assert {pairs[f"{place}experts.{number}.up_proj.weight"] for number in range(4)} == {f"{place}up_proj.weight"}


def test_a_rotation_is_undone_to_its_rounding_and_never_called_exact() -> None:
    suspect = made("rotated", OF_EXPERTS, family(True).first)
    found = undone(suspect, family(True).base)
    assert not found.realignment.exact
    own, theirs = views(suspect, family(True).first, found)
    for name, ref in own.tensors.items():
        first, second = values_of(own, name), values_of(theirs, name)
        assert np.linalg.norm(first - second) < 0.01 * np.linalg.norm(first), (name, ref)


def test_any_range_of_a_view_holds_the_bytes_of_the_whole() -> None:
    suspect = made("everything", {**OF_EXPERTS, "everything": OF_EXPERTS["rotated"]}, family(True).first)
    for one in views(suspect, family(True).first, undone(suspect, family(True).base)):
        size = one.source.size(0)
        whole = bytearray(size)
        one.source.read_into(0, 0, memoryview(whole))
        rng = np.random.default_rng(2)
        ranges = [(0, start, min(size, start + 9_001)) for start in rng.integers(0, size, 20).tolist()]
        for number, piece in one.source.read_ranges(ranges):
            assert bytes(piece) == bytes(whole[ranges[number][1] : ranges[number][2]])


def test_layers_of_a_stranger_are_not_paired() -> None:
    found = undone(family().stranger, family().base)
    assert not found.realignment.layers
    assert not any("layers" in tensor.name for tensor in found.realignment.tensors)


@pytest.mark.parametrize("name", KEEPING_BITS)
def test_mlps_that_are_stored_transposed_are_undone_bit_for_bit(name: str) -> None:
    suspect, parent, base = (
        stored_transposed(model) for model in (made(name, KEEPING_BITS, family().first), family().first, family().base)
    )
    found = undone(suspect, base)
    assert found.realignment.layers == {0: 0, 1: 1, 2: 2, 3: 3}
    own, theirs = views(suspect, parent, found)
    assert set(own.tensors) == set(suspect)
    assert share_of_equal_bits(own, theirs) == 1.0


def test_gains_that_cannot_be_folded_into_transposed_rows_leave_these_out() -> None:
    suspect, base = (
        stored_transposed(model) for model in (made("scaled anyhow", ROUNDED, family().first), family().base)
    )
    left_out = set(suspect) - {tensor.name for tensor in undone(suspect, base).realignment.tensors}
    assert {name for name in left_out if "c_fc" in name} == {
        f"model.layers.{layer}.mlp.c_fc.weight" for layer in range(4)
    }
