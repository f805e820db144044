"""A report as a CycloneDX 1.6 bill of materials for a machine learning model. Formats; computes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from modelprov.checkpoints.digests import WEIGHTS_COVER, HashedWeights
from modelprov.reports.comparison.report import Input, Report
from modelprov.reports.evidence.bill_of_materials import Relative, identity, moment, not_shown, package_url, relatives
from modelprov.reports.numbers import clean

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def render_cyclonedx(report: Report, sha256: str, hashed: Mapping[str, HashedWeights] | None = None) -> str:
    """Return the bill as JSON, ASCII only, ending in a line feed.

    The suspect is `metadata.component`, with its `pedigree`; its shards are files in it where their SHA-256 is known.
    """
    found, known, suspect = relatives(report), hashed or {}, report.inputs[0]
    model = _component(suspect, "suspect", known)
    pedigree: dict[str, Any] = {"notes": clean(f"{report.verdict.summary} {not_shown(report)}".strip())}
    for key, kind in (("ancestors", "ancestor"), ("variants", "variant")):
        named = [_relative(one, number, known) for number, one in enumerate(found) if one.kind == kind]
        if named:
            pedigree[key] = named
    model["pedigree"] = pedigree
    if report.verdict.does_not_show:
        limits = [f"Not shown by the comparison of weights: {clean(one)}" for one in report.verdict.does_not_show]
        model["modelCard"] = {"considerations": {"technicalLimitations": limits}}
    if suspect.label in known:
        model["components"] = [
            {
                "type": "file",
                "bom-ref": clean(f"shard:{name}"),
                "name": clean(name),
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
            for name, digest in sorted(known[suspect.label].shards.items())
        ]
    tool = {"type": "application", "name": "modelprov", "version": report.environment.modelprov}
    bill = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{identity(sha256)}",
        "version": 1,
        "metadata": {
            "timestamp": moment(report),
            "tools": {"components": [tool]},
            "component": model,
            "properties": _properties(
                (("modelprov:report-sha256", sha256), ("modelprov:verdict", report.verdict.class_))
            ),
        },
    }
    return json.dumps(bill, indent=2, allow_nan=False) + "\n"


def _component(one: Input, reference: str, hashed: Mapping[str, HashedWeights]) -> dict[str, Any]:
    told: dict[str, Any] = {"type": "machine-learning-model", "bom-ref": reference, "name": clean(one.label)}
    if one.revision is not None:
        told["version"] = clean(one.revision)
    url = package_url(one)
    if url is not None:
        told["purl"] = url
    known = [("modelprov:manifest-sha256", one.digest), ("modelprov:manifest-covers", one.digest_covers)]
    if one.label in hashed:
        known += [("modelprov:weights-sha256", hashed[one.label].whole), ("modelprov:weights-cover", WEIGHTS_COVER)]
    told["properties"] = _properties(known)
    return told


def _relative(relative: Relative, number: int, hashed: Mapping[str, HashedWeights]) -> dict[str, Any]:
    told = _component(relative.input, f"{relative.kind}:{number}", hashed)
    told["description"] = clean(f"{relative.kind} of the model: {relative.proportion}")
    told["properties"] += _properties(relative.properties)
    return told


def _properties(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": clean(str(value))} for name, value in pairs]
