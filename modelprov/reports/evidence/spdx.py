"""A report as an SPDX 3.0.1 document (JSON-LD) with AI packages. Formats; computes nothing.

It claims conformance to the core and software profiles only: the AI profile asks for what weights do not show (who
supplied a model, when, from where).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modelprov.checkpoints.digests import WEIGHTS_COVER, HashedWeights
from modelprov.reports.comparison.report import Input, Report
from modelprov.reports.evidence.bill_of_materials import identity, moment, not_shown, package_url, relatives
from modelprov.reports.numbers import clean

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
CREATION = "_:creation"
TYPES = {"ancestor": "descendantOf", "variant": "hasVariant"}


def render_spdx(report: Report, sha256: str, hashed: Mapping[str, HashedWeights] | None = None) -> str:
    """Return the document as JSON, ASCII only, ending in a line feed.

    Each relative is a relationship of the suspect, `descendantOf` or `hasVariant`, whose comment has the proportion.
    """
    known, model = hashed or {}, report.inputs[0]
    space = f"urn:uuid:{identity(sha256)}"
    suspect = f"{space}#model"
    maker, tool = f"{space}#agent", f"{space}#tool"
    version = report.environment.modelprov
    missing = not_shown(report)
    limits = {"ai_limitation": clean(missing)} if missing else {}
    elements: list[dict[str, Any]] = [
        _element("SoftwareAgent", maker, name=f"modelprov {version}"),
        _element("Tool", tool, name=f"modelprov {version}"),
        _package(model, suspect, known) | {"summary": clean(report.verdict.summary)} | limits,
    ]
    for number, relative in enumerate(relatives(report)):
        other = f"{space}#relative-{number}"
        elements += [
            _package(relative.input, other, known),
            _related(f"{space}#related-{number}", suspect, TYPES[relative.kind], [other])
            | {"comment": clean(f"{relative.input.label}: {relative.proportion}")},
        ]
    if model.label in known:
        shards = known[model.label].shards
        files = [f"{space}#shard-{number}" for number in range(len(shards))]
        for file, (name, digest) in zip(files, sorted(shards.items()), strict=True):
            whole = {"type": "Hash", "algorithm": "sha256", "hashValue": digest}
            elements.append(_element("software_File", file, name=clean(name), verifiedUsing=[whole]))
        elements.append(_related(f"{space}#contains", suspect, "contains", files))
    document = _element(
        "SpdxDocument",
        f"{space}#document",
        name=f"modelprov: where {clean(model.label)} came from",
        comment=f"Made from a report of modelprov with SHA-256 {sha256}.",
        profileConformance=["core", "software"],
        rootElement=[suspect],
        element=[one["spdxId"] for one in elements],
    )
    creation = {
        "type": "CreationInfo",
        "@id": CREATION,
        "specVersion": "3.0.1",
        "created": moment(report),
        "createdBy": [maker],
        "createdUsing": [tool],
    }
    graph = {"@context": CONTEXT, "@graph": [creation, *elements, document]}
    return json.dumps(graph, indent=2, allow_nan=False) + "\n"


def _element(kind: str, name_of: str, **told: Any) -> dict[str, Any]:
    return {"type": kind, "spdxId": name_of, "creationInfo": CREATION} | told


def _related(name_of: str, one: str, kind: str, others: list[str]) -> dict[str, Any]:
    return _element("Relationship", name_of, relationshipType=kind, to=others) | {"from": one}


def _package(one: Input, name_of: str, hashed: Mapping[str, HashedWeights]) -> dict[str, Any]:
    """A model. A digest over several files is no hash of a file: its algorithm is "other", and a comment says which."""
    known = [(one.digest, one.digest_covers)]
    if one.label in hashed:
        known.append((hashed[one.label].whole, WEIGHTS_COVER))
    told = _element("ai_AIPackage", name_of, name=clean(one.label), software_primaryPurpose="model")
    if one.revision is not None:
        told["software_packageVersion"] = clean(one.revision)
    url = package_url(one)
    if url is not None:
        told["software_packageUrl"] = url
    hashes = [
        {"type": "Hash", "algorithm": "other", "hashValue": digest, "comment": clean(f"SHA-256 over {covers}")}
        for digest, covers in known
    ]
    return told | {"verifiedUsing": hashes}
