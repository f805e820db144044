"""Changes of files of weights, and of our own files, which are signed: what follows from a change is made right."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from functools import lru_cache
from typing import Any

from benchmarks.fuzz.changing_data import another, as_json, bare, data
from benchmarks.fuzz.forms import digest, taken_apart, told_in
from benchmarks.fuzz.lies import NUMBERS, PARTS


def _together(rng: random.Random, head: Any, rest: bytes) -> bytes:
    written = json.dumps(head).encode()
    size = rng.choice(NUMBERS[:24]) if rng.random() < 0.05 else len(written)
    return (int(size) % 2**64).to_bytes(8, "little") + written + rest


def safetensors(rng: random.Random, content: bytes) -> bytes:
    """A header with a place changed, or offsets that run on for a changed shape; the data as it was, or cut."""
    head, rest = taken_apart(content)
    names = [name for name in head if name != "__metadata__"]
    kind = rng.randrange(6)
    if kind == 0 and names:
        entry, other, key = head[rng.choice(names)], head[rng.choice(names)], rng.choice(PARTS)
        entry[key] = other[key]
    elif kind == 1 and names:
        name = rng.choice(names)
        head[str(another(rng, name))] = head.pop(name)
    elif kind == 2:
        rest = rest[: rng.randrange(len(rest) + 1)] if rng.random() < 0.5 else rest + bytes(rng.randrange(64))
    else:
        head = data(rng, head)
    return _together(rng, head, rest)


def signed(rng: random.Random, content: bytes) -> bytes:
    """One of our own files: what its metadata tell, its tensors or its data changed, and its digest made right."""
    head, rest = taken_apart(content)
    own = head["__metadata__"]
    texts = told_in(own)
    if "headers" in head and rng.random() < 0.2:
        rest = _packed_header(rng, head, rest)
    elif texts and rng.random() < 0.6:
        key = rng.choice(texts)
        own[key] = json.dumps(data(rng, json.loads(own[key])))
    elif rng.random() < 0.4 and rest:
        at = rng.randrange(0, len(rest), 8)
        rest = rest[:at] + struct.pack("<Q", int(rng.choice(NUMBERS[:23])) % 2**64)[: len(rest) - at] + rest[at + 8 :]
    else:
        head = data(rng, head)
    if texts and isinstance(head.get("__metadata__"), dict) and "sha256" in head["__metadata__"]:
        head["__metadata__"]["sha256"] = digest(head, str(head["__metadata__"].get(texts[0])), rest)
    return _together(rng, head, rest)


def _packed_header(rng: random.Random, head: dict[str, Any], rest: bytes) -> bytes:
    """The data of a fingerprint whose checkpoint has another header, with all sizes made right."""
    start, stop = head["headers"]["data_offsets"]
    text = as_json(rng, zlib.decompress(rest[start:stop]))
    packed = zlib.compress(text)
    own = json.loads(head["__metadata__"]["manifest"])
    own["header_bytes"] = [len(text)]
    head["__metadata__"]["manifest"] = json.dumps(own)
    more = len(packed) - (stop - start)
    for name, entry in head.items():
        if name != "__metadata__" and entry["data_offsets"][0] >= stop:
            entry["data_offsets"] = [each + more for each in entry["data_offsets"]]
    head["headers"] |= {"shape": [len(packed)], "data_offsets": [start, start + len(packed)]}
    return rest[:start] + packed + rest[stop:]


@lru_cache(maxsize=512)
def _gguf_places(content: bytes) -> tuple[list[int], list[int]]:
    """Where lengths, counts and offsets seem to stand in the first kilobytes, and where names do."""
    end = min(len(content), 1 << 13)
    lengths = [
        at for at in range(8, end - 8) if 0 <= int.from_bytes(content[at : at + 8], "little") < 1 << 16
        and content[at] and not content[at + 3]
    ]  # fmt: skip
    return lengths, [found.start() for found in re.finditer(rb"[a-z]{3,}[.a-z_0-9]*", content[:end])]


def gguf(rng: random.Random, content: bytes) -> bytes:
    """A number of the header as another: counts, lengths, types, sides, offsets; or a name."""
    lengths, names = _gguf_places(content)
    if rng.random() < 0.25:
        at = rng.choice(names)
        return content[:at] + rng.choice((b"\xff", b"\x00", b"9", b".", b"q")) + content[at + 1 :]
    at = rng.choice(lengths)
    size = rng.choice((4, 8))
    old = int.from_bytes(content[at : at + size], "little")
    new = rng.choice((old + 1, old - 1, old * 2, *(int(each) for each in NUMBERS[:20])))
    return content[:at] + (new % 2 ** (8 * size)).to_bytes(size, "little") + content[at + size :]


def archive(rng: random.Random, content: bytes) -> bytes:
    """An archive of torch.save with its pickle, a record, a name or its packing changed; or its directory."""
    if rng.random() < 0.1:
        at = rng.randrange(max(0, len(content) - 600), len(content))
        return content[:at] + rng.randbytes(rng.choice((1, 2, 4))) + content[at + 1 :]
    with zipfile.ZipFile(io.BytesIO(content)) as held:
        records = [(entry.filename, held.read(entry)) for entry in held.infolist()]
    at = next((n for n, (name, _) in enumerate(records) if name.endswith("data.pkl")), 0)
    at = at if rng.random() < 0.8 else rng.randrange(len(records))
    name, held_bytes = records[at]
    if rng.random() < 0.1:
        name = rng.choice((name + "x", "data.pkl", "a/data/0", "../x", ""))
    else:
        held_bytes = _pickle(rng, held_bytes)
    records[at] = (name, held_bytes)
    buffer = io.BytesIO()
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.05 else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", packing) as written:
        for each, value in records:
            written.writestr(each, value)
    return buffer.getvalue()


def _pickle(rng: random.Random, content: bytes) -> bytes:
    """Small whole numbers, texts or operations as others."""
    numbers = [found.start() for found in re.finditer(rb"K.|M..|J....", content, re.DOTALL)]
    texts = list(re.finditer(rb"X(.)\x00\x00\x00([ -~]+)", content, re.DOTALL))
    kind = rng.randrange(4)
    if kind == 0 and numbers:
        at = rng.choice(numbers)
        return content[:at] + b"J" + struct.pack("<i", rng.choice((0, 1, -1, 5, 2**31 - 1, 4096))) + content[at + 2 :]
    if kind == 1 and texts:
        found = rng.choice(texts)
        new = rng.choice((b"", b"1", b"cuda:0", b"meta", b"x" * 300, b"\xff", b"weight", b"0" * 40))
        return content[: found.start()] + b"X" + struct.pack("<I", len(new)) + new + content[found.end() :]
    if kind == 2:
        classes = (
            b"ctorch\nLongStorage\n",
            b"cos\nsystem\n",
            b"ctorch\nQInt8Storage\n",
            b"ccollections\nOrderedDict\n",
        )
        at = content.find(b"ctorch\n")
        end = content.find(b"\n", content.find(b"\n", at) + 1) + 1
        return content[:at] + rng.choice(classes) + content[end:] if at >= 0 else bare(rng, content)
    return bare(rng, content)
