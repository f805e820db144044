"""Recipes in pieces, and the simplest number in an interval."""

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprov.forensics.estimators.piecewise import TensorInterval, partition
from modelprov.forensics.estimators.simplest_number import simplest_number


def tensors(*limits):
    return [TensorInterval(f"t{i}", *one) for i, one in enumerate(limits)]


def test_tensors_whose_intervals_meet_share_a_group():
    result = partition(tensors((0.5, 0.7), (0.59, 0.61), (0.25, 0.35), (0.6, 0.9)))
    assert [g.tensors for g in result.groups] == [("t0", "t1", "t3"), ("t2",)]
    assert (result.groups[0].low, result.groups[0].high) == (0.6, 0.61)
    assert [g.value.text for g in result.groups] == ["0.6", "0.3"]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(-3, 12), st.integers(0, 6)), min_size=1, max_size=8))
def test_no_partition_has_fewer_groups_and_every_group_has_a_common_point(drawn):
    limits = [(low, low + width) for low, width in drawn]
    result = partition(tensors(*limits))
    by_name = {f"t{i}": one for i, one in enumerate(limits)}
    for group in result.groups:
        assert group.low == max(by_name[name][0] for name in group.tensors)
        assert group.high == min(by_name[name][1] for name in group.tensors)
        assert group.low <= group.value.value <= group.high
    assert sorted(name for g in result.groups for name in g.tensors) == sorted(by_name)
    ends = {high for _, high in limits}
    for size in range(1, len(result.groups)):
        for points in combinations(ends, size):
            assert not all(any(low <= p <= high for p in points) for low, high in limits)


def test_a_tensor_that_could_be_in_two_groups_joins_the_largest():
    result = partition(tensors((0.56, 0.57), (0.55, 0.58), (-0.01, 0.01), (-0.1, 0.9)))
    assert result.groups[0].tensors == ("t0", "t1", "t3")


def test_zero_and_one_are_preferred_where_as_many_groups_suffice():
    result = partition(tensors((-0.1, 0.1), (0.05, 0.2), (0.15, 0.3), (0.5, 0.5), (0.5, 0.5), (0.9, 1.3), (0.8, 1.1)))
    values = {g.tensors: g.value.text for g in result.groups}
    assert values[("t0",)] == "0"
    assert values[("t5", "t6")] == "1"
    assert len(values) == 4


def test_tensors_without_information_join_their_neighbours_and_are_marked():
    inf = float("inf")
    given_tensors = tensors((0.3, 0.3), (-inf, inf), (0.3, 0.3), (0.6, 0.6), (0.6, 0.6), (None, None), (0.6, 0.6))
    result = partition([*given_tensors, TensorInterval("few", 0.0, 0.1, 1.0, 0)])
    groups = {g.value.text: g for g in result.groups}
    assert groups["0.3"].tensors == ("t0", "t1", "t2")
    assert groups["0.3"].uninformative == ("t1",)
    assert groups["0.6"].uninformative == ("t5", "few")


def test_a_neighbour_on_either_side_that_disagrees_leaves_the_majority():
    result = partition(tensors((0.3, 0.3), (None, None), (0.6, 0.6), (0.6, 0.6)))
    assert result.groups[0].tensors == ("t1", "t2", "t3")


def test_tensors_that_no_alpha_explains_are_named():
    result = partition([*tensors((0.3, 0.3)), TensorInterval("trained", 0.1, 0.2, 0.7)])
    assert result.unexplained == ("trained",)
    assert "confines" in partition([]).reason
    assert partition(tensors((None, None))).groups == ()


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.5649997, 0.5650001, "0.565"),
        (0.3333332, 0.3333335, "1/3"),
        (0.57142853, 0.57142861, "4/7"),
        (-0.26, -0.24, "-0.25"),
        (0.9999, 1.0001, "1"),
        (0.1234567, 0.1234569, "0.1234568"),
        (1.40625, 1.40625, "45/32"),
        (float("-inf"), 0.4, "0"),
        (2.2, float("inf"), "3"),
    ],
)
def test_the_simplest_number_is_what_a_person_would_type(low, high, text):
    assert simplest_number(low, high).text == text


@given(st.floats(-10, 10), st.floats(1e-12, 2))
def test_the_simplest_number_lies_inside(low, width):
    found = simplest_number(low, low + width)
    assert Fraction(low) <= Fraction(found.text) <= Fraction(low + width)
    assert low <= found.value <= low + width


def test_an_empty_interval_has_no_number():
    assert simplest_number(1.0, 0.0) is None
    assert simplest_number(float("nan"), 0.0) is None
