"""No opening of a report says two things that cannot both be true: every class, every rule, every measured rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.histories import FITTING
from modelprov.forensics.judging.trace import Trace
from modelprov.forensics.judging.wording import verdict
from modelprov.forensics.mixing import Mixing, NamedMethod, Reproduction
from modelprov.forensics.results import AfterMerge, Verdict, VerdictClass
from modelprov.reports.comparison import beginning
from modelprov.reports.comparison.meaning import meaning, notes
from modelprov.reports.comparison.report import Report
from modelprov.reports.evidence.attestation_consistency import RULES
from tests.forensics.rules.facts import EXACT, REPRODUCED, SIBLING, TRAINED
from tests.reports.sample_parts import build, inputs

LABELS = ("S", "A", "B")
FACTS = {VerdictClass.MERGE: REPRODUCED, VerdictClass.ON_LINE: TRAINED, VerdictClass.COPY: replace(SIBLING, alike=0.99)}
BASE = build(verdict=Verdict(class_=VerdictClass.INCONCLUSIVE, summary="", rule=""), mixing=Mixing(alpha=0.565))
EXCLUSIVE = (
    ("no more than rounding", "not so close that rounding explains|more than the rounding of|% of their distance"),
    ("a little beside it", "no more than rounding|rounding alone|more than the rounding of"),
    (r"[\d.]+ % of their distance", "rounding alone|was not measured"),
    ("every bit again", "does not give again|changed afterwards"),
    ("merge was not tested", "No plain mix|merge of"),
    (r"best fit has [\d.]+ of", "no other checkpoint|gives no weight"),
    (r"\d % of the weights compared are the same|only smaller ones", "^The weights compared are those of one parent"),
    ("was cut|cut out", "^Such a change costs nothing"),
    (r"in \d pieces", "one weighting fits|where a fixed mix of"),
    ("no exact mix was shown", "every bit again|exactly|That is certain"),
    ("is open", "who came first is shown|was merged by"),
    ("no finding", "That is certain"),
    ("No control was run", "a control fares"),
)


def told(
    class_: VerdictClass, rule: str, facts: Facts, beside: float | None, bits: float | None, alone: bool
) -> Report:
    labels = LABELS[:2] if alone else LABELS
    if alone:
        facts = replace(facts, parents=1, correlations=facts.correlations[:1], equal=facts.equal[:1], weights=None)
    decision = Decision(class_, rule, 1, "this is why")
    made = Reproduction(recipe="0.6 × A + 0.4 × B", arithmetic="float32", bit_equal=bits, elements=100)
    after = AfterMerge(sigma_relative=beside)
    roles = ("suspect", "reference") if alone else ("suspect", "parent", "reference")
    method = None
    if rule == "method":
        method = NamedMethod(
            name="ties", parents=LABELS[1:], yaml="", words="TIES of A and B", arithmetic="float32",
            bit_equal=bits or 1.0, elements=100,
            tensors=1, recomputed=1, share=1.0,
        )  # fmt: skip
    changed = {
        "verdict": verdict(decision, facts, Mixing(alpha=0.565), made, after, labels, ()), "after_merge": after,
        "reproduction": made, "inputs": inputs(*zip(labels, roles, strict=True)), "method": method,
    }  # fmt: skip
    return BASE.model_copy(update=changed)


def openings() -> Iterator[tuple[str, str]]:
    """Every class with every rule that leads to it, whatever was measured beside; its sentences."""
    named = {rule for rules in RULES.values() for rule in rules}
    for class_, rules in {**RULES, VerdictClass.INCONCLUSIVE: frozenset(FITTING) - named}.items():
        for rule in sorted(rules):
            for plain in (FACTS.get(class_, SIBLING), replace(EXACT, alike=1.0, equal=(1.0, 0.2), pieces=3)):
                facts = replace(plain, trace=Trace(1000, 900, 0.1, 0.01), identical=(1,))
                for beside in (None, 0.0, 0.0087):
                    for bits in (0.995, 1.0):
                        for alone in (False, True):
                            if alone and class_ in (VerdictClass.MERGE, VerdictClass.ON_LINE):
                                continue
                            found = told(class_, rule, facts, beside, bits, alone)
                            said = (beginning.headline(found), beginning.summary(found), meaning(found), *notes(found))
                            yield f"{class_} {rule} {beside} {bits} {alone}", "\n".join(said)


@pytest.fixture(scope="module")
def all_openings() -> list[tuple[str, str]]:
    return list(openings())


@pytest.mark.parametrize(("first", "second"), EXCLUSIVE)
def test_no_opening_says_two_things_that_exclude_each_other(
    first: str, second: str, all_openings: list[tuple[str, str]]
) -> None:
    for name, said in all_openings:
        both = re.search(first, said, re.MULTILINE), re.search(second, said, re.MULTILINE)
        assert not all(both), f"{name}: {both}\n{said}"


def test_the_first_screen_says_what_was_not_tried(all_openings: list[tuple[str, str]]) -> None:
    for name, said in all_openings:
        alone = name.endswith("True")
        assert said.count("A merge was not tested") == alone, name
        assert said.count("No control was run") == 1, name


def test_no_rule_of_ours_is_named_where_people_read(all_openings: list[tuple[str, str]]) -> None:
    names = "|".join(sorted({rule for rules in (*RULES.values(), FITTING) for rule in rules if "-" in rule}))
    for name, said in all_openings:
        assert not re.search(rf"\b({names})\b(?! of)", said.replace("other-coordinates", "")), name


def test_a_headline_has_the_digits_of_the_sentence_below_it() -> None:
    found = told(VerdictClass.ON_LINE, "near-the-line", TRAINED, 0.0087, None, alone=False)
    assert "at 0.565" in beginning.headline(found)


def test_bits_that_come_out_again_are_said_to_lie_in_no_cells(all_openings: list[tuple[str, str]]) -> None:
    """Where every step was rounded they may lie far outside those of the mixture."""
    said = [text for name, text in all_openings if name.startswith("merge reproduced")]
    assert said
    assert not any("to within rounding" in text for text in said)
