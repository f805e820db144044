"""What is said of what is left beyond the parents, from bare measures: which candidate is named, and when none is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelprov.forensics.judging.beyond import describe_beyond
from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.few_bits import in_few_bits
from modelprov.forensics.results import Beyond, VerdictClass
from modelprov.forensics.search.beyond import Beyond as Measured
from modelprov.forensics.search.beyond import Left, Like


def said(
    likes: dict[str, float | None], controls: tuple[str, ...] = (), changed: int = 6, rank: int | None = None
) -> Beyond:
    """The section for six matrices of which so many changed; what is not a control is a candidate."""
    matrices = tuple(Left("mlp", layer, 1.0, 100.0, layer < changed, rank, layer < changed) for layer in range(6))
    measured = Measured(matrices, {label: Like(value, 5000, 6) for label, value in likes.items()})
    return describe_beyond(measured, [label for label in likes if label not in controls], controls, ["A", "base"])


@pytest.mark.parametrize(
    ("likes", "controls", "named"),
    [
        ({"B": 0.9, "C": 0.3}, (), ("B",)),
        ({"B": 0.69, "C": 0.0}, (), ()),
        ({"B": 0.9, "control": 0.6}, ("control",), ()),
        ({"B": 0.9, "control": -0.6}, ("control",), ()),
        ({"B": 0.9, "C": 0.85, "D": 0.1}, (), ("B", "C")),
        ({"B": 0.95, "control": 0.9}, ("control",), ()),
        ({"control": 0.9}, ("control",), ()),
        ({"B": None}, (), ()),
        ({"B": -0.95}, (), ()),
    ],
)
def test_a_candidate_is_named_only_far_beyond_all_others(
    likes: dict[str, float | None], controls: tuple[str, ...], named: tuple[str, ...]
) -> None:
    found = said(likes, controls)
    assert found.named == named
    assert ("open" in (found.words or "")) is not bool(named)


def test_where_hardly_anything_changed_nothing_is_said_unless_a_candidate_is_named() -> None:
    assert said({"B": 0.2}, changed=2).words is None
    assert said({"B": 0.2}, changed=2).reason is not None
    assert "only in B" in (said({"B": 0.9}, changed=2).words or "")


def test_a_low_rank_is_told_only_where_nearly_all_changed_matrices_have_one() -> None:
    assert said({}, rank=4).rank == 4
    assert said({}).rank is None
    assert said({}, changed=2, rank=4).rank is None


def test_nobody_is_said_to_have_trained() -> None:
    for found in (said({}), said({}, rank=4), said({"B": 0.9}), said({"B": 0.2})):
        assert "trained" not in (found.words or "")


@pytest.mark.parametrize(
    ("lattice", "kept", "apart", "stored", "rounded"),
    [
        (5, 5, 0, 5, True),  # as many kinds are kept as are rounded
        (3, 20, 0, 20, True),
        (2, 6, 0, 0, False),  # too few rounded ones
        (5, 5, 4, 5, False),  # and some that are neither
        (24, 0, 2, 0, False),  # as a near relative that kept its own embeddings
        (20, 19, 1, 19, False),
        (3, 0, 4, 0, False),
    ],
)
def test_a_rounded_copy_may_keep_kinds_of_matrices_as_they_were(
    lattice: int, kept: int, apart: int, stored: int, *, rounded: bool
) -> None:
    bare = Left("mlp", 0, 0.0, 100.0, False, None, False)
    matrices = (
        *[replace(bare, lattice="FP8", within=(1.0, 1.0), same=(False,))] * lattice,
        *[replace(bare, same=(True,))] * kept,
        *[replace(bare, same=(False,))] * apart,
    )
    found = describe_beyond(Measured(matrices, {}), [], [], ["base"])
    assert found.as_stored == stored
    near = Decision(VerdictClass.SAME_ORIGIN, "near-one-parent", parent=1)
    decision = in_few_bits(near, Facts(elements=10_000, parents=1), found, ["copy", "base"])
    assert (decision.rule == "rounded") is rounded
    assert ("neither rounded nor its own" in (decision.reason or "")) is (0 < apart <= (lattice + kept + apart) / 10)


def test_what_another_parent_kept_does_not_make_a_rounded_copy_whole() -> None:
    bare = Left("mlp", 0, 0.0, 100.0, False, None, False)
    matrices = (
        *[replace(bare, lattice="FP8", within=(1.0, 0.5, 0.5), same=(False, False))] * 5,
        *[replace(bare, same=(False, True))] * 5,
    )
    found = describe_beyond(Measured(matrices, {}), [], [], ["A", "base"])
    assert (found.same_steps, found.as_stored) == (("A",), 0)
