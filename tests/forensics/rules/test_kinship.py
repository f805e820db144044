"""Rules 1 to 4 on facts made by hand: evidence at all, copies, strangers and kin; and what was compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelprov.forensics.judging.facts import Facts, PairedUnits
from modelprov.forensics.judging.relatives import akin
from modelprov.forensics.judging.verdict import decide
from modelprov.forensics.search.coordinates.head_spectra import HeadsAlike
from modelprov.forensics.search.matrices_alike import Displaced
from modelprov.forensics.thresholds import BEYOND_CHANCE
from tests.forensics.rules.facts import EXACT, REPRODUCED, SIBLING, TRAINED, outcome


def test_too_few_matrix_elements_decide_nothing_whatever_else_fits() -> None:
    assert outcome(REPRODUCED, elements=999) == ("inconclusive", "no-evidence")
    assert outcome(REPRODUCED, elements=999, identical=(1,)) == ("inconclusive", "no-evidence")


def test_weights_that_are_mostly_not_finite_or_do_not_vary_decide_nothing() -> None:
    assert outcome(REPRODUCED, finite=0.4, identical=(1,)) == ("inconclusive", "no-evidence")
    assert outcome(SIBLING, correlations=(None, None)) == ("inconclusive", "no-evidence")


def test_the_bits_of_a_parent_are_a_copy_and_with_other_norms_a_finetune() -> None:
    assert outcome(SIBLING, identical=(2,)) == ("copy", "identical")
    assert decide(replace(SIBLING, identical=(2,))).parent == 2
    assert outcome(SIBLING, identical=(2,), alike=0.99) == ("copy", "identical")


def test_a_finer_parent_too_near_to_have_been_rounded_is_no_original_unless_another_is() -> None:
    assert outcome(SIBLING, identical=(2,), beneath=(2,)) == ("inconclusive", "beneath-rounding")
    assert outcome(SIBLING, identical=(2, 1), beneath=(2,)) == ("copy", "identical")
    assert decide(replace(SIBLING, identical=(2, 1), beneath=(2,))).parent == 1


def test_a_finding_about_less_than_half_of_the_suspect_is_not_one_about_the_suspect() -> None:
    for facts in (REPRODUCED, EXACT, TRAINED, SIBLING):
        assert outcome(facts, compared_decisive=0.4) == ("inconclusive", "partial")
        assert outcome(facts, compared_decisive=0.5)[1] != "partial"
        assert outcome(facts, compared=0.4)[1] != "partial"  # norms and the like count for nothing


@pytest.mark.parametrize("facts", [replace(SIBLING, identical=(1,)), replace(SIBLING, correlations=(0.01, 0.0))])
def test_a_copy_and_an_all_clear_are_about_nearly_all_of_the_suspect(facts: Facts) -> None:
    """A public part with something new beside it is no copy, and decoys in place of the weights clear nobody."""
    for changes in ({"compared_decisive": 0.89}, {"compared": 0.89}):
        assert outcome(facts, **changes) == ("inconclusive", "partial")
    assert outcome(facts, compared=0.9, compared_decisive=0.9)[1] in ("identical", "unrelated")


def test_nobody_is_cleared_of_weights_that_are_not_numbers() -> None:
    stranger = replace(SIBLING, correlations=(0.01, 0.0))
    assert outcome(stranger, finite=0.89) == ("inconclusive", "partial")
    assert outcome(stranger, finite=0.9) == ("unrelated", "unrelated")


def test_neither_giants_nor_anything_else_hide_what_signs_bits_and_units_share() -> None:
    stranger = replace(SIBLING, correlations=(0.01, 0.02))
    assert outcome(stranger, signs=(0.0, 0.09), beyond_chance=(0.0, 0.019)) == ("unrelated", "unrelated")
    for changes in ({"signs": (0.0, 0.1)}, {"beyond_chance": (0.0, 0.02)}, {"paired": replace(UNDONE, undone=())}):
        assert outcome(stranger, **changes) == ("inconclusive", "weak-kinship")
        assert decide(replace(stranger, **changes)).parent == 2  # type: ignore[arg-type]
    few = replace(UNDONE, undone=(), kin=0, rarest=BEYOND_CHANCE)
    assert outcome(stranger, paired=few) == ("unrelated", "unrelated")
    rare = replace(few, rarest=BEYOND_CHANCE * 0.99)
    assert outcome(stranger, paired=rare) == ("inconclusive", "weak-kinship")
    assert outcome(stranger, paired=replace(rare, doubts=("C",))) == ("unrelated", "unrelated")


def test_a_few_large_numbers_that_two_models_began_with_make_no_kin() -> None:
    for facts in (SIBLING, TRAINED, EXACT, replace(SIBLING, parents=1)):
        begun = {"correlations": (0.86, 0.3), "signs": (0.24, 0.9)}
        assert outcome(facts, **begun) == ("inconclusive", "weak-kinship")
        assert not akin(replace(facts, **begun))  # type: ignore[arg-type]
        kin = replace(facts, correlations=(0.86, 0.3))
        assert outcome(facts, **begun | {"signs": (0.25, 0.0)}) == outcome(kin)
    assert outcome(REPRODUCED, correlations=(0.86, 0.3), signs=(0.2, 0.2)) == ("merge", "reproduced")


def test_changes_of_the_size_and_kind_of_rounding_are_no_all_clear() -> None:
    for facts in (SIBLING, replace(SIBLING, parents=1)):
        assert outcome(facts, proportional=(2.0, 0.01)) == ("inconclusive", "near-copy")
        assert outcome(facts, proportional=(2.1, 0.01)) == ("same-origin", "near-one-parent")
        assert outcome(facts, proportional=(1.0, 0.011)) == ("same-origin", "near-one-parent")
        assert outcome(facts) == ("same-origin", "near-one-parent")


def test_unrelated_needs_low_correlation_with_every_parent_and_in_every_tensor() -> None:
    assert outcome(SIBLING, correlations=(0.09, -0.4)) == ("unrelated", "unrelated")
    assert outcome(SIBLING, correlations=(0.09, 0.11)) == ("inconclusive", "weak-kinship")
    assert outcome(SIBLING, correlations=(0.05, 0.0), kin_tensors=0.05) == ("inconclusive", "weak-kinship")
    assert outcome(SIBLING, correlations=(0.49, 0.3)) == ("inconclusive", "weak-kinship")
    assert outcome(SIBLING, correlations=(0.5, 0.3)) == ("same-origin", "near-one-parent")


def test_there_is_no_all_clear_while_a_parent_has_the_same_sizes_in_another_order() -> None:
    stranger = replace(SIBLING, correlations=(0.01, 0.0))
    assert outcome(stranger) == ("unrelated", "unrelated")
    assert outcome(stranger, elsewhere=1) == ("inconclusive", "coordinates-open")
    assert decide(replace(stranger, elsewhere=2)).parent == 2


def test_there_is_no_all_clear_while_a_quarter_of_the_heads_are_a_parents() -> None:
    stranger = replace(SIBLING, correlations=(0.01, 0.0))
    assert outcome(stranger, heads=(HeadsAlike(), HeadsAlike(15, 64))) == ("unrelated", "unrelated")
    assert outcome(stranger, heads=(HeadsAlike(3, 4),)) == ("unrelated", "unrelated")  # a handful
    found = decide(replace(stranger, heads=(HeadsAlike(), HeadsAlike(16, 64))))
    assert (found.rule, found.parent) == ("coordinates-open", 2)


def test_there_is_no_all_clear_while_a_matrix_is_a_parents_at_another_place() -> None:
    stranger = replace(SIBLING, correlations=(0.01, 0.0))
    assert outcome(stranger, displaced=(Displaced(0, 30), Displaced(0, 30))) == ("unrelated", "unrelated")
    found = decide(replace(stranger, displaced=(Displaced(0, 30), Displaced(1, 30, "a", "b", 0.53))))
    assert (found.rule, found.parent) == ("matrices-elsewhere", 2)
    assert "1 of 30 matrices" in (found.reason or "")


UNDONE = PairedUnits(2, 512, 512, 4.0, 4, 4, 1e-200, ("64 residual dimensions in another order",))


@pytest.mark.parametrize("facts", [SIBLING, TRAINED, EXACT], ids=["sibling", "trained", "exact to rounding"])
def test_what_is_not_told_by_bits_is_told_as_other_coordinates_where_such_were_undone(facts: Facts) -> None:
    assert outcome(facts, paired=UNDONE) == ("other-coordinates", "other-coordinates")
    found = decide(replace(facts, paired=UNDONE))
    assert found.parent == 2
    assert found.reason == (
        "512 of 512 units are paired alike by their gates and by their ups, where chance gives 4, and 4 of 4 layers "
        "are related so"
    )


def test_what_was_undone_must_bring_the_weights_as_near_as_a_descendants_are() -> None:
    """Pairing brings strangers near, in small models to 0.3: units alone are then no kinship."""
    far = replace(SIBLING, correlations=(0.2, 0.49), paired=UNDONE)
    assert outcome(far) == ("inconclusive", "coordinates-open")
    assert "correlate at 0.49" in (decide(far).reason or "")
    assert outcome(far, correlations=(0.2, 0.5))[0] == "other-coordinates"
    assert outcome(far, kin_tensors=0.5)[0] == "other-coordinates"  # half of the layers another's


def test_bits_are_bits_in_other_coordinates_too() -> None:
    assert outcome(REPRODUCED, paired=UNDONE) == ("merge", "reproduced")
    assert outcome(SIBLING, identical=(2,), paired=UNDONE) == ("copy", "identical")


def test_where_undoing_lost_bits_none_are_claimed() -> None:
    lost = replace(UNDONE, exact=False)
    assert outcome(REPRODUCED, paired=lost)[0] == "other-coordinates"
    assert outcome(SIBLING, identical=(2,), paired=lost)[0] == "other-coordinates"


def test_bits_of_a_part_of_the_weights_are_no_finding_in_other_coordinates() -> None:
    assert outcome(SIBLING, identical=(2,), compared_decisive=0.89, paired=UNDONE)[0] == "other-coordinates"
    assert outcome(SIBLING, identical=(2,), compared_decisive=0.9, paired=UNDONE)[0] == "copy"
    part = replace(REPRODUCED, mixes=True, explained=0.6)
    assert outcome(part, paired=UNDONE, compared_decisive=0.9)[0] == "merge"
    assert outcome(part, paired=UNDONE, compared_decisive=0.8)[0] == "other-coordinates"


def test_units_that_were_asked_change_no_verdict_where_nothing_was_undone() -> None:
    asked = replace(UNDONE, undone=())
    for facts in (SIBLING, TRAINED, EXACT, REPRODUCED):
        assert outcome(facts, paired=asked) == outcome(facts)


def test_a_control_whose_units_agree_as_well_takes_the_finding_away_but_for_bits() -> None:
    doubted = replace(UNDONE, doubts=("C", "D"))
    assert outcome(SIBLING, paired=doubted) == ("inconclusive", "coordinates-open")
    found = decide(replace(SIBLING, paired=doubted))
    assert found.parent == 2
    assert (found.reason or "").startswith("the units of C and D agree as well")
    assert outcome(REPRODUCED, paired=doubted) == ("merge", "reproduced")
