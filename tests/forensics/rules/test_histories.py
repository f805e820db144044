"""Every verdict lists the histories that fit, each with what would settle it; no list chooses one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.histories import FITTING, histories
from modelprov.forensics.judging.verdict import decide
from modelprov.forensics.results import VerdictClass
from tests.forensics.rules.facts import EXACT, REPRODUCED, SIBLING, TRAINED
from tests.verdict_rules import rules

LABELS = ("S", "A", "B")


def test_every_rule_has_histories_and_every_list_belongs_to_a_rule() -> None:
    assert set(FITTING) == rules()
    for rule, fitting in FITTING.items():
        assert len(fitting) > 1 or rule == "no-evidence", rule
        assert len({history for history, _ in fitting}) == len(fitting)
        assert all(settled_by for _, settled_by in fitting)


def test_names_stand_where_the_table_has_places_and_nowhere_does_a_place_stay() -> None:
    labels = ("{suspect}", "{0.__class__}", "B")
    for rule in FITTING:
        for one in histories(Decision(VerdictClass.INCONCLUSIVE, rule, 1), SIBLING, LABELS):
            assert "{" not in one.history + one.settled_by
        assert histories(Decision(VerdictClass.INCONCLUSIVE, rule), SIBLING, labels)


@pytest.mark.parametrize(
    "words",
    ["trained afterwards", "learning rate", "another scale", "SWA, EMA", "SLERP", "int8", "earlier stage", "not named"],
)
def test_a_place_on_a_line_names_every_history_that_leads_there(words: str) -> None:
    found = histories(decide(TRAINED), TRAINED, LABELS)
    assert any(words in one.history for one in found)


def test_kin_may_be_of_either_or_of_a_third() -> None:
    said = [one.history for one in histories(decide(SIBLING), SIBLING, LABELS)]
    assert {"S was trained from B", "B was trained from S"} <= set(said)
    assert any("third" in one for one in said)
    alone = replace(SIBLING, parents=1, correlations=(0.9,))
    assert "a merge of A with a model that was not named" in [
        one.history for one in histories(decide(alone), alone, ("S", "A"))
    ]


def test_a_copy_with_other_norms_may_be_a_training_of_norms() -> None:
    copied = replace(SIBLING, identical=(1,))
    touched = replace(copied, alike=0.99)
    assert [len(histories(decide(facts), facts, LABELS)) for facts in (copied, touched)] == [3, 4]


def test_a_merge_may_be_a_frame_up_and_a_part_of_one_says_what_the_rest_may_be() -> None:
    for facts in (REPRODUCED, EXACT):
        assert any("was made from S" in one.history for one in histories(decide(facts), facts, LABELS))
    part = replace(REPRODUCED, explained=0.6)
    assert any("the rest" in one.history for one in histories(decide(part), part, LABELS))


def test_a_rule_without_a_list_has_no_histories() -> None:
    assert histories(Decision(VerdictClass.OTHER_COORDINATES, "a rule to come", 1), SIBLING, LABELS) == ()
