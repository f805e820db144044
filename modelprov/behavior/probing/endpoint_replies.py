"""What an OpenAI-compatible endpoint answered, read from the bytes it sent. Pure: no network, nothing is retried here.

Bodies are hostile input: anything may be missing, of another type, or cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from modelprov.behavior.probing.endpoint_logprobs import logprobs_of
from modelprov.behavior.thinking import FIELDS, split, thought_in
from modelprov.errors import EndpointError
from modelprov.foreign.json_text import JsonError, parse_json

ENDED = ("stop", "tool_calls", "function_call")
"""Values of `finish_reason` that say that the model ended its answer by itself."""

QUOTED = 300
"""Characters of a server's own words that a message repeats."""

SHAPE = "Check that the URL is that of an OpenAI-compatible endpoint (it usually ends in /v1)."
AGAIN = "Try again later; look at the server's log if it goes on."


@dataclass(frozen=True)
class Reply:
    """One answer of a served model.

    `text` is what follows the thinking, empty for a thought that never ended; `thinking` is None where there was none.
    `finished` says that the model ended the answer itself, not a limit. The counts are the server's own, None where
    it gives none. `notes` say what came in place of an answer (a tool call, a filter) and what of it is left out here.
    `served_model` and `fingerprint` are the model and the set-up (`system_fingerprint`) that the reply names.
    `logprobs` are those of the first token, by token, where they were asked for and came.
    """

    text: str
    thinking: str | None
    finished: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    notes: tuple[str, ...] = ()
    served_model: str | None = None
    fingerprint: str | None = None
    logprobs: Mapping[str, float] | None = None


def reply_from_body(body: bytes) -> Reply:
    """The reply in one JSON document, of chat or of completions.

    Raises `EndpointError`: passing for a body that is not JSON (cut, say), final for JSON of another shape.
    """
    document = json_object(body)
    _raise_reported(document)
    choice = _first(document.get("choices"))
    if choice is None:
        raise EndpointError(f"the endpoint answered without 'choices': {quoted(body)}", SHAPE)
    said = _said(choice, "message")
    if said.text is None and said.thought is None and not said.notes:
        raise EndpointError(f"the endpoint answered with neither text nor message: {quoted(body)}", SHAPE)
    reason = choice.get("finish_reason")
    reply = _reply(said.text or "", said.thought, reason, document.get("usage"), said.notes, document)
    return replace(reply, logprobs=logprobs_of(choice))


def reply_from_stream(body: bytes) -> Reply:
    """The reply in a whole stream of server-sent events (WHATWG HTML, "Server-sent events").

    It is complete once a chunk gives a `finish_reason` or `[DONE]` came; raises a passing `EndpointError` otherwise:
    half an answer is none.
    """
    text: list[str] = []
    thoughts: list[str] = []
    notes: dict[str, None] = {}
    reason: object = None
    usage: object = None
    names: dict[str, Any] = {}
    done = begun = False
    for data in events(body):
        if data.strip() == "[DONE]":
            done = True
            break
        chunk = json_object(data.encode("utf-8", "replace"))
        _raise_reported(chunk)
        usage = chunk.get("usage") or usage
        names |= {name: chunk[name] for name in ("model", "system_fingerprint") if chunk.get(name)}
        choice = _first(chunk.get("choices"))
        if choice is None:
            continue
        begun = True
        said = _said(choice, "delta")
        text.append(said.text or "")
        thoughts.append(said.thought or "")
        notes |= dict.fromkeys(said.notes)
        reason = choice.get("finish_reason") or reason
    if done and not begun:
        raise EndpointError(f"the endpoint streamed no 'choices': {quoted(body)}", SHAPE)
    if not done and reason is None:
        raise EndpointError(f"the stream was cut, {len(body)} bytes after its beginning", AGAIN, passing=True)
    return _reply("".join(text), "".join(thoughts) or None, reason, usage, tuple(notes), names)


def events(body: bytes) -> Iterator[str]:
    """The data of each server-sent event; comments, names and an unfinished last event are left out."""
    lines = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    data: list[str] = []
    for line in lines[:-1]:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if "[DONE]" in (lines[-1].removeprefix("data:").strip(), *data[-1:]):  # without the empty line after it
        yield "[DONE]"


