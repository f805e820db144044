"""What the search found, as a recipe: read back from its text it gives every tensor the weights that were found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.judging.found_recipe import found_recipe
from modelprov.forensics.judging.sections import _candidate
from modelprov.forensics.sampling.scout import Strata
from modelprov.forensics.search.weighted_sum import WeightedSum
from modelprov.merge.checking import check_recipe
from modelprov.merge.groups import weighted_groups
from modelprov.recipes.arithmetics import DESCRIPTIONS, Arithmetic
from modelprov.recipes.reading import parse

KINDS = ["norm.weight", "mlp.weight", "a name; with (layers 3)", '"quoted"', "all tensors"]
PLACES = ["x/nex", "nex", "base"]
STRATA = st.lists(
    st.tuples(st.none() | st.integers(0, 4), st.sampled_from(KINDS)), min_size=1, max_size=12, unique=True
)
SHARES = st.sampled_from([0.0, 0.25, 0.565, 1.0])


def table_of(count: int, dtype: DType = DType.BF16) -> Any:
    """Just what is asked of a table: labels, and tensors with names, sizes and formats."""
    tensors = [SimpleNamespace(name=f"t{number}", count=number + 1) for number in range(count)]
    labels, sizes = ("suspect", "x-nex", "nex", "base"), np.arange(1, count + 1)
    return SimpleNamespace(labels=labels, tensors=tensors, formats=(dtype,) * count, sizes=sizes)


@given(STRATA, st.data(), st.sampled_from(list(Arithmetic)), st.permutations([0, 1, 2]))
def test_every_tensor_has_the_weights_that_were_found(
    places: list[tuple[int | None, str]], data: st.DataObject, arithmetic: Arithmetic, order: list[int]
) -> None:
    strata = Strata(
        np.arange(len(places)),
        tuple(map(str, places)),
        tuple(layer for layer, _ in places),
        tuple(kind for _, kind in places),
    )
    shares = data.draw(st.lists(st.tuples(SHARES, SHARES), min_size=len(places), max_size=len(places)))
    found = WeightedSum(arithmetic, tuple(order), np.array([[a, b, 2 - a - b] for a, b in shares]))
    table = table_of(len(places))
    best = _candidate(found, strata, table, 1.0, 10)
    recipe = found_recipe(found, best, table, PLACES)
    assert parse(recipe.as_yaml()) == recipe
    assert check_recipe(recipe)[1] == DESCRIPTIONS[arithmetic].name
    order_of_models = [one.model for one in recipe.models]
    assert order_of_models == [PLACES[parent] for parent in order]
    groups = weighted_groups(recipe.modelprov.groups, order_of_models)
    usual = tuple(one.parameters["weight"] for one in recipe.models)
    for (layer, kind), row in zip(places, found.weights, strict=True):
        covering = [group.weights for group in groups if group.tensors.covers(layer, kind)] or [usual]
        assert covering == [tuple(row[list(order)])]


def test_a_format_that_no_merge_makes_is_written_and_refused_when_it_is_planned() -> None:
    strata = Strata(np.array([0]), ("a",), (None,), ("a",))
    found = WeightedSum(Arithmetic.FLOAT64, (0, 1, 2), np.array([[0.5, 0.25, 0.25]]))
    table = table_of(1, DType.F64)
    recipe = found_recipe(found, _candidate(found, strata, table, 0.5, 10), table, PLACES)
    assert parse(recipe.as_yaml()) == recipe
    with pytest.raises(Exception, match="out_dtype 'float64' is not a format that can be merged"):
        check_recipe(recipe)
