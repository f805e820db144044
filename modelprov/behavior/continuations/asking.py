"""Asks local and served models for the one token that follows a text, most likely first. Compares nothing.

All models of a run are asked in the same way: raw text (`completions`), or as a user's message where the suspect's
server takes no raw text (`chat`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelprov.behavior.continuations.prompts import kept
from modelprov.behavior.continued import Way
from modelprov.behavior.probing.answer_log import AnswerLog, Spoken
from modelprov.behavior.probing.speakers import NOT_SERVED
from modelprov.behavior.records import digest
from modelprov.errors import EndpointError, UsageError

if TYPE_CHECKING:
    from modelprov.behavior.loading import LocalModel
    from modelprov.behavior.probing.endpoints import Endpoint

SERVED = 64  # answers of a server between two writes of the log
REPEATED = 16  # prompts that a server is asked twice


@dataclass(frozen=True)
class Asking:
    """What is asked of every model: the texts, in which way, so many at once; answers are kept in the log.

    `on_done` is called with how many more answers there are.
    """

    texts: Sequence[str]
    way: Way
    at_once: int
    log: AnswerLog
    on_done: Callable[[int], None]


def local_answers(model: LocalModel, asking: Asking) -> list[str]:
    """The greedy next token of each text, as text.

    Raises `UsageError` where the way is `chat` and the model has no template, or it refuses a message.
    """
    ids = token_ids(model, asking.texts, asking.way)

    def answered(places: Sequence[int]) -> list[str]:
        return _next(model, [ids[place] for place in places], asking.at_once)

    return _kept_answers(f"{model.digest} {model.model.dtype}", asking, answered, len(ids))


def served_answers(endpoint: Endpoint, asking: Asking) -> list[str]:
    """The same of a served model: one token at temperature 0."""

    def answered(places: Sequence[int]) -> list[str]:
        with ThreadPoolExecutor(max(1, asking.at_once)) as pool:
            return list(pool.map(lambda place: served(endpoint, asking.texts[place], asking.way), places))

    return _kept_answers(f"{endpoint.url} {endpoint.model}", asking, answered, SERVED)


def served(endpoint: Endpoint, text: str, way: Way) -> str:
    """One answer of a served model; thoughts count as what it says."""
    if way == "completions":
        reply = endpoint.complete(text, temperature=0.0, max_tokens=1)
    else:
        reply = endpoint.chat([{"role": "user", "content": text}], temperature=0.0, max_tokens=1)
    return reply.text or reply.thinking or ""


def way_of(endpoint: Endpoint, text: str) -> Way:
    """`completions`, or `chat` where the server takes no raw text."""
    try:
        served(endpoint, text, "completions")
    except EndpointError as error:
        if error.status not in NOT_SERVED:
            raise
        return "chat"
    return "completions"


def repeats(endpoint: Endpoint, texts: Sequence[str], answers: Sequence[str], way: Way) -> int:
    """How many of the first answers come again when asked again."""
    again = [kept(served(endpoint, text, way)) for text in texts[:REPEATED]]
    return sum(a == b for a, b in zip(again, answers, strict=False))


def _kept_answers(
    who: str, asking: Asking, answered: Callable[[Sequence[int]], list[str]], batch: int
) -> list[str]:  # fmt: skip
    keys = [digest(["continuation", who, asking.way, text]) for text in asking.texts]
    missing = [place for place, key in enumerate(keys) if asking.log.get(key) is None]
    asking.on_done(len(keys) - len(missing))
    for start in range(0, len(missing), batch):
        part = missing[start : start + batch]
        asking.log.put_all(
            (keys[place], Spoken(None, said, True), {"continued": asking.texts[place], "way": asking.way})
            for place, said in zip(part, answered(part), strict=True)
        )
        asking.on_done(len(part))
    found = [asking.log.get(key) for key in keys]
    return [kept(each.final or "") if each is not None else "" for each in found]


def token_ids(model: LocalModel, texts: Sequence[str], way: Way) -> list[list[int]]:
    """Token ids; raw text with whatever the tokenizer puts before it, as servers do."""
    raw = way == "completions"
    asked = texts if raw else _rendered(model, texts)
    return [[int(each) for each in model.tokenizer.encode(text, add_special_tokens=raw)] for text in asked]


def _rendered(model: LocalModel, texts: Sequence[str]) -> list[str]:
    """Each text as a user's message in the model's template, all in one process."""
    if model.template is None:
        raise UsageError(f"{model.label} has no chat template", "The suspect's server can only be asked by chat.")
    jobs: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": text}], "tools": None, "documents": None,
         "add_generation_prompt": True, **model.tokenizer.special_tokens_map}
        for text in texts
    ]  # fmt: skip
    rendered = model.renderer.render(model.template, jobs)
    failed = next((each for each in rendered if not each.text), None)
    if failed is not None:
        raise UsageError(f"the chat template of {model.label} fails: {failed.error or 'it is empty'}", "Check it.")
    return [each.text or "" for each in rendered]


def _next(model: LocalModel, prompts: Sequence[Sequence[int]], at_once: int) -> list[str]:
    """Greedy tokens as text. Only prompts of one length share a batch, so that nothing is padded."""
    import torch

    found: dict[int, str] = {}
    for places in _of_one_length(prompts, at_once):
        ids = torch.tensor([prompts[place] for place in places], device=model.model.device)
        with torch.inference_mode():
            logits = model.model(input_ids=ids, use_cache=False).logits[:, -1]
        for place, token in zip(places, logits.argmax(-1).tolist(), strict=True):
            found[place] = _text(model, token)
    return [found[place] for place in range(len(prompts))]


def _of_one_length(prompts: Sequence[Sequence[int]], at_once: int) -> Iterator[list[int]]:
    lengths: dict[int, list[int]] = {}
    for place, prompt in enumerate(prompts):
        lengths.setdefault(len(prompt), []).append(place)
    for places in lengths.values():
        for start in range(0, len(places), at_once):
            yield places[start : start + at_once]


def _text(model: LocalModel, token: int) -> str:
    """As a server says it: nothing for what ends the text."""
    if token in model.eos:
        return ""
    decoded: Any = model.tokenizer.decode([token], skip_special_tokens=True)
    return str(decoded)


def vocabulary_digest(tokenizer: Any) -> str:
    """A digest of all tokens and their numbers: equal where two models cut texts into the same tokens."""
    return digest(sorted((text, int(number)) for text, number in tokenizer.get_vocab().items()))
