"""Proposes the front matter that the weights bear out, as a diff of the card. Writes nothing."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import yaml

from modelprov.check.interface import Claims, Measured
from modelprov.check.rules.lineage import MIXED
from modelprov.checkpoints.header import read_small_file

CARD = "README.md"
FRONT = re.compile(r"\A(\ufeff?)---[ \t]*\n(.*?)^---[ \t]*\n?", re.MULTILINE | re.DOTALL)
RELATIONS = {"finetune": "finetune", **dict.fromkeys(MIXED, "merge")}
MAX_CARD = 20_000_000


def proposed_changes(claims: Claims, measured: Measured) -> dict[str, object]:
    """Keys of the front matter that the weights settle, with the values they settle; empty where they settle none.

    A finetune settles no base model (weights give it no direction in time) unless the card names one already.
    """
    lineage = measured.lineage
    if lineage is None:
        return {}
    names = {one.label: one.name for one in measured.candidates}
    parents = [names.get(label, label) for label in lineage.parents]
    declared = [one.value for one in claims.base_models]
    changes: dict[str, object] = {}
    if lineage.verdict in (*MIXED, "copy"):
        absent = [name for name in parents if name.casefold() not in {one.casefold() for one in declared}]
        strangers = {names.get(label, label).casefold() for label in lineage.strangers}
        kept = [name for name in declared if name.casefold() not in strangers]
        wanted = [*kept, *absent]
        if wanted != declared:
            changes["base_model"] = wanted if len(wanted) > 1 else wanted[0]
    relation = RELATIONS.get(lineage.verdict)
    said = claims.relation.value.lower() if claims.relation is not None else None
    if relation == "merge" and said != "merge":
        changes["base_model_relation"] = relation
    return changes


def card_diff(folder: Path, claims: Claims, changes: dict[str, object]) -> str:
    """A unified diff that makes the card say so; lines that need no change stay as they are written."""
    name = claims.card or CARD
    path = folder / name
    text = read_small_file(path, MAX_CARD).decode("utf-8", "replace") if claims.card is not None else ""
    after = _changed(text, changes)
    lines = difflib.unified_diff(
        text.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def _changed(text: str, changes: dict[str, object]) -> str:
    found = FRONT.match(text)
    mark, front, rest = (found[1], found[2], text[found.end() :]) if found else ("", "", text)
    for key, value in changes.items():
        block = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True)
        front = _replaced(front, key, block)
    return f"{mark}---\n{front}---\n{rest}"


def _replaced(front: str, key: str, block: str) -> str:
    """The front matter with the lines of one top-level key replaced, or with the key added at its end."""
    own = re.compile(rf"^{re.escape(key)}[ \t]*:.*\n(?:(?:[ \t]+|-[ \t]).*\n)*", re.MULTILINE)
    if own.search(front):
        return own.sub(lambda _: block, front, count=1)
    return front + ("" if not front or front.endswith("\n") else "\n") + block
