"""How many tokens are those of the public program, and the same in batches, in float32 and in bfloat16.

`compared` runs `python benchmarks/swireasoning.py --parity`: nex of the trained family answers running sums with
SwiReasoning in several settings. Its answers are held against the public program's, which runs as it is but for its
draws (it gets our uniform numbers), or, where that is not at hand, against the oracle of the tests, which has no cache
and takes one prompt at a time; and those in batches against those alone. A token is equal while all before it are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from modelprov.behavior.chat import render
from modelprov.behavior.evaluation.tasks import load_task
from modelprov.behavior.generation.generate import generate, method_of
from modelprov.behavior.generation.interface import Method
from modelprov.behavior.generation.sampling import draws
from modelprov.behavior.generation.vocabulary import look_up
from modelprov.behavior.loading import LocalModel, load_model
from tests.behavior.generation import oracle

SEED, TOKENS, BATCH = 0, 64, 8
SETTINGS: tuple[dict[str, Any], ...] = (
    {"window": 512, "greedy": True},
    {"window": 512},
    {"window": 4, "alpha": 0.5, "greedy": True},
    {"window": 4, "alpha": 0.5},
    {"window": 2, "alpha": 0.3, "beta": 0.4, "max_switches": 2, "answer_budget": TOKENS},
)
DTYPES = ("float32", "bfloat16")
Sequences = list[list[int]]
Answering = Callable[[LocalModel, Sequence[Sequence[int]], Sequence[int], Method], Sequences]


class EndlessTokenizer:
    """A tokenizer whose end token never comes, so that no program drops a row; backslash-n is its line break."""

    eos_token_id = None

    def __init__(self, tokenizer: Any) -> None:
        self._inner = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def convert_tokens_to_ids(self, text: str) -> int:
        """As the tokenizer, and the line break for the two characters that the public program looks up."""
        return int(self._inner.encode("\n")[-1] if text == "\\n" else self._inner.convert_tokens_to_ids(text))


def compared(family: Path, questions: int, program: Any) -> Iterator[dict[str, Any]]:
    """A record for each number format, way to batch and pair of programs."""
    theirs, name = (by_oracle, "oracle") if program is None else (_public(program), "public program")
    for dtype in DTYPES:
        loaded = load_model(str(family), "nex", "cpu", dtype)
        prompts = [
            render(loaded, [{"role": "user", "content": question.prompt}])
            for question in load_task("sums", questions).questions
        ]
        model = replace(loaded, tokenizer=EndlessTokenizer(loaded.tokenizer), eos=())
        alike = [prompt for prompt in prompts if len(prompt) == _usual([len(each) for each in prompts])]
        ways = (("alone", prompts, 1), ("batch, equal lengths", alike, BATCH), ("batch, padded", prompts, BATCH))
        for told, given, size in ways:
            if program is not None or size == 1:
                yield _record(model, given, dtype, told, f"reference and {name}", "reference", size, theirs, size)
            if size > 1:
                yield _record(model, given, dtype, told, "corrected, batch and alone", "corrected", size, ours, 1)


def _record(
    model: LocalModel, prompts: Sequences, dtype: str, told: str, pair: str, compat: str, size: int, other: Answering,
    other_size: int,
) -> dict[str, Any]:  # fmt: skip
    equal = tokens = identical = sequences = 0
    for setting in SETTINGS:
        method = method_of("swir", max_new_tokens=TOKENS, compat=compat, **setting)
        first = _batched(ours, model, prompts, method, size)
        second = _batched(other, model, prompts, method, other_size)
        for own, theirs in zip(first, second, strict=True):
            pairs = enumerate(zip(own, theirs, strict=False))  # the shorter may be the beginning of the longer
            same = next((place for place, (a, b) in pairs if a != b), min(len(own), len(theirs)))
            equal, tokens = equal + same, tokens + len(theirs)
            identical, sequences = identical + (own == theirs), sequences + 1
    return {
        "dtype": dtype, "prompts": told, "compared": pair, "equal tokens": round(equal / tokens, 4),
        "identical": identical, "sequences": sequences,
    }  # fmt: skip


def _batched(answer: Answering, model: LocalModel, prompts: Sequences, method: Method, size: int) -> Sequences:
    found: Sequences = []
    for start in range(0, len(prompts), size):
        batch = prompts[start : start + size]
        found += answer(model, batch, range(start, start + len(batch)), method)
    return [_ended(model, each) for each in found]


def ours(model: LocalModel, prompts: Sequence[Sequence[int]], numbers: Sequence[int], method: Method) -> Sequences:
    """The decoder of this package."""
    answers = generate(model, prompts, method, SEED, batch_size=len(prompts), indices=numbers)
    return [list(answer.tokens) for answer in answers]


def _public(program: Any) -> Answering:
    def answered(
        model: LocalModel, prompts: Sequence[Sequence[int]], numbers: Sequence[int], method: Method
    ) -> Sequences:  # fmt: skip
        assert method.swir is not None
        swir, sampling = method.swir, method.sampling
        width, pad = max(map(len, prompts)), model.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        words = look_up(model.tokenizer, "nex", "swir", "reference")
        with _drawn(draws(SEED, numbers, TOKENS)):
            out = program.generate_swir(
                model.model, model.tokenizer, input_ids=ids, attention_mask=mask, alpha_0=swir.alpha,
                beta_0=swir.beta, window_size=swir.window, max_switch_count=swir.max_switches,
                termination_max_tokens=swir.answer_budget, math_ids_tensor=torch.tensor(sorted(words.math)),
                temperature=sampling.temperature, top_k=sampling.top_k, top_p=sampling.top_p, min_p=sampling.min_p,
                max_new_tokens=TOKENS, do_sample=not sampling.greedy,
            )  # fmt: skip
        return [row[width:] for row in out.tolist()]

    return answered


def by_oracle(model: LocalModel, prompts: Sequence[Sequence[int]], numbers: Sequence[int], method: Method) -> Sequences:
    """The slow program of the tests."""
    assert method.swir is not None
    words = look_up(model.tokenizer, "nex", "swir", "reference")
    return [
        oracle.tell(
            model.model, list(prompt), method.swir, method.sampling, draws(SEED, [number], TOKENS)[0].tolist(),
            eos=set(), think=words.open, close=words.close, line_break=words.line_break, math=set(words.math),
            convergence=list(words.convergence), termination=list(words.termination),
        ).tokens
        for number, prompt in zip(numbers, prompts, strict=True)
    ]  # fmt: skip


@contextmanager
def _drawn(uniform: torch.Tensor) -> Iterator[None]:
    """Let `torch.multinomial` invert the sorted distribution at these numbers, [rows, steps]."""
    kept, steps = torch.multinomial, iter(uniform.T)

    def sampled(probabilities: torch.Tensor, num_samples: int) -> torch.Tensor:
        assert num_samples == 1
        weights, tokens = probabilities.sort(descending=True, stable=True)
        cumulated = weights.double().cumsum(-1)
        place = (cumulated <= next(steps)[:, None] * cumulated[:, -1:]).sum(-1, keepdim=True)
        return tokens.gather(-1, place)

    torch.multinomial = sampled  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.multinomial = kept


def _ended(model: LocalModel, tokens: list[int]) -> list[int]:
    """Up to the end token: what comes after it in this benchmark would not be made otherwise."""
    end = model.tokenizer._inner.eos_token_id
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens


def _usual(lengths: Sequence[int]) -> int:
    return max(set(lengths), key=lengths.count)
