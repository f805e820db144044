"""Changes of bare bytes, of plain data, and of the JSON that holds it."""

from __future__ import annotations

import base64
import json
import random
import re
from typing import Any

from benchmarks.fuzz.lies import NUMBERS, OTHERS, TOKENS, WORDS


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


def another(rng: random.Random, old: Any) -> Any:
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
        inside[key] = another(rng, inside[key])
    elif kind == 3:
        del inside[key]
    elif kind == 4 and isinstance(inside, dict):
        inside[str(another(rng, key))] = inside.pop(key)
    elif kind == 5:
        inside[key] = rng.choice(([inside[key]], {"a": inside[key]}, [inside[key]] * 9))
    elif kind == 6:
        other, where = rng.choice(places)
        inside[key] = json.loads(json.dumps(other.get(where) if isinstance(other, dict) else other[where]))
    elif isinstance(inside, dict):
        inside[rng.choice(WORDS)] = another(rng, inside[key])
    else:
        inside.insert(key, another(rng, inside[key]))
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
