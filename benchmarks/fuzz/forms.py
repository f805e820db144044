"""Whether an input is still of its form, as a library or a plain rule finds it, not a reader of ours.

What is not, a reader refuses with its first check, and the rest of the reader is not tried: `make fuzz` says the share
of inputs that got further.
"""

from __future__ import annotations

import hashlib
import io
import json
import tomllib
import zipfile
from collections.abc import Callable
from typing import Any

import yaml

from modelprov.checkpoints.fingerprint_file import PARTS


def is_of(form: str, content: bytes) -> bool:
    """Whether `content` gets beyond the first check of a reader of this form."""
    try:
        return FORMS[form](content)
    except Exception:  # libraries say in many ways that it is not
        return False


def taken_apart(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of a safetensors file, and its data; ValueError where there is none."""
    size = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + size])
    if not isinstance(head, dict):
        raise ValueError("no header")
    return head, content[8 + size :]


def digest(head: dict[str, Any], told: str, rest: bytes) -> str:
    """As fingerprints (a length before each part) or sums (all data in one) are signed."""
    found = hashlib.sha256(told.encode())
    names = PARTS.get(str(head["__metadata__"].get("version")), ())
    if names and all(name in head for name in names):
        for name in names:
            start, stop = head[name]["data_offsets"]
            found.update((stop - start).to_bytes(8, "little") + rest[start:stop])
    else:
        found.update(rest)
    return found.hexdigest()


def told_in(metadata: dict[str, Any]) -> list[str]:
    """The keys of one of our own files' metadata under which JSON stands."""
    return [key for key, value in metadata.items() if isinstance(value, str) and value.startswith("{")]


def _safetensors(content: bytes) -> bool:
    taken_apart(content)
    return int.from_bytes(content[:8], "little") <= len(content) - 8


def _signed(content: bytes) -> bool:
    head, rest = taken_apart(content)
    own = head["__metadata__"]
    texts = told_in(own)
    return "sha256" not in own or own["sha256"] == digest(head, str(own.get(texts[0])), rest)


def _gguf(content: bytes) -> bool:
    counts = (content[8:16], content[16:24])
    return content[:4] == b"GGUF" and content[4] in (2, 3) and all(int.from_bytes(c, "little") < 4096 for c in counts)


def _zip(content: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(content)) as held:
        return any(name.endswith("data.pkl") and held.read(name) for name in held.namelist())


def _json(content: bytes) -> bool:
    if content.startswith(b"data:"):
        return any(_json(part.removeprefix(b"data: ")) for part in content.split(b"\n\n")[:-1] if b"{" in part)
    return isinstance(json.loads(content), dict)


def _json_lines(content: bytes) -> bool:
    return all(isinstance(json.loads(line), dict) for line in content.split(b"\n") if line.strip())


def _yaml(content: bytes) -> bool:
    return any(isinstance(event, yaml.MappingStartEvent) for event in list(yaml.parse(content, yaml.CLoader)))


def _toml(content: bytes) -> bool:
    return bool(tomllib.loads(content.decode()))


def _card(content: bytes) -> bool:
    start, front, _ = content.split(b"---\n", 2)
    return not start and _yaml(front)


def _answer(content: bytes) -> bool:
    status, _, _ = content.partition(b"\n")
    return b"\n\n" in content and len(status) == 3 and status.isdigit()


FORMS: dict[str, Callable[[bytes], bool]] = {
    "safetensors": _safetensors, "signed": _signed, "gguf": _gguf, "zip": _zip, "json": _json, "jsonl": _json_lines,
    "yaml": _yaml, "toml": _toml, "card": _card, "answer": _answer,
}  # fmt: skip
