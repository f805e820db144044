"""Bases of their own inside heads: found by the spaces that no basis changes, undone, and never called exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import coordinates, heads, structure
from benchmarks.cases.coordinates import Step
from modelprov.checkpoints.layouts.alignment_file import alignment_bytes, read_alignment
from modelprov.checkpoints.layouts.realignment import Axis
from modelprov.demo.writing import Weights
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.search.coordinates.attention import attention_axes
from modelprov.forensics.search.coordinates.axes import along
from tests.forensics.coordinates.family import SHAPE, family
from tests.forensics.coordinates.test_compare import seen
from tests.forensics.coordinates.test_undoing import undone, values_of, views
from tests.generated import merge

ORDERS = (coordinates.permute_heads, coordinates.permute_residual)
WAYS: dict[str, tuple[Step, ...]] = {
    "values turned": (heads.turn_values,),
    "values mixed": (heads.mix_values,),
    "frequencies": (heads.turn_frequencies,),
    "queries turned": (heads.turn_queries,),
    "all, and orders": (
        heads.mix_values,
        heads.turn_frequencies,
        coordinates.permute_heads,
        coordinates.permute_residual,
    ),
    "all, and rotated": (heads.turn_values, heads.turn_queries, coordinates.permute_heads, coordinates.rotate_residual),
}


def put(weights: Weights, *steps: Step) -> Weights:
    arrays, rng = structure.arrays_of(weights), np.random.default_rng(9)
    for step in steps:
        arrays = step(arrays, SHAPE, rng)
    return structure.stored(arrays, weights)


@pytest.mark.parametrize("name", WAYS)
def test_a_basis_inside_heads_is_undone_to_its_rounding(name: str) -> None:
    suspect = put(family().first, *WAYS[name])
    found = undone(suspect, family().base)
    assert not found.realignment.exact
    own, theirs = views(suspect, family().first, found)
    assert {"q", "k", "v", "o"} <= {tensor.split("_proj")[0][-1] for tensor in own.tensors if "self_attn" in tensor}
    for tensor in own.tensors:
        first, second = values_of(own, tensor), values_of(theirs, tensor)
        assert np.linalg.norm(first - second) < 0.02 * np.linalg.norm(first), tensor


def test_rows_in_order_need_no_basis_and_keep_their_bits() -> None:
    found = undone(put(family().first, coordinates.permute_heads, coordinates.scale_by_powers_of_two), family().base)
    assert all(axis.blocks is None for axis in found.realignment.axes.values())
    assert found.realignment.exact


def test_a_strangers_heads_are_not_turned_into_the_parents() -> None:
    arrays, other = structure.arrays_of(family().first), structure.arrays_of(family().stranger)
    arrays |= {name: values for name, values in other.items() if "self_attn" in name}
    found = undone(structure.stored(arrays, family().first), family().base)
    assert found.realignment.layers
    assert all(axis.blocks is None for axis in found.realignment.axes.values())


def test_noise_is_no_basis() -> None:
    rng = np.random.default_rng(4)
    noisy = structure.stored(structure.noisy(structure.arrays_of(family().first), rng, 1.0), family().first)
    assert all(axis.blocks is None for axis in undone(noisy, family().base).realignment.axes.values())


def test_the_width_of_heads_is_taken_from_the_config_where_there_is_one() -> None:
    rng = np.random.default_rng(5)
    keys, queries = rng.standard_normal((32, 64), np.float32), rng.standard_normal((64, 64), np.float32)
    turned = np.zeros((32, 32), np.float32)
    for place in (slice(0, 16), slice(16, 32)):
        turned[place, place] = np.linalg.qr(rng.standard_normal((16, 16)))[0]
    both = np.zeros((64, 64), np.float32)
    for head in range(4):
        group = slice(16 * (head // 2), 16 * (head // 2) + 16)
        both[16 * head : 16 * head + 16, 16 * head : 16 * head + 16] = turned[group, group]
    sides = {"k": (turned @ keys, keys), "q": (both @ queries, queries)}
    for width in (16, None):
        axes = attention_axes(sides, width)
        assert axes["k"].blocks is not None
        assert axes["k"].blocks.shape == (2, 16, 16)
        np.testing.assert_allclose(along(axes["q"], queries), sides["q"][0], atol=1e-4)
    assert attention_axes(sides, 8)["k"].blocks is None


def test_a_merge_behind_turned_heads_gets_its_share_and_no_recipe() -> None:
    mixed = put(merge([family().first, family().second], [0.6, 0.4]), heads.turn_values, heads.turn_frequencies)
    found = seen(mixed, family().first, family().second)
    assert found.findings.verdict.class_ is VerdictClass.OTHER_COORDINATES
    assert found.findings.mixing.alpha == pytest.approx(0.6, abs=0.03)
    assert "in another basis inside each head, in 4 of 4 places" in found.findings.verdict.summary


def test_bases_of_heads_are_written_and_read(tmp_path: Path) -> None:
    written = undone(put(family().first, heads.turn_values), family().base).realignment
    (tmp_path / "it.alignment").write_bytes(alignment_bytes(written, "here", "there"))
    read = read_alignment(tmp_path / "it.alignment")
    blocks = [(axis.blocks, read.axes[key].blocks) for key, axis in written.used().items()]
    assert sum(first is not None for first, _ in blocks) == 8
    for first, second in blocks:
        assert (first is None and second is None) or np.array_equal(first, second)  # type: ignore[arg-type]


def test_blocks_mix_what_was_picked() -> None:
    axis = Axis(np.arange(2), np.array([1, 0]), blocks=np.array([[[1, 2], [3, 4]]], np.float32))
    rows = np.array([[10.0], [20.0]], np.float32)
    np.testing.assert_array_equal(along(axis, rows), [[1 * 20 + 3 * 10], [2 * 20 + 4 * 10]])
    assert not axis.exact
    assert not axis.idle


def test_what_was_not_undone_is_said() -> None:
    arrays, other = structure.arrays_of(family().first), structure.arrays_of(family().stranger)
    arrays |= {name: values for name, values in other.items() if "k_proj" in name}
    found = seen(put(structure.stored(arrays, family().first), coordinates.permute_residual), family().first)
    assert found.coordinates is not None
    assert [text.split(" matrices")[0] for text in found.coordinates.left] == ["attention: 4 of 16"]


def test_gains_folded_into_what_reads_them_are_looked_for_though_matrices_hardly_show_it() -> None:
    found = seen(put(family().first, coordinates.fold_norms), family().first)
    assert found.findings.verdict.class_ is VerdictClass.OTHER_COORDINATES
    assert found.findings.verdict.parent == "P1"


def test_any_range_of_mixed_rows_holds_the_bytes_of_the_whole() -> None:
    suspect = put(family().first, *WAYS["all, and rotated"])
    _, theirs = views(suspect, family().first, undone(suspect, family().base))
    size = theirs.source.size(0)
    whole = bytearray(size)
    theirs.source.read_into(0, 0, memoryview(whole))
    for start in np.random.default_rng(2).integers(0, size - 4_001, 20).tolist():
        part = bytearray(4_001)
        theirs.source.read_into(0, start, memoryview(part))
        assert part == whole[start : start + 4_001]
