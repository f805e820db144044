"""What a report says twice must agree: real reports of every class pass, each edit in one place is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelprov.forensics.results import VerdictClass
from modelprov.reports.comparison.as_json import load_report
from modelprov.reports.evidence.attestation_consistency import RULES, contradictions
from tests.cli.conftest import Command
from tests.verdict_rules import classes

WRITTEN: dict[tuple[str, ...], str] = {}


@pytest.fixture
def written(compare: Command, models: Path, tmp_path: Path) -> Callable[..., str]:
    """The report of a comparison in the demo family, computed once; `again` is a copy of nex."""

    def run(*arguments: str) -> str:
        if arguments not in WRITTEN:
            shutil.copytree(models / "nex", tmp_path / "again")
            WRITTEN[arguments] = compare(*arguments, "--json", "-").out
        return WRITTEN[arguments]

    return run


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        (("rio", "nex", "qwen"), "merge"),
        (("rio", "nex", "qwen", "--sample"), "merge"),
        (("rio", "nex", "sibling", "qwen"), "merge"),
        (("rio-bf16", "nex", "qwen"), "merge"),
        (("rio-trained", "nex", "qwen"), "on-line"),
        (("nex", "qwen"), "same-origin"),
        (("sibling", "nex", "qwen"), "same-origin"),
        (("again", "nex", "qwen"), "copy"),
        (("qwen", "rio", "nex"), "inconclusive"),
        (("stranger", "nex", "qwen"), "unrelated"),
    ],
)
def test_real_reports_agree_with_themselves(written: Any, arguments: tuple[str, ...], verdict: str) -> None:
    report = load_report(written(*arguments))
    assert report.verdict.class_ == verdict
    assert list(contradictions(report)) == []


EDITS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "the proportion": ("alpha of mixing is 0.9", lambda r: r["mixing"].update(alpha=0.9)),
    "the proportion of a parent": (
        "alpha of the coefficient of nex is 0.9",
        lambda r: r["mixing"]["coefficients"][0].update(alpha=0.9),
    ),
    "the bounds": ("mixing.high is 0.7, that of nex is 0.565", lambda r: r["mixing"].update(high=0.7)),
    "whose proportion": (
        "the coefficients are those of qwen",
        lambda r: r["mixing"]["coefficients"][0].update(parent="qwen"),
    ),
    "proportion and bounds": (
        "alpha of nex is 0.9, its weight in the recipe 0.565",
        lambda r: [one.update(alpha=0.9, low=0.89, high=0.9) for one in (r["mixing"], r["mixing"]["coefficients"][0])],
    ),
    "the class": ("the verdict copy never comes from the rule", lambda r: r["verdict"].update({"class": "copy"})),
    "the rule": ("merge never comes from the rule 'identical'", lambda r: r["verdict"].update(rule="identical")),
    "class and rule": (
        "the verdict is about someone",
        lambda r: r["verdict"].update({"class": "same-origin", "rule": "near-one-parent", "parent": "someone"}),
    ),
    "into a copy": (
        "the verdict is copy, but the bits equal to nex's are",
        lambda r: r["verdict"].update({"class": "copy", "rule": "identical", "parent": "nex"}),
    ),
    "into a relative of nobody": (
        "the verdict is same-origin, of no parent",
        lambda r: r["verdict"].update({"class": "same-origin", "rule": "near-one-parent"}),
    ),
    "into a stranger": (
        "unrelated, but a recipe of the parents gives 100",
        lambda r: r["verdict"].update({"class": "unrelated", "rule": "unrelated"}),
    ),
    "the summary": ("does not name the recipe", lambda r: r["verdict"].update(summary="rio is a model of its own.")),
    "the recipe": (
        "the recipe is 0.9 × nex, the best candidate 0.565",
        lambda r: r["reproduction"].update(recipe="0.9 × nex"),
    ),
    "the recipe everywhere in words": (
        "its weights say 0.565 × nex + 0.435 × qwen",
        lambda r: [r["reproduction"].update(recipe="x"), r["reproduction"]["candidates"][0].update(description="x")],
    ),
    "the recipe's weights": (
        "groups of the recipe is not that of the best candidate",
        lambda r: r["reproduction"]["groups"][0]["weights"].update(nex=0.9),
    ),
    "the recipe's parents": (
        "the recipe weighs other, the parents are nex, qwen",
        lambda r: [
            one["groups"][0].update(weights={"other": 1.0})
            for one in (r["reproduction"], r["reproduction"]["candidates"][0])
        ],
    ),
    "the share of bits": (
        "bit_equal of the recipe is not that of the best candidate",
        lambda r: r["reproduction"].update(bit_equal=0.95),
    ),
    "the share of bits, twice": (
        "bit_equal of the recipe is 0.95, of all tensors 1.0",
        lambda r: [one.update(bit_equal=0.95) for one in (r["reproduction"], r["reproduction"]["candidates"][0])],
    ),
    "too few bits": (
        "but bit_equal is 30.00%",
        lambda r: r["reproduction"].update(bit_equal=0.3),
    ),
    "the config": (
        "other models or weights than the recipe",
        lambda r: r["reproduction"].update(yaml=r["reproduction"]["yaml"].replace("0.565", "0.9")),
    ),
    "the config's bits": (
        "gives bit_equal 0.5, the recipe 1.0",
        lambda r: r["reproduction"].update(yaml=r["reproduction"]["yaml"].replace("bit_equal: 1.0", "bit_equal: 0.5")),
    ),
    "a config that is none": ("is not what `compare` writes", lambda r: r["reproduction"].update(yaml="[" * 2000)),
    "no recipe": ("there is no recipe, but", lambda r: r["reproduction"].update(recipe=None)),
    "a layer": ("alpha of layer 0 is 0.9, outside", lambda r: r["layers"][0].update(alpha=0.9, low=0.1, high=0.2)),
    "the part it is about": ("about more than was compared", lambda r: r["coverage"].update(share=0.9, read_share=0.9)),
    "the coverage": ("coverage.share is 1.5", lambda r: r["coverage"].update(share=1.5)),
    "the part read": ("more was read than compared", lambda r: r["coverage"].update(share=0.5)),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_was_edited_in_one_place_is_named(written: Any, name: str) -> None:
    says, edit = EDITS[name]
    data = json.loads(written("rio", "nex", "qwen"))
    edit(data)
    found = list(contradictions(load_report(json.dumps(data))))
    assert any(says in one for one in found), found


def test_the_rules_of_each_class_are_those_of_the_verdict() -> None:
    known = {(VerdictClass[one], rule) for one, rule in classes() if one != "INCONCLUSIVE"}
    assert known == {(one, rule) for one, rules in RULES.items() for rule in rules}
