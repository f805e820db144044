"""Results as JSON, and back, each by its own schema. Reads and writes text; opens no file, formats nothing.

`compare` has its own form, a line for each tensor, in `comparison.as_json`.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from modelprov.behavior.evaluation.results import SCHEMA_VERSION as EVALUATION_SCHEMA
from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.behavior.probing.results import SCHEMA_VERSION as PROBE_SCHEMA
from modelprov.behavior.probing.results import ProbeReport
from modelprov.check.results import SCHEMA_VERSION as CHECK_SCHEMA
from modelprov.check.results import CheckReport
from modelprov.checkpoints.inspection import SCHEMA_VERSION as INSPECTION_SCHEMA
from modelprov.checkpoints.inspection import Inspection
from modelprov.errors import UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted, shortened
from modelprov.forensics.identify.charted import SCHEMA_VERSION as ATLAS_SCHEMA
from modelprov.forensics.identify.charted import Atlas
from modelprov.forensics.identify.results import SCHEMA_VERSION as IDENTIFIED_SCHEMA
from modelprov.forensics.identify.results import Identified
from modelprov.forensics.search.verified import SCHEMA_VERSION as VERIFIED_SCHEMA
from modelprov.forensics.search.verified import Verified
from modelprov.records import first_mistake

Kind = TypeVar("Kind", bound=BaseModel)


def render_json(result: BaseModel) -> str:
    """The whole result; all keys always present, null for what was not measured, ASCII only, ends in a line feed."""
    return json.dumps(result.model_dump(mode="json"), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def load_probe(text: str) -> ProbeReport:
    """What `modelprov probe --json` wrote; raises `UsageError` for anything else."""
    report = _load(text, ProbeReport, "probe", PROBE_SCHEMA)
    if sum(one.role == "suspect" for one in report.models) != 1:
        raise _broken("probe", "it does not name one model in question")
    declared = {one.name for one in report.settings.names}
    if any(one.answers and declared - {asked.name for asked in one.affirmations} for one in report.arms):
        raise _broken("probe", "an arm does not say what was answered about each declared name")
    return report


def load_check(text: str) -> CheckReport:
    """What `modelprov check --json` wrote; raises `UsageError` for anything else."""
    return _load(text, CheckReport, "check", CHECK_SCHEMA)


def load_evaluation(text: str) -> EvaluationReport:
    """What `modelprov eval --json` wrote; raises `UsageError` for anything else, also where its parts do not fit."""
    report = _load(text, EvaluationReport, "eval", EVALUATION_SCHEMA)
    models, methods = {one.label for one in report.models}, {one.label for one in report.methods}
    names = {one.name for one in report.methods}
    if not models or len(models) < len(report.models):
        raise _broken("eval", "it names no models, or two alike")
    tests = [(one.first_model, one.first_method) for one in report.tests]
    tests += [(one.second_model, one.second_method) for one in report.tests]
    if not {(one.model, one.method) for one in report.rows}.union(tests) <= {(a, b) for a in models for b in methods}:
        raise _broken("eval", "it scores a model or method that it does not list")
    if not {one.model for one in report.curve} <= models or not {one.method_name for one in report.curve} <= names:
        raise _broken("eval", "its curve has a model or method that it does not list")
    return report


def load_identified(text: str) -> Identified:
    """What `modelprov identify --json` wrote; raises `UsageError` for anything else."""
    return _load(text, Identified, "identify", IDENTIFIED_SCHEMA)


def load_atlas(text: str) -> Atlas:
    """What `modelprov atlas --json` wrote; raises `UsageError` for anything else."""
    return _load(text, Atlas, "atlas", ATLAS_SCHEMA)


def load_inspection(text: str) -> Inspection:
    """What `modelprov inspect --json` wrote; raises `UsageError` for anything else."""
    return _load(text, Inspection, "inspect", INSPECTION_SCHEMA)


def load_verified(text: str) -> Verified:
    """What `modelprov verify --json` wrote; raises `UsageError` for anything else."""
    found = _load(text, Verified, "verify", VERIFIED_SCHEMA)
    if not 0 <= found.equal <= found.elements or found.elements == 0 or not all(each.examples for each in found.absent):
        raise _broken("verify", "it counts more equal elements than it compared, or names none of what is not in both")
    return found


def _load(text: str, kind: type[Kind], name: str, version: str) -> Kind:
    """Validate strictly as JSON; NaN and infinities, which no report holds, are refused."""
    try:
        data: Any = parse_json(text, unique=True, finite=True)
    except JsonError as error:
        raise UsageError(f"this is not JSON: {error}", f"Give a JSON report of `modelprov {name}`.") from error
    tool = data.get("tool") if isinstance(data, dict) else None
    if tool != f"modelprov {name}":
        is_one = (
            f"this is a report of {quoted(tool)}" if isinstance(tool, str) else "this JSON is no report of modelprov"
        )
        raise UsageError(f"{is_one}, not of modelprov {name}", f"Give a JSON report of `modelprov {name}`.")
    theirs = str(data.get("schema_version"))
    if theirs.split(".", maxsplit=1)[0] != version.split(".", maxsplit=1)[0]:
        raise UsageError(
            f"the report has schema version {shortened(theirs, 20)}; this modelprov reads {version}",
            "Use the modelprov version that wrote it.",
        )
    try:
        return kind.model_validate_json(json.dumps(data), strict=True)  # else the text "nan" would pass for a number
    except ValidationError as error:
        place, mistake = first_mistake(error, "the report")
        raise _broken(name, f"at {place}: {mistake}") from error


def _broken(name: str, why: str) -> UsageError:
    return UsageError(
        f"the report does not fit the schema of modelprov {name}: {why}",
        f"Was it edited? Compare it with docs/{name}.schema.json, or write it anew.",
    )
