"""Lies about a valid file: its lengths, offsets, dtypes, shapes, names and numbers, with all else left in order.

Bytes that are changed at random seldom pass a reader's first rule. So each form is taken apart, one or a few things in
it are changed, and it is put together again, with lengths, digests and archives made right. A tenth of all changes
are of bare bytes all the same. Everything follows from a seed.
"""

from __future__ import annotations

import base64
import io
import json
import random
import re
import struct
import tomllib
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import yaml

from benchmarks.fuzz.forms import digest, taken_apart, told_in
from benchmarks.fuzz.lies import LINES, NUMBERS, OTHERS, PARTS, TOKENS, WORDS

MOST = 1 << 16
"""Bytes of an input."""


def mutated(form: str, content: bytes, seed: int) -> bytes:
    """The content with one to four changes of its form."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        change = bare if rng.random() < 0.1 else CHANGES[form]
        try:
            content = change(rng, content)
        except Exception:  # it is no longer of its form, and what takes it apart says so in many ways
            content = bare(rng, content)
    return content[:MOST]


def bare(rng: random.Random, content: bytes) -> bytes:
    """Bytes changed, doubled, cut or put in."""
    at, size = rng.randrange(len(content) + 1), rng.choice((1, 1, 2, 4, 8, 64))
    kind = rng.randrange(5)
    if kind == 0:
        return content[:at] + content[at + size :]
    if kind == 1:
        return content[:at] + rng.randbytes(size) + content[at + size :]
    if kind == 2:
        return content[:at] + content[at : at + size] * rng.choice((2, 3, 50)) + content[at + size :]
    if kind == 3:
        return content[:at] + rng.choice(TOKENS) + content[at:]
    return content[:at]


def _value(rng: random.Random, old: Any) -> Any:
    """Another value, often of the same type; a text that holds JSON, as metadata do, often with a lie in it."""
    if isinstance(old, str) and old[:1] in ("{", "[") and rng.random() < 0.8:
        return as_json(rng, old.encode("utf-8", "surrogatepass")).decode()
    if type(old) is int and rng.random() < 0.4:
        return old + rng.choice((-1, 1, -old, old, 2**32, 2**63))
    if isinstance(old, str) and rng.random() < 0.3:
        return rng.choice((old.upper(), old + old, old[:-1], old + ".weight", old.replace("0", "1"), old + "\n"))
    same = WORDS if isinstance(old, str) else NUMBERS if isinstance(old, int | float) else OTHERS
    return rng.choice(rng.choice((same, same, NUMBERS, WORDS, OTHERS)))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in plain data as (its list or object, the key or number in it)."""
    found, left = [], [value]
    while left and len(found) < 20_000:
        inside = left.pop()
        keys = list(inside) if isinstance(inside, dict) else range(len(inside)) if isinstance(inside, list) else ()
        for key in keys:
            found.append((inside, key))
            left.append(inside[key])
    return found


def data(rng: random.Random, value: Any) -> Any:
    """Plain data with one place changed: its value, its key, its presence, its depth."""
    places = _places(value)
    if not places:
        return rng.choice(OTHERS)
    inside, key = rng.choice(places)
    kind = rng.randrange(8)
    if kind < 3:
        inside[key] = _value(rng, inside[key])
    elif kind == 3:
        del inside[key]
    elif kind == 4 and isinstance(inside, dict):
        inside[str(_value(rng, key))] = inside.pop(key)
    elif kind == 5:
        inside[key] = rng.choice(([inside[key]], {"a": inside[key]}, [inside[key]] * 9))
    elif kind == 6:
        other, where = rng.choice(places)
        inside[key] = json.loads(json.dumps(other.get(where) if isinstance(other, dict) else other[where]))
    elif isinstance(inside, dict):
        inside[rng.choice(WORDS)] = _value(rng, inside[key])
    else:
        inside.insert(key, _value(rng, inside[key]))
    return value


def as_json(rng: random.Random, content: bytes) -> bytes:
    """JSON, or the events of a stream that hold some, with a place changed; or a member given twice."""
    if content.startswith(b"data:"):
        parts = content.split(b"\n\n")
        at = rng.randrange(len(parts))
        parts[at] = b"data: " + as_json(rng, parts[at].removeprefix(b"data: "))
        return b"\n\n".join(parts)
    told = json.loads(content)
    if isinstance(told, dict) and isinstance(told.get("payload"), str) and rng.random() < 0.7:
        told["payload"] = base64.b64encode(as_json(rng, base64.b64decode(told["payload"]))).decode()
        return json.dumps(told).encode()
    written = json.dumps(data(rng, told)).encode()
    if rng.random() < 0.03 and written.startswith(b"{") and (name := re.search(rb'"[^"]*": ', written)):
        return b"{" + name[0] + b"null, " + written[1:]
    return written


