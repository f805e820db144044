"""Reports of older schema versions, read as of today: names of classes and rules that have changed. Renders nothing."""

from __future__ import annotations

from typing import Any

RENAMED = {
    ("merge-then-trained", "merge-then-trained"): ("on-line", "near-the-line"),
    ("merge-then-trained", "partly-exact"): ("merge", "partly-exact"),
    ("finetune", "near-one-parent"): ("same-origin", "near-one-parent"),
    ("finetune", "identical"): ("copy", "identical"),
    ("inconclusive", "other-coordinates"): ("inconclusive", "coordinates-open"),
    ("inconclusive", "merge-then-trained"): ("inconclusive", "near-the-line"),
}
"""Class and rule in reports before 2.0, and what the same weights are called since."""
CLASSES = {"merge-then-trained": "on-line", "finetune": "same-origin"}
"""The same where the rule is not known."""


def as_of_today(report: dict[str, Any]) -> dict[str, Any]:
    """The parsed report of schema version 1 with today's names, `formerly` saying the class that it had.

    Everything else stays as it is, whatever it is: whether it is a report at all is for its model to say.
    """
    verdict = report.get("verdict")
    if not isinstance(verdict, dict):
        return report
    class_, rule = verdict.get("class"), verdict.get("rule")
    if not isinstance(class_, str) or not isinstance(rule, str):
        return report
    today = RENAMED.get((class_, rule), (CLASSES.get(class_, class_), rule))
    changed = {**verdict, "class": today[0], "rule": today[1]}
    if today[0] != class_:
        changed["formerly"] = class_
    controls = verdict.get("controls")
    if isinstance(controls, list):
        changed["controls"] = [_control(one) for one in controls]
    return {**report, "verdict": changed}


def _control(control: Any) -> Any:
    if not isinstance(control, dict) or not isinstance(control.get("verdict"), str):
        return control
    return {**control, "verdict": CLASSES.get(control["verdict"], control["verdict"])}
