"""Changes of text in lines: JSON lines, YAML, TOML, cards, answers of servers."""

from __future__ import annotations

import json
import random
import re
import tomllib
from typing import Any

import yaml

from benchmarks.fuzz.changing_data import another, as_json, data
from benchmarks.fuzz.lies import LINES, NUMBERS, TOKENS


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
        parts[at] = key + mark + b" " + json.dumps(another(rng, rng.choice(("", 1, [])))).encode()
    elif kind == 4:
        parts[at] = line * rng.choice((2, 40))
    elif kind == 5:
        where = rng.randrange(len(line) + 1)
        parts[at] = line[:where] + rng.choice(TOKENS) + line[where:]
    else:
        parts[at] = re.sub(rb"[0-9.]+", str(rng.choice(NUMBERS)).encode(), line)
    return b"\n".join(parts)


def json_lines(rng: random.Random, content: bytes) -> bytes:
    """Lines of JSON, one of them changed, doubled or dropped."""
    parts = content.split(b"\n")
    if rng.random() < 0.9:
        at = rng.choice([at for at, part in enumerate(parts) if part.strip()])
        parts[at] = as_json(rng, parts[at])
        return b"\n".join(parts)
    return lines(rng, content)


def as_yaml(rng: random.Random, content: bytes) -> bytes:
    """Documents of YAML, a place in them changed; often written as JSON, which is YAML too. Or a line changed."""
    if rng.random() < 0.2:
        return lines(rng, content)
    every = data(rng, list(yaml.load_all(content, yaml.CSafeLoader)))
    short = rng.random() < 0.5
    written = [json.dumps(each) if short else yaml.dump(each, Dumper=yaml.CSafeDumper) for each in every]
    return "\n---\n".join(written).encode("utf-8", "surrogatepass")


def toml(rng: random.Random, content: bytes) -> bytes:
    """Settings with a place changed, their tables written in a line; or a line changed."""
    if rng.random() < 0.15:
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
