"""The JSON Schemas of what `compare` ("report"), `probe`, `eval`, `check`, `identify` and `atlas` write with `--json`.

`python -m modelprov.reports.schemas docs` writes them anew.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from modelprov.behavior.evaluation.results import SCHEMA_VERSION as EVALUATION_SCHEMA
from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.behavior.probing.results import SCHEMA_VERSION as PROBE_SCHEMA
from modelprov.behavior.probing.results import ProbeReport
from modelprov.check.results import SCHEMA_VERSION as CHECK_SCHEMA
from modelprov.check.results import CheckReport
from modelprov.checkpoints.inspection import SCHEMA_VERSION as INSPECTION_SCHEMA
from modelprov.checkpoints.inspection import Inspection
from modelprov.forensics.identify.charted import SCHEMA_VERSION as ATLAS_SCHEMA
from modelprov.forensics.identify.charted import Atlas
from modelprov.forensics.identify.results import SCHEMA_VERSION as IDENTIFIED_SCHEMA
from modelprov.forensics.identify.results import Identified
from modelprov.forensics.search.verified import SCHEMA_VERSION as VERIFIED_SCHEMA
from modelprov.forensics.search.verified import Verified
from modelprov.reports.comparison.report import SCHEMA_VERSION as REPORT_SCHEMA
from modelprov.reports.comparison.report import Report
from modelprov.reports.writing import write_atomically

KINDS: dict[str, tuple[type[BaseModel], str]] = {
    "report": (Report, REPORT_SCHEMA),
    "probe": (ProbeReport, PROBE_SCHEMA),
    "eval": (EvaluationReport, EVALUATION_SCHEMA),
    "check": (CheckReport, CHECK_SCHEMA),
    "identify": (Identified, IDENTIFIED_SCHEMA),
    "atlas": (Atlas, ATLAS_SCHEMA),
    "verify": (Verified, VERIFIED_SCHEMA),
    "inspect": (Inspection, INSPECTION_SCHEMA),
}


def schema_text(name: str) -> str:
    """The schema (draft 2020-12) that every JSON report of this command fits, as published in docs/NAME.schema.json."""
    kind, version = KINDS[name]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:modelprov:{name}:{version}"}
    return json.dumps(head | kind.model_json_schema(mode="serialization", by_alias=True), indent=2) + "\n"


if __name__ == "__main__":
    for one in KINDS:
        write_atomically(Path(sys.argv[1]) / f"{one}.schema.json", schema_text(one))
