"""Batches are as large as memory holds and halved where it ran out; nothing is lost, and nothing changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from modelprov.behavior.generation import batching
from modelprov.behavior.generation.batching import Batches, sequence_bytes
from modelprov.behavior.generation.generate import generate, method_of
from modelprov.errors import UsageError
from tests.behavior.generation import tiny

NEW = 12
LENGTHS = (5, 9, 3, 7, 4, 8, 6)


def exhausted_above(rows: int, monkeypatch: pytest.MonkeyPatch, model: Any, sizes: list[int]) -> None:
    """A device whose memory runs out with more rows than these, in the middle of an answer."""
    inner = model.model.forward

    def forward(*args: Any, **given: Any) -> Any:
        ids = given["input_ids"] if given.get("input_ids") is not None else given["inputs_embeds"]
        reads_prompt = ids.shape[1] > 1
        if reads_prompt:
            sizes.append(len(ids))
        if len(ids) > rows and not reads_prompt:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return inner(*args, **given)

    monkeypatch.setattr(model.model, "forward", forward)


@pytest.mark.parametrize("name", ["cot", "swir"])
def test_where_memory_runs_out_half_as_many_go_on_and_no_answer_is_lost_or_changed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, prompts = tiny.local("qwen3", seed=5), tiny.prompts(LENGTHS)
    method = method_of(name, max_new_tokens=NEW, window=2)
    expected = [answer.tokens for answer in generate(model, prompts, method, 3, batch_size=1)]
    sizes: list[int] = []
    exhausted_above(2, monkeypatch, model, sizes)
    at_once: list[str] = []
    batches, heard = Batches(6, at_once.append), list[int]()
    found = generate(model, prompts, method, 3, batch_size=batches, on_done=heard.extend)
    assert [answer.tokens for answer in found] == expected
    assert sorted(heard) == list(range(len(prompts)))  # each is told of once
    assert sizes == [6, 3, 1, 1, 1, 1, 1, 1, 1]
    assert [text.partition("memory ran out ")[2] for text in at_once] == [
        "at 6 answers at a time; the same go again, 3 at a time",
        "at 3 answers at a time; the same go again, 1 at a time",
    ]
    (said,) = batches.told("toy")
    assert "memory ran out" in said
    assert "None was lost" in said


def test_where_memory_does_not_hold_one_answer_the_run_ends_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.local("qwen3", seed=5)
    exhausted_above(0, monkeypatch, model, [])
    with pytest.raises(UsageError, match="does not hold one answer") as refused:
        generate(model, tiny.prompts(LENGTHS), method_of("cot", max_new_tokens=NEW), 3)
    assert "fewer new tokens" in refused.value.advice


def test_other_errors_are_no_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.local("qwen3", seed=5)

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(model.model, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        generate(model, tiny.prompts(LENGTHS), method_of("cot", max_new_tokens=NEW), 3)


def test_a_batch_is_as_large_as_the_free_memory_holds_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model, prompts = tiny.local("qwen3", seed=5), tiny.prompts((9,) * 7)
    method = method_of("cot", max_new_tokens=NEW)
    each = sequence_bytes(model.model, 9, NEW)
    monkeypatch.setattr(batching, "free_memory", lambda _: int(3.5 * each / batching.USED))
    sizes: list[int] = []
    batches = Batches(6)
    found = generate(
        model, prompts, method, 3, batch_size=batches, on_done=lambda answered: sizes.append(len(answered))
    )
    assert sizes == [3, 3, 1]
    (said,) = batches.told("toy")
    assert said.startswith("toy: 3 answers at a time, not 6")
    plenty = generate(model, prompts, method, 3, batch_size=6)
    assert [answer.tokens for answer in found] == [answer.tokens for answer in plenty]
    monkeypatch.setattr(batching, "free_memory", lambda _: 0)
    assert len(generate(model, prompts, method, 3)) == len(prompts)  # one at a time is always tried
    monkeypatch.undo()
    batches = Batches()
    generate(model, prompts, method, 3, batch_size=batches)
    assert batches.told("toy") == []


@pytest.mark.parametrize("kind", ["llama", "qwen3", "qwen3_5"])
def test_the_estimate_holds_what_the_cache_really_takes_and_is_no_wild_guess(kind: str) -> None:
    model = tiny.local(kind, seed=2).model
    out = model(torch.tensor([[1] * 300]), use_cache=True)
    kept = 0
    for layer in out.past_key_values.layers:
        states = (getattr(layer, name, None) for name in ("keys", "values"))
        kept += sum(state.nbytes for state in states if isinstance(state, torch.Tensor))
    estimate = sequence_bytes(model, 0, 300) - batching.LOGITS * 4 * model.config.vocab_size
    assert kept <= estimate <= 3.1 * kept  # of Qwen3.5's layers every other has no cache that grows
    assert sequence_bytes(model, 300, 300) > sequence_bytes(model, 0, 600)
    assert sequence_bytes(model.to(torch.bfloat16), 0, 300) < sequence_bytes(model.to(torch.float32), 0, 300)


def test_a_window_bounds_the_cache() -> None:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    config = Gemma3TextConfig(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=6, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, sliding_window=64,
        layer_types=["sliding_attention"] * 5 + ["full_attention"],
    )  # fmt: skip
    model = Gemma3ForCausalLM(config)
    logits = batching.LOGITS * 4 * 50
    row = 2 * 1 * 16 * 4
    assert sequence_bytes(model, 0, 1000) - logits == row * (5 * 64 + 1000 + 1000)