def json_lines(rng: random.Random, content: bytes) -> bytes:
    """Lines of JSON, one of them changed, doubled or dropped."""
    parts = content.split(b"\n")
    if rng.random() < 0.9:
        at = rng.choice([at for at, part in enumerate(parts) if part.strip()])
        parts[at] = as_json(rng, parts[at])
        return b"\n".join(parts)
    return lines(rng, content)


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
        head[str(_value(rng, name))] = head.pop(name)
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


def lines(rng: random.Random, content: bytes) -> bytes:
    """Text with a line doubled, dropped, moved in or out, or a value in it as another."""
    parts = content.split(b"\n")
    at = rng.randrange(len(parts))
    line = parts[at]
    kind = rng.randrange(7)
    if kind == 0:
        parts.insert(rng.randrange(len(parts)), line)
    elif kind == 1:
        del parts[at]
    elif kind == 2:
        parts[at] = rng.choice((b"  " + line, b"- " + line, line.lstrip(), line[:-1], b"? " + line))
    elif kind == 3 and re.search(rb"[:=|]", line):
        key, mark, _ = re.split(rb"([:=|])", line, maxsplit=1)
        parts[at] = key + mark + b" " + json.dumps(_value(rng, rng.choice(("", 1, [])))).encode()
    elif kind == 4:
        parts[at] = line * rng.choice((2, 40))
    elif kind == 5:
        where = rng.randrange(len(line) + 1)
        parts[at] = line[:where] + rng.choice(TOKENS) + line[where:]
    else:
        parts[at] = re.sub(rb"[0-9.]+", str(rng.choice(NUMBERS)).encode(), line)
    return b"\n".join(parts)


def as_yaml(rng: random.Random, content: bytes) -> bytes:
    """Documents of YAML, a place in them changed; often written as JSON, which is YAML too. Or a line changed."""
    if rng.random() < 0.35:
        return lines(rng, content)
    every = data(rng, list(yaml.load_all(content, yaml.CSafeLoader)))
    short = rng.random() < 0.5
    written = [json.dumps(each) if short else yaml.dump(each, Dumper=yaml.CSafeDumper) for each in every]
    return "\n---\n".join(written).encode("utf-8", "surrogatepass")


def toml(rng: random.Random, content: bytes) -> bytes:
    """Settings with a place changed, their tables written in a line; or a line changed."""
    if rng.random() < 0.35:
        return lines(rng, content)
    told = data(rng, tomllib.loads(content.decode()))
    return "".join(f"{json.dumps(key)} = {_in_a_line(value)}\n" for key, value in told.items()).encode()


def _in_a_line(value: Any) -> str:
    """As TOML writes a value; it knows no null."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_in_a_line(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_in_a_line, value)) + "]"
    return str(value) if isinstance(value, float) else json.dumps("" if value is None else value)


def card(rng: random.Random, content: bytes) -> bytes:
    """A card with its front matter, or a line below it, changed."""
    start, front, body = content.split(b"---\n", 2)
    if rng.random() < 0.5:
        front = as_yaml(rng, front).rstrip() + b"\n"
    else:
        body = lines(rng, body)
    return b"---\n".join((start, front, body))


def answer(rng: random.Random, content: bytes) -> bytes:
    """An answer with another status, a header more, or one changed."""
    head, _, body = content.partition(b"\n\n")
    kind = rng.randrange(4)
    if kind == 0:
        _, _, rest = head.partition(b"\n")
        head = rng.choice((b"200", b"206", b"302", b"416", b"429", b"503", b"404", b"999")) + b"\n" + rest
    elif kind == 1:
        head += b"\n" + rng.choice(LINES)
    elif kind == 2:
        head = lines(rng, head)
    else:
        body = body[: rng.randrange(len(body) + 1)]
    return head + b"\n\n" + body


CHANGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "safetensors": safetensors, "signed": signed, "gguf": gguf, "zip": archive, "json": as_json, "jsonl": json_lines,
    "yaml": as_yaml, "toml": toml, "card": card, "answer": answer,
}  # fmt: skip
