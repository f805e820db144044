"""The demo's step on claims: rio gets a card that hides one of its parents, and `check` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelprov.cli.demo_shown import RIO, show_command

if TYPE_CHECKING:
    from rich.console import Console

    from modelprov.check.results import CheckReport

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


def hide_parent(folder: Path, console: Console) -> None:
    """Put the invented publisher's card and no recipe where the merge wrote an honest card with one."""
    from modelprov.merge.receipt import RECEIPT
    from modelprov.merge.writing import RECIPE
    from modelprov.reports.writing import write_atomically

    write_atomically(folder / CARD_FILE, CARD)
    for name in (RECEIPT, RECIPE):
        (folder / name).unlink(missing_ok=True)
    console.print(
        "Then its card is replaced by one that says “Rio was post-trained from qwen” and names no other model; "
        "recipe and receipt are taken away."
    )


def check(family: Path, console: Console) -> CheckReport:
    """Check rio's card against the weights, print what contradicts it."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.check import check as job
    from modelprov.reports.checking.words import counted, headline, place

    page = family / CHECKED
    named = [f"{name}={family / name}" for name in ("qwen", "nex")]
    sibling = str(family / "sibling")
    command = show_command(
        console, "check", family / RIO, *(word for one in named for word in ("-c", one)), "--control", sibling,
        "--html", page,
    )  # fmt: skip
    with Bar(console) as bar:
        found = job(family / RIO, candidates=named, control=sibling, progress=bar, command=command)
    found.save(page)
    report = found.report
    console.print(f"{headline(report)}:")
    for one in counted(report):
        console.print(f"- {one.severity} {one.rule} ({place(one.location)}): {one.message}", soft_wrap=False)
    return report
