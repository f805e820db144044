"""Why ours left a question open or missed it, and what would settle it: by the rule that spoke, not by the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.lineage.labels import Label

BY_RULE: dict[str, tuple[str, str]] = {}


def reason(label: Label, row: Mapping[str, Any]) -> tuple[str, str]:
    """The two sentences of a case."""
    words = str(row["words"])
    rule = words.partition("(")[2].partition(")")[0]
    why, settled = BY_RULE.get(rule, (words.partition(": ")[2][:160] or words, ""))
    return why, label.settled_by or settled or "not known"
