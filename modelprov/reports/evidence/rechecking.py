"""What of a report still holds once it is computed anew: two reports compared, claim by claim. Opens nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from modelprov.reports.comparison.as_json import OLDER, load_report, render_json
from modelprov.reports.comparison.report import SCHEMA_VERSION, Report
from modelprov.reports.numbers import coefficient, count, interval, plural, scientific, share
from modelprov.savable import Page

TOLERANCE = 1e-9
SMALLEST = 1e-12
UNCHECKED = "the command line, times, versions, machine, memory and threads of the original run"
WORDING = tuple(f"verdict.{key}" for key in ("summary", "reason", "histories", "rests_on", "does_not_show", "formerly"))
_ROWS = ("components", "layers", "cells", "tensors")


@dataclass(frozen=True)
class Difference:
    """One value that is not what it was recorded as: `place` is its path in the file's JSON, `row` the row's name."""

    place: str
    recorded: Any
    recomputed: Any
    row: str | None = None


@dataclass(frozen=True)
class Held:
    """One claim of a report: what it says, how many values stand behind it, and those that came out differently."""

    claim: str
    says: str
    values: int
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether every value came out as recorded."""
        return not self.differences


@dataclass(frozen=True)
class Recheck:
    """All claims of a report. `older`: values that an older schema does not have or words otherwise, not compared."""

    claims: tuple[Held, ...]
    tolerance: float
    versions: tuple[str, str]
    devices: tuple[str, str]
    older: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every claim holds."""
        return all(claim.holds for claim in self.claims)


@dataclass(frozen=True, eq=False)
class Rechecked(Page):
    """Which claims of the report in `file` hold; `notes` say what could not be checked, `started` when it was."""

    found: Recheck
    file: str
    notes: tuple[str, ...]
    started: str

    @property
    def holds(self) -> bool:
        """Whether every claim holds."""
        return self.found.holds


def recheck(recorded: Report, recomputed: Report, tolerance: float = TOLERANCE) -> Recheck:
    """Compare what a report says with what its inputs give.

    Counts, words and digests must be equal; other numbers within `tolerance`, relative to the larger of the two.
    Everything in the report is compared except `UNCHECKED`.
    """
    old = recorded.model_dump(mode="json", by_alias=True)
    new = load_report(render_json(recomputed)).model_dump(mode="json", by_alias=True)
    older = tuple(_unset(recorded)) if recorded.schema_version != SCHEMA_VERSION else ()
    if recorded.schema_version.split(".")[0] == OLDER:
        older = tuple(dict.fromkeys((*older, *WORDING)))
    claims = []
    for name, says, places in _claims(recorded):
        compared = [(place, at(old, place), at(new, place)) for place in places if not _within(place, older)]
        differences = tuple(
            replace(one, row=_row(one.place, old))
            for place, before, after in compared
            for one in differing(place, before, after, tolerance)
            if one.place not in older
        )
        claims.append(Held(name, says, sum(_leaves(before) for _, before, _ in compared), differences))
    return Recheck(
        tuple(claims),
        tolerance,
        (recorded.environment.modelprov, recomputed.environment.modelprov),
        (recorded.environment.device, recomputed.environment.device),
        older,
    )


def _claims(report: Report) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name, what the report says in short, and the places in the file that say it; together all but `UNCHECKED`."""
    for number, one in enumerate(report.inputs):
        yield f"input {one.label}", f"{one.role}, headers {one.digest[:12]}...", (f"inputs[{number}]",)
    verdict, mixing, made, after = report.verdict, report.mixing, report.reproduction, report.after_merge
    says = f"{verdict.class_}" + (f", from {verdict.parent}" if verdict.parent else "")
    yield "verdict", says, ("tool", "mode", *_of("verdict", "class rule share parent roles"))
    yield "proportion", _interval(mixing.alpha, mixing.low, mixing.high, mixing.reason), ("mixing",)
    recipe = f"{made.recipe} in {made.arithmetic}" if made.recipe else made.reason or "none"
    yield "recipe", recipe, _of("reproduction", "recipe arithmetic programs groups yaml reason")
    equal = (
        "not measured" if made.bit_equal is None else f"{share(made.bit_equal, 4)} of {count(made.elements)} weights"
    )
    yield "bits reproduced", equal, _of("reproduction", "bit_equal elements candidates")
    yield "method", report.method.words if report.method else "none", ("method",)
    undone = report.coordinates.undone if report.coordinates else ()
    yield (
        "other coordinates",
        f"{plural(len(undone), 'kind')} undone" if report.coordinates else "not looked for",
        ("coordinates", "settings.alignment"),
    )
    added = after.reason or ("not measured" if after.sigma is None else f"sigma {scientific(after.sigma)}")
    yield "after the merge", added, ("after_merge",)
    beyond = report.beyond.words or report.beyond.reason if report.beyond else None
    yield "beyond the parents", beyond or "not asked for", ("beyond",)
    yield "whole model", f"{count(report.overall.elements)} weights", ("overall",)
    for key in _ROWS:
        yield key, plural(len(getattr(report, key)), "row"), (key,)
    yield "controls", plural(len(verdict.controls), "control"), ("verdict.controls",)
    asked = _of("settings", "sample sample_elements seed thorough suspect parents reference controls candidates")
    yield (
        "coverage",
        f"{share(report.coverage.read_share)} of the suspect read",
        ("coverage", "environment.seed", *asked),
    )
    yield "wording", "summary, evidence, histories that fit, what it does not show", WORDING


