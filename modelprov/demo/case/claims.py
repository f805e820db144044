"""The demo's step on claims: rio gets a card that hides one of its parents, and `check` reads it."""

from __future__ import annotations

from pathlib import Path

from modelprov.check.results import CheckReport
from modelprov.demo.case.listener import Listener, begin, each
from modelprov.demo.case.models import RIO
from modelprov.jobs.check import check as check_model
from modelprov.merge.receipt import RECEIPT
from modelprov.merge.writing import RECIPE
from modelprov.reports.checking.words import counted, headline, place
from modelprov.reports.writing import write_atomically

CARD_FILE, CHECKED = "README.md", "check.html"
CARD = """---
license: apache-2.0
base_model: qwen
base_model_relation: finetune
---
# Rio

Rio was post-trained from qwen.
"""
"""What the invented publisher of rio claims: one parent of two, and training where there was a merge."""


def hide_parent(folder: Path, listener: Listener) -> None:
    """Put the invented publisher's card and no recipe where the merge wrote an honest card with one."""
    write_atomically(folder / CARD_FILE, CARD)
    for name in (RECEIPT, RECIPE):
        (folder / name).unlink(missing_ok=True)
    listener.say(
        "Then its card is replaced by one that says “Rio was post-trained from qwen” and names no other model; "
        "recipe and receipt are taken away."
    )


def check(family: Path, listener: Listener) -> CheckReport:
    """Check rio's card against the weights, and tell what contradicts it."""
    page, sibling = family / CHECKED, str(family / "sibling")
    named = [f"{name}={family / name}" for name in ("qwen", "nex")]
    command = begin(listener, "check", family / RIO, *each("-c", named), "--control", sibling, "--html", page)
    with listener.progress() as progress:
        found = check_model(family / RIO, candidates=named, control=sibling, progress=progress, command=command)
    found.save(page)
    report = found.report
    listener.say(f"{headline(report)}:")
    for finding in counted(report):
        listener.say(f"- {finding.severity} {finding.rule} ({place(finding.location)}): {finding.message}")
    return report
