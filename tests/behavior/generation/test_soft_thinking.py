"""Soft thinking with Gumbel noise and Multiplex Thinking: what is read is a mixture, what is emitted a plain sample."""

from __future__ import annotations

import pytest
import torch

from modelprov.behavior.generation.control import SoftControl
from modelprov.behavior.generation.generate import generate, method_of
from modelprov.behavior.generation.interface import Sampling, SoftThinking
from modelprov.behavior.generation.sampling import draws, filtered, soften
from modelprov.behavior.generation.vocabulary import look_up
from modelprov.errors import UsageError
from tests.behavior.generation import oracle
from tests.behavior.generation.tiny import local

ROWS = 4000
SAMPLING = Sampling(temperature=0.8, top_k=5, top_p=0.9)


@pytest.mark.parametrize(
    "soft", [SoftThinking("gumbel"), SoftThinking("multiplex", width=3)], ids=lambda soft: soft.kind
)
def test_what_is_emitted_is_a_sample_of_the_filtered_distribution_and_what_is_read_a_mixture_of_it(soft):
    torch.manual_seed(0)
    logits = torch.randn(12).repeat(ROWS, 1)
    mixture, chosen = soften(logits, torch.rand(ROWS, soft.draws(SAMPLING), dtype=torch.float64), SAMPLING, soft)
    weights, tokens = filtered(logits[:1], SAMPLING)
    expected = torch.zeros(12).scatter(0, tokens[0], weights[0] / weights.sum())
    found = torch.bincount(chosen, minlength=12) / ROWS
    assert (found - expected).abs().max() < 4 * (0.25 / ROWS) ** 0.5
    assert torch.allclose(mixture.sum(-1), torch.ones(ROWS), atol=1e-5)
    assert not mixture[:, expected == 0].any()
    assert (mixture.gather(1, chosen[:, None]) > 0).all()
    if soft.kind == "gumbel":
        assert torch.equal(mixture.argmax(-1), chosen)
    else:
        assert set((mixture * 3).round().unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}
        assert torch.allclose(mixture.mean(0), expected, atol=0.02)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("soft-gumbel", {}),
        ("soft-gumbel", {"noise_temperature": 0.1, "temperature": 1.2, "top_p": 0.8}),
        ("multiplex", {}),
        ("multiplex", {"width": 5, "top_k": 0, "top_p": 1.0, "temperature": 1.0}),
    ],
)
def test_a_padded_batch_gives_the_tokens_that_the_formulas_give_for_each_prompt_alone(name, settings):
    model = local("qwen3", seed=1, sharpness=4.0, dtype=torch.float64)
    words, steps, seed = look_up(model.tokenizer, "toy", name), 24, 5
    method = method_of(name, max_new_tokens=steps, **settings)
    prompts = [[9, words.open, 7], [5, 6], [3, words.open, 4, words.close, words.open, 8]]
    each = method.soft.draws(method.sampling)
    answers = generate(model, prompts, method, seed, batch_size=3, keep_steps=True)
    for index, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        uniforms = draws(seed, [index], steps * each)[0].reshape(steps, each).tolist()
        told = oracle.tell_soft(
            model.model, prompt, method.soft, method.sampling, uniforms, eos=set(model.eos), think=words.open,
            close=words.close,
        )  # fmt: skip
        assert list(answer.tokens) == told.tokens
        assert [step.latent for step in answer.trace.steps] == told.latent
    assert answers[0].trace.latent_steps >= 5 > answers[1].trace.latent_steps


def test_a_mixture_of_one_draw_is_chain_of_thought_and_of_three_is_not():
    model = local("qwen3", sharpness=8.0)
    prompts = [model.tokenizer.encode("12<think>"), model.tokenizer.encode("a<think>b")]
    plain = generate(model, prompts, method_of("cot", max_new_tokens=24), 5)
    single = generate(model, prompts, method_of("multiplex", max_new_tokens=24, width=1), 5)
    assert [answer.tokens for answer in single] == [answer.tokens for answer in plain]
    assert all(answer.trace.latent_steps > 0 for answer in single)
    three = generate(model, prompts, method_of("multiplex", max_new_tokens=24), 5)
    noisy = generate(model, prompts, method_of("soft-gumbel", max_new_tokens=24), 5)
    again = [generate(model, [prompt], method_of("soft-gumbel", max_new_tokens=24), 5, indices=[place])[0]
             for place, prompt in enumerate(prompts)]  # fmt: skip
    assert [answer.tokens for answer in noisy] == [answer.tokens for answer in again]  # whatever the batch
    assert [answer.tokens for answer in three] != [answer.tokens for answer in plain]


def test_only_an_open_thought_is_read_as_a_mixture_and_the_tags_as_they_are():
    model = local("qwen3")
    words = look_up(model.tokenizer, "toy", "multiplex")
    control = SoftControl(words, [])
    told = [control.step(place, token, 1.0) for place, token in enumerate([5, words.open, 6, 7, words.close, 8])]
    assert [decision.soft for decision in told] == [0, 0, 1, 1, 0, 0]
    assert [decision.latent for decision in told] == [False, False, True, True, False, False]
    assert (control.to_latent, control.to_explicit) == (1, 1)


def test_settings_that_soft_thinking_cannot_have_are_refused():
    for settings in ({"greedy": True}, {"top_k": 0}, {"noise_temperature": 0.0}):
        with pytest.raises(UsageError):
            method_of("soft-gumbel", **settings)
    with pytest.raises(UsageError):
        method_of("multiplex", width=0)
    assert method_of("multiplex", top_k=0).soft == SoftThinking("multiplex")
