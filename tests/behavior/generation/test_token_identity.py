"""The decoder gives the same tokens as a slow program written from the formulas."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from modelprov.behavior.generation.generate import generate, method_of
from modelprov.behavior.generation.sampling import draws
from modelprov.behavior.generation.vocabulary import look_up
from modelprov.behavior.loading import LocalModel
from tests.behavior.generation import oracle, tiny

STEPS = 40

CONFIGURATIONS: list[tuple[str, dict[str, Any]]] = [
    ("llama", {"window": 512, "greedy": True}),
    ("llama", {"window": 3, "alpha": 0.5}),
    ("llama", {"window": 2, "alpha": 0.3, "beta": 0.4, "max_switches": 1, "top_k": 0, "top_p": 0.9}),
    ("qwen3", {"window": 1, "alpha": 0.0, "beta": 1.0}),
    ("qwen3", {"window": 3, "alpha": 0.6, "max_switches": 2, "greedy": True}),
    ("qwen3", {"window": 0, "alpha": 1.0, "beta": 0.0, "max_switches": 0, "answer_budget": 9}),
    ("qwen3", {"window": 4, "alpha": 0.9, "max_switches": 3, "temperature": 1.3, "top_p": 1.0, "min_p": 0.0}),
    ("qwen3_5", {"window": 512}),
    ("qwen3_5", {"window": 2, "alpha": 0.5, "greedy": True}),
    ("qwen3_5", {"window": 3, "alpha": 0.2, "beta": 0.6, "max_switches": 1}),
]


def told(model: LocalModel, prompt: list[int], index: int, settings: dict[str, Any], compat: str) -> oracle.Told:
    method = method_of("swir", max_new_tokens=STEPS, compat=compat, **settings)
    assert method.swir is not None
    words = look_up(model.tokenizer, model.label, "swir", compat)
    return oracle.tell(
        model.model, prompt, method.swir, method.sampling, draws(5, [index], STEPS)[0].tolist(),
        eos={model.tokenizer.eos_token_id} if compat == "reference" else set(model.eos),
        think=words.open, close=words.close, line_break=words.line_break, math=set(words.math),
        convergence=list(words.convergence), termination=list(words.termination),
    )  # fmt: skip


@pytest.mark.parametrize("compat", ["corrected", "reference"])
@pytest.mark.parametrize(("kind", "settings"), CONFIGURATIONS)
def test_a_padded_batch_gives_the_tokens_that_the_formulas_give_for_each_prompt_alone(
    kind: str, settings: dict[str, Any], compat: str
) -> None:
    model = tiny.local(kind, seed=1, dtype=torch.float64)  # so that no rounding grows into another token
    prompts = tiny.prompts((6, 11, 3))
    method = method_of("swir", max_new_tokens=STEPS, compat=compat, **settings)
    answers = generate(model, prompts, method, 5, batch_size=3, keep_steps=True)
    for index, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        expected = told(model, prompt, index, settings, compat)
        assert list(answer.tokens) == expected.tokens
        assert [one.latent for one in answer.trace.steps] == expected.latent
        rounding = 1e-3 if kind == "qwen3_5" else 1e-9  # transformers computes the delta rule in float32
        assert [one.entropy for one in answer.trace.steps] == pytest.approx(expected.entropies, abs=rounding)
        assert (answer.trace.switches_to_explicit, answer.trace.switches_to_latent) == (
            expected.to_explicit,
            expected.to_latent,
        )


def test_the_configurations_reach_every_rule() -> None:
    """Otherwise the agreement above would say nothing about the rules that never apply."""
    seen: set[str] = set()
    for kind, settings in CONFIGURATIONS[:7]:
        model = tiny.local(kind, seed=1)
        for compat in ("corrected", "reference"):
            method = method_of("swir", max_new_tokens=STEPS, compat=compat, **settings)
            for answer in generate(model, tiny.prompts((6, 11, 3)), method, 5):
                trace = answer.trace
                seen |= {f"{compat} latent"} if trace.latent_steps > 1 else set()
                seen |= {f"{compat} returns"} if trace.switches_to_latent else set()
                seen |= {f"{compat} injects"} if trace.injected_tokens else set()
                seen |= {f"{compat} terminates"} if trace.injected_tokens > 1 else set()
                seen |= {f"{compat} ends"} if answer.finished else set()
    assert seen == {f"{one} {what}" for one in ("corrected", "reference")
                    for what in ("latent", "returns", "injects", "terminates", "ends")}  # fmt: skip
