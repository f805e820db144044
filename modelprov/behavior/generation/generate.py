"""Generates answers to prompts with a method: what other parts call, and the methods with their defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from modelprov.behavior.generation.answers import begun_answer, parts, text_of
from modelprov.behavior.generation.batching import Batches
from modelprov.behavior.generation.decoder import Decoder, Running, context_of
from modelprov.behavior.generation.interface import METHODS, Answer, Method, Sampling, SoftThinking, SwiReasoning
from modelprov.behavior.generation.vocabulary import Vocabulary, look_up
from modelprov.behavior.loading import LocalModel
from modelprov.errors import UsageError

_SAMPLING = tuple(one.name for one in fields(Sampling))
_SWIR = tuple(one.name for one in fields(SwiReasoning))
_SOFT = ("noise_temperature", "width")
SETTINGS = ("max_new_tokens", "thinking_budget", *_SAMPLING, *_SWIR, *_SOFT)
"""Every setting that `method_of` knows."""


def method_of(name: str, **overrides: Any) -> Method:
    """The method called `name` with its defaults, and settings (`SETTINGS`) in place of them.

    A setting that is None keeps the default, and one that only other methods have is left aside, so one set of
    settings serves several methods. `thinking_budget` is half of `max_new_tokens` unless given. Raises `UsageError` for
    an unknown name or setting and for a value outside its range.
    """
    if name not in METHODS:
        raise UsageError(f"there is no method {name!r}", f"Methods are {', '.join(METHODS)}.")
    unknown = sorted(set(overrides) - set(SETTINGS))
    if unknown:
        raise UsageError(f"there is no setting {', '.join(unknown)}", f"Settings are {', '.join(SETTINGS)}.")
    given = {key: value for key, value in overrides.items() if value is not None}
    if name == "cot-greedy":
        given["greedy"] = True
    max_new_tokens = given.get("max_new_tokens", Method.max_new_tokens)
    budget = given.get("thinking_budget", max_new_tokens // 2)
    method = Method(
        name=name,
        sampling=Sampling(**{key: value for key, value in given.items() if key in _SAMPLING}),
        max_new_tokens=max_new_tokens,
        thinking_budget=budget if name == "cot-budget" else None,
        swir=SwiReasoning(**{key: value for key, value in given.items() if key in _SWIR}) if name == "swir" else None,
        soft=_soft(name, {key: value for key, value in given.items() if key in _SOFT}),
    )
    check(method)
    return method


def _soft(name: str, given: dict[str, Any]) -> SoftThinking | None:
    kinds = {"soft-gumbel": "gumbel", "multiplex": "multiplex"}
    return SoftThinking(kind=kinds[name], **given) if name in kinds else None


def check(method: Method) -> None:
    """Raise `UsageError` where a setting is outside its range."""
    sampling, swir, soft = method.sampling, method.swir or SwiReasoning(), method.soft or SoftThinking()
    switches, budget = swir.max_switches, method.thinking_budget
    rules = {
        "max_new_tokens must be at least 1": method.max_new_tokens >= 1,
        "thinking_budget must be at least 0": budget is None or budget >= 0,
        "temperature must be above 0 (the method cot-greedy takes the most likely token)": sampling.temperature > 0,
        "top_k must be at least 0, where 0 keeps every token": sampling.top_k >= 0,
        "top_p must be above 0 and at most 1": 0 < sampling.top_p <= 1,
        "min_p must be at least 0 and below 1": 0 <= sampling.min_p < 1,
        "window must be at least 0": swir.window >= 0,
        "alpha must be between 0 and 1": 0 <= swir.alpha <= 1,
        "beta must be between 0 and 1": 0 <= swir.beta <= 1,
        "max_switches must be at least 0": switches is None or switches >= 0,
        "answer_budget must be at least 1": swir.answer_budget >= 1,
        "noise_temperature must be above 0": soft.noise_temperature > 0,
        "width must be at least 1": soft.width >= 1,
        "soft thinking draws its tokens; it cannot be greedy": method.soft is None or not sampling.greedy,
        "top_k must be at least 1 for soft-gumbel, which draws a number for each token": (
            method.soft is None or method.soft.kind != "gumbel" or sampling.top_k >= 1
        ),
        "compat must be corrected or reference": swir.compat in ("corrected", "reference"),
    }
    broken = [rule for rule, holds in rules.items() if not holds]
    if broken:
        raise UsageError(broken[0], "Give another value.")


def generate(
    model: LocalModel,
    prompts: Sequence[Sequence[int]],
    method: Method,
    seed: int,
    *,
    batch_size: int | Batches | None = None,
    keep_steps: bool = False,
    on_done: Callable[[Mapping[int, Answer]], None] | None = None,
    indices: Sequence[int] | None = None,
) -> list[Answer]:
    """One answer to each prompt (token ids), in their order.

    Prompt i draws from a generator of its own, seeded from (`seed`, `indices[i]`), i where `indices` is not given: an
    answer depends neither on the batch size nor on the other prompts, except that rounding differs between batch shapes
    and may tip a near-tie. `batch_size` prompts go at a time, fewer where memory does not hold them; `Batches` given in
    its place says so afterwards. `on_done` is called with the answers of each batch, by their places. `keep_steps`
    fills `Trace.steps`. An answer ends where the model's context does. Raises `UsageError` where the method needs
    thinking tags that the model lacks, where a prompt is empty or longer than the context, where a setting is outside
    its range, and where memory does not hold one answer.
    """
    check(method)
    empty = [place for place, prompt in enumerate(prompts) if not len(prompt)]
    if empty:
        raise UsageError(f"prompt {empty[0]} has no tokens", "Give at least one, for example a chat template's.")
    context = context_of(model.model)
    longest = max(map(len, prompts), default=0)
    if context is not None and longest >= context:
        raise UsageError(
            f"a prompt of {longest:,} tokens leaves no room for an answer: the context of {model.label} holds "
            f"{context:,}",
            "Leave that question out, or shorten it.",
        )
    batches = batch_size if isinstance(batch_size, Batches) else Batches(batch_size)
    numbers = range(len(prompts)) if indices is None else indices
    vocabulary, eos = _vocabulary(model, method), _eos(model, method)

    def answered(places: Sequence[int]) -> dict[int, Answer]:
        decoder = Decoder(method, vocabulary, eos, seed, [numbers[place] for place in places], keep_steps, context)
        _run(model, [prompts[place] for place in places], decoder, method.max_new_tokens)
        return {
            place: _answer(model, prompts[place], sequence)
            for place, sequence in zip(places, decoder.sequences, strict=True)
        }

    answers: dict[int, Answer] = {}
    for _, found in batches.over(model, [len(prompt) for prompt in prompts], method.max_new_tokens, answered):
        answers |= found
        if on_done is not None:
            on_done(found)
    return [answers[place] for place in range(len(prompts))]


def _answer(model: LocalModel, prompt: Sequence[int], sequence: Running) -> Answer:
    text = text_of(model.tokenizer, sequence.tokens)
    thinking, final = parts(begun_answer(model.tokenizer, prompt), text)
    return Answer(tuple(sequence.tokens), text, thinking, final, sequence.finished, sequence.trace())


def _run(model: LocalModel, prompts: Sequence[Sequence[int]], decoder: Decoder, max_new_tokens: int) -> None:
    """One batch, padded on the left."""
    import torch

    width = max(len(one) for one in prompts)
    pad = _pad(model)
    ids = torch.tensor([[pad] * (width - len(one)) + list(one) for one in prompts], device=model.model.device)
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts], device=model.model.device)
    with torch.inference_mode():
        model.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            pad_token_id=pad,
            do_sample=True,
            num_beams=1,
            num_return_sequences=1,
            use_cache=True,
            custom_generate=decoder,
        )


def _vocabulary(model: LocalModel, method: Method) -> Vocabulary | None:
    if method.swir is None and method.thinking_budget is None and method.soft is None:
        return None
    return look_up(model.tokenizer, model.label, method.name, method.swir.compat if method.swir else "corrected")


def _eos(model: LocalModel, method: Method) -> tuple[int, ...]:
    """What ends a sequence: every id that the model ends with, or the tokenizer's alone as in the public program."""
    if method.swir is not None and method.swir.compat == "reference":
        one = model.tokenizer.eos_token_id
        return () if one is None else (one,)
    return model.eos


def _pad(model: LocalModel) -> int:
    found = model.tokenizer.pad_token_id
    return int(found) if found is not None else (model.eos[0] if model.eos else 0)
