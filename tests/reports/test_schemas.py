"""The published JSON Schemas: current, valid, and fitted by what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from modelprov.forensics.identify.results import Identified, Ranked, Skipped
from modelprov.forensics.results import VerdictClass
from modelprov.reports.saving import rendered
from modelprov.reports.schemas import KINDS, schema_text
from tests.reports import atlases, checks, pages, samples, short_answers
from tests.reports.checks import HOSTILE
from tests.reports.probing_samples import probe_report

if TYPE_CHECKING:
    from modelprov.reports.saving import Result

DOCS = Path(__file__).parents[2] / "docs"
WRITTEN: dict[str, list[Callable[[], Result]]] = {
    "report": [samples.same_origin],
    "probe": [probe_report, lambda: probe_report(hostile=True)],
    "eval": [pages.scores, lambda: pages.scores(hostile=True)],
    "identify": [lambda: IDENTIFIED],
    "atlas": [atlases.drawn, atlases.hostile],
    "verify": [short_answers.verified, lambda: short_answers.verified(short_answers.verification(HOSTILE), HOSTILE)],
    "inspect": [short_answers.inspection, short_answers.hostile_inspection],
    "check": [checks.found, checks.could_not_judge, checks.hostile],
}
IDENTIFIED = Identified(
    command="modelprov identify a --library b", suspect="a", location="a", library="b", entries=2, share=0.5,
    seconds=1.0,
    verdict=VerdictClass.UNRELATED, rule="unrelated", summary="It is made of none of them.", alone=True,
    ranked=(
        Ranked(
            name="<b>x</b>", revision=None, elements=9, correlation=0.0, equal=0.0, chance=1.0, found=False, kin=False
        ),
    ),
    skipped=(Skipped(name="y", reason="other shapes"),),
)  # fmt: skip


def schema(name: str) -> Any:
    return json.loads((DOCS / f"{name}.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", list(KINDS))
def test_a_published_schema_is_the_one_of_the_program(name: str):
    again = "run: python -m modelprov.reports.schemas docs"
    assert (DOCS / f"{name}.schema.json").read_text(encoding="utf-8") == schema_text(name), again


@pytest.mark.parametrize("name", list(KINDS))
def test_what_is_written_fits_the_schema_and_what_lacks_a_part_does_not(name: str):
    jsonschema.Draft202012Validator.check_schema(schema(name))
    validator = jsonschema.Draft202012Validator(schema(name))
    for make in WRITTEN[name]:
        report = json.loads(rendered("json", make()))
        assert [error.message for error in validator.iter_errors(report)] == []
        needed = schema(name)["required"][-1]
        assert not validator.is_valid({key: value for key, value in report.items() if key != needed})
        assert not validator.is_valid(report | {"unknown": 1})
