"""Faults of the public SwiReasoning program that ours must not have, one test each; see docs/generation.md."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch

from modelprov.behavior.generation import decoder as decoder_module
from modelprov.behavior.generation.answers import parts
from modelprov.behavior.generation.generate import generate, method_of
from modelprov.behavior.generation.vocabulary import look_up
from modelprov.behavior.loading import LocalModel
from tests.behavior.generation import tiny


def test_the_line_break_is_the_token_of_a_line_break_not_of_a_backslash_and_an_n() -> None:
    words = tiny.tokenizer(extra=("\\n",))
    assert look_up(words, "toy", "swir").line_break == words.encode("\n")[0]
    assert look_up(words, "toy", "swir", "reference").line_break == words.convert_tokens_to_ids("\\n")


@pytest.mark.parametrize("compat", ["corrected", "reference"])
def test_a_vocabulary_without_backslash_n_does_not_crash(compat: str) -> None:
    model = tiny.local()
    assert "\\n" not in model.tokenizer.get_vocab()
    assert generate(model, [[1, 2]], method_of("swir", max_new_tokens=3, compat=compat), 0)


def closings(compat: str) -> tuple[int, int]:
    """Sequences in which `</think>` was injected, and those of them where it occurs more than once."""
    model = tiny.local("qwen3", seed=1)
    close = look_up(model.tokenizer, "toy", "swir").close
    mute = deepcopy(model.model)
    mute.lm_head.weight.data[close] = 0  # so that the model never chooses the tag itself
    model = replace(model, model=mute)
    method = method_of("swir", max_new_tokens=60, window=1, alpha=0.5, max_switches=1, compat=compat)
    answers = [one for one in generate(model, tiny.prompts((4,) * 16), method, 1) if one.trace.injected_tokens]
    return len(answers), sum(one.tokens.count(close) > 1 for one in answers)


def test_an_injected_closing_tag_locks_so_that_no_thought_is_closed_twice() -> None:
    injected, twice = closings("corrected")
    assert injected > 5
    assert twice == 0
    _, reference_twice = closings("reference")
    assert reference_twice > 5


def test_after_an_injected_closing_tag_every_step_is_explicit() -> None:
    model = tiny.local("qwen3", seed=1)
    close = look_up(model.tokenizer, "toy", "swir").close
    method = method_of("swir", max_new_tokens=60, window=1, alpha=0.5, max_switches=1)
    answers = generate(model, tiny.prompts((4,) * 8), method, 1, keep_steps=True)
    closed = [one for one in answers if one.trace.injected_tokens]
    assert closed
    for one in closed:
        assert not any(step.latent for step in one.trace.steps[one.tokens.index(close) :])


def reordered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes to which caches are cut from now on."""
    from transformers import DynamicCache

    sizes: list[int] = []
    plain = DynamicCache.reorder_cache

    def noted(self: Any, indices: torch.Tensor) -> Any:
        sizes.append(len(indices))
        return plain(self, indices)

    monkeypatch.setattr(DynamicCache, "reorder_cache", noted)
    monkeypatch.setattr(DynamicCache, "batch_select_indices", noted)
    return sizes


def test_the_cache_is_not_copied_while_nobody_has_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = reordered(monkeypatch)
    model = endless(tiny.local())
    generate(model, tiny.prompts(), method_of("swir", max_new_tokens=20), 0)
    assert sizes == []


def endless(model: LocalModel) -> LocalModel:
    """The model without end tokens."""
    return replace(model, eos=())


def test_rows_are_dropped_each_time_half_of_the_batch_has_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = reordered(monkeypatch)
    model = replace(tiny.local("llama"), eos=tuple(range(0, 256, 8)))
    answers = generate(model, tiny.prompts((4,) * 8), method_of("cot", max_new_tokens=200), 0)
    assert all(one.finished for one in answers)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 4
    assert len(sizes) <= 3


def test_the_entropy_is_float32_where_the_model_is_bfloat16() -> None:
    model = tiny.local("qwen3", seed=1, dtype=torch.bfloat16)
    prompt = tiny.prompts()[0]
    logits = model.model(input_ids=torch.tensor([prompt])).logits[0, -1].detach().double()
    exact = float(torch.distributions.Categorical(logits=logits).entropy())
    found = {
        compat: generate(model, [prompt], method_of("swir", max_new_tokens=1, compat=compat), 0)[0].trace.mean_entropy
        for compat in ("corrected", "reference")
    }
    assert found["corrected"] == pytest.approx(exact, abs=1e-5)
    assert abs(found["reference"] - exact) > 1e-4


def test_the_mean_embedding_is_computed_for_latent_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed: list[int] = []
    plain = decoder_module.Embeddings.inputs

    def noted(self: Any, tokens: Any, decisions: Any, probabilities: Any) -> Any:
        mixed.append(sum(one.soft > 0 for one in decisions))
        found = plain(self, tokens, decisions, probabilities)
        for place, one in enumerate(decisions):
            if not one.soft:
                assert torch.equal(found[place], self._layer(tokens[place]))
        return found

    monkeypatch.setattr(decoder_module.Embeddings, "inputs", noted)
    model = endless(tiny.local("llama"))
    answers = generate(model, tiny.prompts(), method_of("swir", max_new_tokens=40, window=4), 0)
    read = sum(one.trace.latent_steps + one.trace.switches_to_explicit for one in answers)
    assert 0 <= read - sum(mixed) <= len(answers)  # the last step of a sequence is read by nobody
    assert min(mixed) > 0


@pytest.mark.parametrize("name", ["cot", "swir"])
def test_every_end_token_of_the_model_ends_a_sequence(name: str) -> None:
    model = replace(tiny.local("llama"), eos=tuple(range(0, 256, 8)))
    answers = generate(model, tiny.prompts((4,) * 12), method_of(name, max_new_tokens=200), 0)
    assert len({one.tokens[-1] for one in answers}) > 4
    for one in answers:
        assert one.finished
        assert not set(one.tokens[:-1]) & set(model.eos)


def test_the_public_program_ends_with_the_end_token_of_the_tokenizer_alone() -> None:
    model = replace(tiny.local("llama"), eos=tuple(range(0, 256, 8)))
    method = method_of("swir", max_new_tokens=40, compat="reference")
    answers = generate(model, tiny.prompts((4,) * 4), method, 0)
    assert all(set(one.tokens[:-1]) & set(model.eos) for one in answers)


def test_an_unfinished_thought_has_no_final_answer() -> None:
    assert parts("<think>\n", "so 12 + 7 is") == ("so 12 + 7 is", None)
    assert parts("", "<think>so 12 + 7 is") == ("so 12 + 7 is", None)
    assert parts("", "<think>one</think> 19 <think>or") == ("one 19 or", None)
