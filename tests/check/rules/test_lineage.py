"""Rules about lineage: what contradicts, what does not, and what cannot be judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelprov.check.interface import Declared
from modelprov.check.results import Finding, NotJudged, Severity
from modelprov.check.rules import lineage as rules
from modelprov.check.rules.lineage import LINEAGE_RULES
from modelprov.check.rules.undeclared_parent import undeclared_parent
from tests.check.rules.made import NEX, QWEN, at, claims, lineage, measured, said

NOTHING = measured(lineage=None, missing={"lineage": "no candidate is here"})
UNSETTLED = measured(lineage=lineage("inconclusive", parents=(), shares={}, bit_equal=None, recipe=None))
RELATED = lineage("same-origin", parents=("qwen",), shares={}, recipe=None, bit_equal=None)


def one(outcomes: list[object]) -> Finding:
    assert len(outcomes) == 1
    assert isinstance(outcomes[0], Finding)
    return outcomes[0]


def reason(outcomes: list[object]) -> str:
    assert len(outcomes) == 1
    assert isinstance(outcomes[0], NotJudged)
    return outcomes[0].reason


def test_a_candidate_behind_a_declared_parent_is_a_warning_unless_the_parents_card_names_it() -> None:
    behind = {"nex": "without Qwen/Qwen3.5, which the card names, rio is 0.6 × nex + 0.4 × qwen"}
    hidden = measured(lineage=RELATED.model_copy(update={"behind": behind}))
    warning, open_question = undeclared_parent(claims(), hidden)
    assert isinstance(warning, Finding)
    assert warning.severity is Severity.WARNING
    assert warning.message.startswith("nex-agi/Nex-N2-Pro may stand behind the declared models: without Qwen/")
    assert "nex-agi/Nex-N2-Pro or the other way round" in reason([open_question])
    named = replace(hidden, candidates=(NEX, replace(QWEN, bases=("Nex-AGI/nex-n2-pro",))))
    assert undeclared_parent(claims(), named) == []
    twin = measured(lineage=RELATED.model_copy(update={"twins": {"nex": "Qwen/Qwen3.5"}}))
    assert one(undeclared_parent(claims(), twin)).severity is Severity.WARNING


def test_a_parent_in_the_weights_that_the_card_does_not_name_is_an_error_on_the_cards_line() -> None:
    found = one(undeclared_parent(claims(), measured()))
    assert found.rule == "MP101"
    assert found.severity is Severity.ERROR
    assert "nex-agi/Nex-N2-Pro (0.6 of the weights)" in found.message
    assert found.location == at(3)
    assert found.command == "modelprov compare rio nex qwen"


def test_a_declared_parent_is_no_finding() -> None:
    both = (replace(NEX, declared=True), QWEN)
    assert undeclared_parent(claims(), measured(candidates=both)) == []


def test_an_undeclared_relative_is_a_warning_that_says_that_time_has_no_direction_in_weights() -> None:
    kin = lineage("same-origin", parents=("nex",), shares={}, recipe=None, bit_equal=None)
    found, open_question = undeclared_parent(claims(), measured(lineage=kin))
    assert isinstance(found, Finding)
    assert found.severity is Severity.WARNING
    assert "or nex-agi/Nex-N2-Pro from them, or both from the same model" in found.message
    assert isinstance(open_question, NotJudged)  # so that a required rule does not pass


COPY = lineage("copy", parents=("nex",), shares={}, recipe=None, bit_equal=None)


def test_a_copy_under_another_name_accuses_nobody_and_does_not_pass_either() -> None:
    found, open_question = undeclared_parent(claims(), measured(lineage=COPY))
    assert isinstance(found, Finding)
    assert found.severity is Severity.WARNING
    assert "bit for bit" in found.message
    assert isinstance(open_question, NotJudged)
    assert "a copy of this" in open_question.reason
    card = claims(prose=(said("post-trained"),))
    assert "a copy of this" in reason(rules.training_claimed(card, measured(lineage=COPY)))


def test_a_copy_of_the_declared_base_contradicts_training() -> None:
    copy = COPY.model_copy(update={"parents": ("qwen",)})
    assert undeclared_parent(claims(), measured(lineage=copy)) == []
    found = one(rules.training_claimed(claims(prose=(said("post-trained"),)), measured(lineage=copy)))
    assert found.severity is Severity.ERROR


def test_a_declared_base_that_is_not_here_may_explain_an_undeclared_parent() -> None:
    gone = replace(QWEN, name="Foo/Bar", label="Bar", location=None)
    state = measured(candidates=(NEX, replace(QWEN, declared=False), gone), missing={"Bar": "it is not here"})
    assert "Foo/Bar was not compared and may explain it" in reason(undeclared_parent(claims(), state))


@pytest.mark.parametrize("controls", [(), ("sibling",)])
def test_a_place_on_a_line_is_never_an_error_whatever_the_control(controls: tuple[str, ...]) -> None:
    trained = lineage("on-line", bit_equal=None, recipe=None, controls=controls)
    found, open_question = undeclared_parent(claims(), measured(lineage=trained))
    assert isinstance(found, Finding)
    assert found.severity is Severity.WARNING
    assert isinstance(open_question, NotJudged)
    assert "a stage of one training" in open_question.reason


@pytest.mark.parametrize("rule", [rule for rule in LINEAGE_RULES if rule.id != "MP107"], ids=lambda rule: rule.id)
@pytest.mark.parametrize("verdict", ["merge", "copy", "unrelated"])
def test_no_error_rests_on_a_lineage_that_is_in_doubt(rule, verdict) -> None:  # type: ignore[no-untyped-def]
    state = measured(lineage=lineage(verdict, doubt="only a sample was read", strangers=("qwen",), parents=("nex",)))
    for relation in ("merge", "finetune"):
        everything = claims(
            relation=Declared(relation, at(4)), prose=(said("from-scratch"), said("post-trained")),
            base_models=(Declared("Qwen/Qwen3.5", at(3)), Declared("a/b", at(3))),
        )  # fmt: skip
        outcomes = rule.judge(everything, state)
        assert outcomes
        assert all(isinstance(one, NotJudged) for one in outcomes)


def test_a_merge_whose_parents_are_all_declared_may_have_been_trained_before_it() -> None:
    state = measured(candidates=(replace(NEX, declared=True), QWEN))
    found = one(rules.training_claimed(claims(prose=(said("post-trained"),)), state))
    assert found.severity is Severity.WARNING
    assert "Training before it" in found.message


def test_training_may_be_in_the_part_that_could_not_be_compared() -> None:
    part = measured(lineage=lineage(covered=0.8))
    found = one(rules.training_claimed(claims(prose=(said("post-trained"),)), part))
    assert found.severity is Severity.WARNING
    assert "Only 80.0%" in found.message


def test_a_named_candidate_that_could_not_be_compared_leaves_the_question_open() -> None:
    alone = RELATED.model_copy(update={"compared": ("qwen",)})
    broken = measured(lineage=alone, missing={"nex": "the weights are quantised"})
    assert "nex-agi/Nex-N2-Pro was not compared: the weights are quantised" in reason(
        undeclared_parent(claims(), broken)
    )
    for harmless in ("its weights are those of qwen, with which", "no tensor has the same name and shape in every"):
        assert undeclared_parent(claims(), measured(lineage=alone, missing={"nex": harmless})) == []


def test_a_trained_merge_may_be_called_a_finetune() -> None:
    card = claims(relation=Declared("finetune", at(4)))
    assert "either" in reason(rules.relation_contradicted(card, measured(lineage=lineage("on-line"))))


def test_what_is_a_merge_or_a_copy_in_a_part_only_contradicts_neither_finetune_nor_merge_nor_training() -> None:
    both = (Declared("Qwen/Qwen3.5", at(3)), Declared("nex-agi/Nex-N2-Pro", at(3)))
    trained = claims(relation=Declared("finetune", at(4)), prose=(said("post-trained"),))
    part = lineage(held=0.7, bit_equal=0.8)
    assert "either" in reason(rules.relation_contradicted(trained, measured(lineage=part)))
    assert rules.training_claimed(trained, measured(lineage=part)) == []
    copy = lineage("copy", parents=("qwen",), held=0.99)
    assert "of those alone" in reason(rules.training_claimed(trained, measured(lineage=copy)))
    merged = claims(base_models=both, relation=Declared("merge", at(4)))
    state = measured(lineage=copy, candidates=(replace(NEX, declared=True), QWEN))
    assert "may have been merged" in reason(rules.relation_contradicted(merged, state))
    whole = measured(lineage=copy.model_copy(update={"held": 1.0}), candidates=(replace(NEX, declared=True), QWEN))
    assert one(rules.relation_contradicted(merged, whole)).severity is Severity.ERROR


def test_an_exact_merge_of_a_part_with_an_undeclared_parent_is_an_error_and_a_place_on_a_line_is_none() -> None:
    assert one(undeclared_parent(claims(), measured(lineage=lineage(held=0.7)))).severity is Severity.ERROR
    for verdict in ("on-line", "same-origin", "other-coordinates"):
        found, open_question = undeclared_parent(claims(), measured(lineage=lineage(verdict, parents=("nex",))))
        assert isinstance(found, Finding)
        assert found.severity is Severity.WARNING
        assert isinstance(open_question, NotJudged)


def test_a_declared_teacher_leaves_no_trace_and_is_no_error() -> None:
    apart = lineage("unrelated", parents=(), strangers=("qwen",), compared=("qwen",), shares={}, recipe=None)
    card = claims(prose=(said("distilled"),))
    found = one(rules.declared_not_in_weights(card, measured(candidates=(QWEN,), lineage=apart)))
    assert found.severity is Severity.WARNING


@pytest.mark.parametrize("rule", LINEAGE_RULES, ids=lambda rule: rule.id)
@pytest.mark.parametrize("state", [NOTHING, UNSETTLED], ids=["nothing-compared", "inconclusive"])
def test_without_evidence_no_rule_about_weights_finds_anything(rule, state) -> None:  # type: ignore[no-untyped-def]
    everything = claims(
        relation=Declared("finetune", at(4)), prose=(said("from-scratch"), said("post-trained")), base_models=()
    )
    outcomes = rule.judge(everything, state)
    assert not [found for found in outcomes if isinstance(found, Finding) and found.severity is Severity.ERROR]
    if rule.id in ("MP101", "MP103", "MP104", "MP105"):
        assert [type(found) for found in outcomes] == [NotJudged]


def test_a_declared_stranger_is_an_error_at_its_own_line() -> None:
    apart = lineage("unrelated", parents=(), strangers=("qwen",), compared=("qwen",), shares={}, recipe=None)
    found = one(rules.declared_not_in_weights(claims(), measured(candidates=(QWEN,), lineage=apart)))
    assert found.rule == "MP102"
    assert found.location == at(3)


def test_a_declared_base_that_is_not_here_or_could_not_be_compared_is_not_judged() -> None:
    gone = replace(QWEN, location=None)
    state = measured(candidates=(NEX, gone), missing={"qwen": "Qwen/Qwen3.5 is not on this machine"})
    assert "is not on this machine" in reason(rules.declared_not_in_weights(claims(), state))
    apart = measured(lineage=lineage(compared=("nex",)), missing={"qwen": "no tensor has the same shape"})
    assert "no tensor has the same shape" in reason(rules.declared_not_in_weights(claims(), apart))


def test_a_finetune_by_the_card_and_a_merge_by_the_weights_contradict_each_other() -> None:
    card = claims(relation=Declared("finetune", at(4)))
    found = one(rules.relation_contradicted(card, measured()))
    assert found.message == "The card says finetune; the weights show merge."
    assert found.location == at(4)
    assert rules.relation_contradicted(card, measured(lineage=RELATED)) == []


def test_a_merge_by_the_card_is_contradicted_only_when_every_parent_it_names_was_compared() -> None:
    both = (Declared("nex-agi/Nex-N2-Pro", at(3)), Declared("Qwen/Qwen3.5", at(4)))
    card = claims(relation=Declared("merge", at(5)), base_models=both)
    named = (replace(NEX, declared=True), QWEN)
    copy = RELATED.model_copy(update={"verdict": "copy"})
    assert one(rules.relation_contradicted(card, measured(candidates=named, lineage=copy))).rule == "MP103"
    # a merge that picks weights reads as a finetune
    assert "picks" in reason(rules.relation_contradicted(card, measured(candidates=named, lineage=RELATED)))
    less = RELATED.model_copy(update={"compared": ("qwen",)})
    assert "nex-agi/Nex-N2-Pro" in reason(rules.relation_contradicted(card, measured(candidates=named, lineage=less)))
    alone = claims(relation=Declared("merge", at(5)))
    assert "the second parent" in reason(rules.relation_contradicted(alone, measured(lineage=RELATED)))


@pytest.mark.parametrize("relation", ["quantized", "adapter", "something"])
def test_a_relation_that_weights_do_not_settle_is_not_judged(relation: str) -> None:
    assert relation in reason(rules.relation_contradicted(claims(relation=Declared(relation, at(4))), measured()))


@pytest.mark.parametrize("kind", ["post-trained", "finetuned", "distilled"])
def test_training_that_left_no_trace_is_an_error(kind: str) -> None:
    found = one(rules.training_claimed(claims(prose=(said(kind, "We trained it."),)), measured()))
    assert found.rule == "MP104"
    assert found.claimed == "“We trained it.”"
    assert "0.6 × nex + 0.4 × qwen" in found.message


@pytest.mark.parametrize(
    "found",
    [
        lineage(bit_equal=0.99999),
        lineage(bit_equal=None, recipe=None),
        lineage("on-line"),
        lineage("same-origin", parents=("qwen",)),
        lineage("unrelated", parents=()),
    ],
    ids=lambda found: f"{found.verdict}-{found.bit_equal}",
)
def test_training_is_contradicted_by_nothing_less_than_every_bit(found) -> None:  # type: ignore[no-untyped-def]
    assert rules.training_claimed(claims(prose=(said("post-trained"),)), measured(lineage=found)) == []


def test_from_scratch_is_contradicted_by_a_merge_and_doubted_by_a_relative() -> None:
    card = claims(prose=(said("from-scratch"),), base_models=())
    assert one(rules.from_scratch(card, measured())).severity is Severity.ERROR
    stages = (replace(NEX, declared=True), QWEN)  # an average of its own stages, and the card says so
    assert one(rules.from_scratch(card, measured(candidates=stages))).severity is Severity.WARNING
    kin = one(rules.from_scratch(card, measured(lineage=RELATED)))
    assert kin.severity is Severity.WARNING
    assert "Unless Qwen/Qwen3.5 was made from this model" in kin.message
    apart = lineage("unrelated", parents=(), shares={}, recipe=None, bit_equal=None)
    assert rules.from_scratch(card, measured(lineage=apart)) == []


def test_a_card_without_a_base_model_is_warned_unless_it_says_from_scratch() -> None:
    assert one(rules.no_base_declared(claims(base_models=()), measured())).severity is Severity.WARNING
    assert rules.no_base_declared(claims(), measured()) == []
    assert rules.no_base_declared(claims(base_models=(), prose=(said("from-scratch"),)), measured()) == []
    assert rules.no_base_declared(claims(card=None, base_models=()), measured()) == []


def test_fingerprints_stay_when_lines_move_and_differ_between_subjects() -> None:
    here = one(undeclared_parent(claims(), measured()))
    moved = claims(base_models=(Declared("Qwen/Qwen3.5", at(30)),))
    assert one(undeclared_parent(moved, measured())).fingerprint == here.fingerprint
    other = measured(candidates=(replace(NEX, name="someone/else"), QWEN))
    assert one(undeclared_parent(claims(), other)).fingerprint != here.fingerprint
