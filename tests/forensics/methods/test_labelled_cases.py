"""Merges of the large labelled set that were left open once: parents few steps apart, arithmetics that look alike."""

from __future__ import annotations

import pytest

from benchmarks.lineage import merged  # noqa: F401  (fills the list of sorts)
from benchmarks.lineage.sorts import Identity, made
from modelprov.forensics.thresholds import CENTRED, REPRODUCED
from tests.forensics.methods.making import search


@pytest.mark.parametrize(
    ("sort", "number"),
    [
        ("slerp", 5),  # bf16: the first tensors do not tell programs apart, and one of them misses 18 bits elsewhere
        ("slerp", 18),  # F32: the same, of a fifth of the bits, where a program takes a tensor for parallel
        ("breadcrumbs_ties", 10),  # weights of .6 and .4 that rounding allows between .595 and .599
    ],
)
def test_its_method_is_found_with_all_its_bits(sort: str, number: int) -> None:
    found = search(*made(Identity(sort, number)).models)
    assert found is not None
    assert found.made.method == sort
    assert found.bits.share >= REPRODUCED
    assert found.whole == found.tensors


def test_a_cell_moved_everywhere_is_not_taken_for_what_a_cell_moved_alone_does() -> None:
    """Of parents a few steps apart it turns the whole tensor, so that no element seemed to hang on a parent."""
    found = search(*made(Identity("model_stock", 4)).models)
    assert found is not None
    assert found.made.method == "model_stock"
    assert all(middle.told and middle.share < CENTRED for middle in found.middles)
