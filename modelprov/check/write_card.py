"""Proposes the front matter that the weights bear out, as a diff of the card that `patch -p1` takes. Writes nothing."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import yaml

from modelprov.check.interface import Candidate, Claims, Measured
from modelprov.check.rules.evidence import absent, candidates, settled
from modelprov.checkpoints.files import read_small_file
from modelprov.errors import UsageError
from modelprov.foreign.yaml_text import YamlError, key_lines

CARD = "README.md"
FRONT = re.compile(r"\A(\ufeff?\s*---[ \t]*\r?\n)(.*?)(^---[ \t]*\r?$)", re.MULTILINE | re.DOTALL)
NO_END = "\\ No newline at end of file\n"
MAX_CARD = 20_000_000


def proposed_changes(claims: Claims, measured: Measured) -> dict[str, object]:
    """Keys of the front matter that the weights settle, with the values they settle; empty where they settle none.

    Only a merge settles anything: other kinship has no direction in time. Nothing is proposed where a declared base
    model was not compared, because it may explain what was found.
    """
    lineage, _ = settled(measured)
    if lineage is None or absent(measured, lineage):
        return {}
    if lineage.verdict != "merge":
        return {}
    declared = [one.value for one in claims.base_models]
    teacher = any(one.kind == "distilled" for one in claims.prose)
    apart = set() if teacher else {one.name.casefold() for one in candidates(measured, lineage.strangers)}
    wanted = [name for name in declared if name.casefold() not in apart]
    wanted += [_name(one) for one in candidates(measured, lineage.parents) if not one.declared]
    changes: dict[str, object] = {}
    if wanted and wanted != declared:
        changes["base_model"] = wanted if len(wanted) > 1 else wanted[0]
    if lineage.held == 1 and (claims.relation is None or claims.relation.value.lower() != "merge"):
        changes["base_model_relation"] = "merge"
    return changes


def card_diff(folder: Path, claims: Claims, changes: dict[str, object]) -> str:
    """A unified diff that makes the card say so; other lines, their ends and a byte order mark stay as they are.

    Raises `UsageError` for a card that is not UTF-8 text or whose front matter does not end.
    """
    name = claims.card or CARD
    text = ""
    if claims.card is not None:
        try:
            text = read_small_file(folder / name, MAX_CARD).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"{name} is not UTF-8 text", "Write the card as UTF-8 first.") from error
    before, after = _lines(text), _lines(_changed(text, changes, name))
    lines = list(difflib.unified_diff(before, after, f"a/{name}" if claims.card else "/dev/null", f"b/{name}"))
    return "".join(line if line.endswith("\n") else f"{line}\n{NO_END}" for line in lines)


def _lines(text: str) -> list[str]:
    """Lines as patch counts them: only a line feed ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+\Z", text)


def _name(candidate: Candidate) -> str:
    """What a card may call it: a path on this machine is no name."""
    return candidate.label if candidate.name == candidate.location else candidate.name


def _changed(text: str, changes: dict[str, object], name: str) -> str:
    found = FRONT.match(text)
    if found is None and re.match(r"\ufeff?\s*---[ \t]*\r?\n\s*[A-Za-z_][\w-]*:", text):
        raise UsageError(f"the front matter of {name} has no closing line of ---", "Close it first.")
    end = "\r\n" if re.match(r"[^\n]*\r\n", text) else "\n"
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    head, front, rest = (found[1], found[2], text[found.end(2) :]) if found else (f"{mark}---{end}", "", "")
    if found is None:
        body = text.removeprefix(mark)
        rest = f"---{end}" + (f"{end}{body}" if body else "")
    for key, value in changes.items():
        block = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=1000)
        front = _replaced(front, key, block.replace("\n", end), name)
    return head + front + rest


def _replaced(front: str, key: str, block: str, name: str) -> str:
    """The front matter with the lines of one top-level key replaced, or added: after `base_model`, else at the end."""
    lines = _lines(front)
    try:
        found = key_lines(front.replace("\r\n", "\n"))
    except YamlError as error:
        raise UsageError(f"the front matter of {name} is not valid YAML", "Correct it first.") from error
    if found is None:
        raise UsageError(f"the front matter of {name} has no keys on lines of their own", "Write `license: mit` so.")
    places = {key: (first, last + 1) for key, (first, last) in found.items()}
    start, stop = places.get(key, (places.get("base_model", (0, len(lines)))[1],) * 2)
    return "".join([*lines[:start], block, *lines[stop:]])