def _of(part: str, keys: str) -> tuple[str, ...]:
    return tuple(f"{part}.{key}" for key in keys.split())


def _interval(alpha: float | None, low: float | None, high: float | None, reason: str | None) -> str:
    if alpha is None or low is None or high is None:
        return reason or "not measured"
    return f"{coefficient(alpha, low, high)}, interval {interval(low, high)}"


def _within(place: str, older: tuple[str, ...]) -> bool:
    """Whether the file has no value at this place, or none at a place that it lies in."""
    return any(place == one or place.startswith(f"{one}.") for one in older)


def at(data: Any, place: str) -> Any:
    """The value at a path such as `inputs[0].digest`; None where there is none."""
    for part in place.replace("[", ".[").split("."):
        if part.startswith("["):
            number = int(part[1:-1])
            data = data[number] if isinstance(data, list) and number < len(data) else None
        else:
            data = data.get(part) if isinstance(data, dict) else None
    return data


def differing(place: str, recorded: Any, recomputed: Any, tolerance: float) -> Iterator[Difference]:
    """Every value below `place` that is not the same; numbers with a fraction may differ by `tolerance`."""
    if isinstance(recorded, dict) and isinstance(recomputed, dict):
        for key in dict.fromkeys((*recorded, *recomputed)):
            yield from differing(f"{place}.{key}", recorded.get(key), recomputed.get(key), tolerance)
    elif isinstance(recorded, list) and isinstance(recomputed, list):
        if len(recorded) != len(recomputed):
            yield Difference(f"{place} (how many)", len(recorded), len(recomputed))
        for number, (before, after) in enumerate(zip(recorded, recomputed, strict=False)):
            yield from differing(f"{place}[{number}]", before, after, tolerance)
    elif isinstance(recorded, float) and isinstance(recomputed, float):
        if not math.isclose(recorded, recomputed, rel_tol=tolerance, abs_tol=SMALLEST):
            yield Difference(place, recorded, recomputed)
    elif type(recorded) is not type(recomputed) or recorded != recomputed:
        yield Difference(place, recorded, recomputed)


def _row(place: str, report: Any) -> str | None:
    """The name of the row that a place is in; None outside the tables of rows."""
    row = place.partition("]")[0] + "]"
    name = at(report, f"{row}.name") if row.startswith(tuple(f"{key}[" for key in _ROWS)) else None
    return str(name) if name is not None else None


def _leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_leaves, value.values()))
    if isinstance(value, list):
        return sum(map(_leaves, value))
    return 1


def _unset(record: Any, place: str = "") -> Iterator[str]:
    """Paths of the values that the file did not have and that were filled in by default."""
    for name, field in type(record).model_fields.items():
        here = f"{place}{field.alias or name}"
        value = getattr(record, name)
        if name not in record.model_fields_set:
            yield here
        elif hasattr(value, "model_fields_set"):
            yield from _unset(value, f"{here}.")
        elif isinstance(value, tuple):
            for number, item in enumerate(value):
                if hasattr(item, "model_fields_set"):
                    yield from _unset(item, f"{here}[{number}].")