def models_from_body(body: bytes) -> list[str]:
    """The names in the answer of `/models`, as the server orders them."""
    found = json_object(body).get("data")
    if not isinstance(found, list):
        raise EndpointError(f"the endpoint lists no models: {quoted(body)}", SHAPE)
    return [printable(one["id"]) for one in found if isinstance(one, dict) and isinstance(one.get("id"), str)]


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises `EndpointError`, passing unless the body looks like a web page."""
    try:
        found = parse_json(body.decode("utf-8", "replace"), unique=True, finite=True)
    except JsonError as error:
        if body.lstrip().startswith(b"<"):
            raise EndpointError(f"the endpoint answered with a web page: {quoted(body)}", SHAPE) from error
        raise EndpointError(f"the endpoint answered with broken JSON: {quoted(body)}", AGAIN, passing=True) from error
    if not isinstance(found, dict):
        raise EndpointError(f"the endpoint answered with JSON that is no object: {quoted(body)}", SHAPE)
    return found


def server_words(body: bytes) -> str:
    """What a server says about its failure (OpenAI's, FastAPI's or plain text), for a message; may be empty."""
    try:
        found = parse_json(body.decode("utf-8", "replace"))
    except JsonError:
        return "" if not body.strip() or body.lstrip().startswith(b"<") else quoted(body)
    for name in ("error", "detail", "message"):
        inner = found.get(name) if isinstance(found, dict) else None
        if isinstance(inner, dict):
            inner = inner.get("message")
        if isinstance(inner, str):
            return quoted(inner.encode("utf-8", "replace"))
    return quoted(body) if found else ""


def quoted(body: bytes) -> str:
    """The beginning of a server's words on one line, without control characters (they could steer a terminal)."""
    text = " ".join(printable(body[: 4 * QUOTED].decode("utf-8", "replace")).split())
    return (text if len(text) <= QUOTED else text[:QUOTED] + "...") or "(nothing)"


def printable(text: str) -> str:
    """`text` with a blank for every character that does not print."""
    return "".join(one if one.isprintable() else " " for one in text)


def _raise_reported(document: dict[str, Any]) -> None:
    """Some servers report a failure with status 200, or in the middle of a stream."""
    if document.get("error") or document.get("object") == "error":
        words = server_words(json.dumps(document).encode())
        raise EndpointError(f"the endpoint reports a failure: {words}", AGAIN, passing=True)


def _first(choices: object) -> dict[str, Any] | None:
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    return None


@dataclass(frozen=True)
class _Said:
    """Text and thought of a choice, None where neither is, and what else it holds."""

    text: str | None
    thought: str | None = None
    notes: tuple[str, ...] = ()


def _said(choice: dict[str, Any], message: str) -> _Said:
    """What a choice holds: completions have `text`, chat a `message` or `delta`."""
    inner = choice.get(message)
    if not isinstance(inner, dict):
        return _Said(_string(choice.get("text")))
    content, notes = inner.get("content"), []
    thoughts = [one for one in (_string(inner.get(name)) for name in FIELDS) if one][:1]
    parts = content if isinstance(content, list) else []
    details = inner.get("reasoning_details")
    for part in [*parts, *(details if isinstance(details, list) and not thoughts else [])]:
        thought = thought_in(part) if isinstance(part, dict) else None
        if thought:
            thoughts.append(thought)
        elif thought is not None:
            notes.append("a thought that cannot be read (encrypted) was left out")
    if isinstance(content, list):
        texts = [one for one in parts if isinstance(one, dict) and thought_in(one) is None]
        other = {str(one.get("type"))[:40] for one in texts if not isinstance(one.get("text"), str)}
        notes += [f"parts of the type {printable(kind)!r} were left out" for kind in sorted(other)]
        content = "".join(one["text"] for one in texts if isinstance(one.get("text"), str))
    if inner.get("tool_calls") or inner.get("function_call"):
        notes.append("a tool call in place of an answer" if not content else "a tool call beside the answer")
    if isinstance(refusal := inner.get("refusal"), str) and refusal:
        notes.append("a refusal")
        content = content or refusal
    return _Said("" if content is None else _string(content), "\n".join(thoughts) or None, tuple(dict.fromkeys(notes)))


def _reply(
    text: str, thought: str | None, reason: object, usage: object, notes: tuple[str, ...], named: dict[str, Any]
) -> Reply:
    inside, answer = split(text) if thought is None else (thought, text)
    answer = text if inside is None else answer
    counts = usage if isinstance(usage, dict) else {}
    if reason == "content_filter":
        notes = (*notes, "stopped by the server's filter")
    elif not (answer or "").strip() and not notes and reason in ENDED:
        notes = ("an empty answer",)
    return Reply(
        text=_storable(answer or ""),
        thinking=None if inside is None else _storable(inside),
        finished=reason in ENDED,
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
        notes=notes,
        served_model=_name(named.get("model")),
        fingerprint=_name(named.get("system_fingerprint")),
    )


def _name(value: object) -> str | None:
    """A name that a reply gives, fit for a message; None for none."""
    return printable(_storable(value))[:80] or None if isinstance(value, str) else None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _storable(text: str) -> str:
    """`text` without lone surrogates, which JSON can name and no file can hold; pairs become their character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
