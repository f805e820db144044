"""`generate` and `method_of`: order, seeds, batches, budgets, texts, refusals, and the contract with transformers."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest
import torch

from modelprov.behavior.generation.answers import begun_answer, parts, text_of
from modelprov.behavior.generation.control import BudgetControl, is_open
from modelprov.behavior.generation.decoder import Decoder
from modelprov.behavior.generation.generate import generate, method_of
from modelprov.behavior.generation.interface import METHODS
from modelprov.behavior.generation.vocabulary import look_up
from modelprov.errors import UsageError
from tests.behavior.generation import tiny


@pytest.mark.parametrize("kind", ["llama", "qwen3", "qwen3_5"])
def test_greedy_chain_of_thought_gives_the_tokens_of_transformers_own_loop(kind: str) -> None:
    model = tiny.local(kind, seed=2)
    prompts = tiny.prompts((6, 3))
    width = max(map(len, prompts))
    pad = model.tokenizer.pad_token_id
    expected = model.model.generate(
        input_ids=torch.tensor([[pad] * (width - len(one)) + one for one in prompts]),
        attention_mask=torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts]),
        max_new_tokens=25, do_sample=False, pad_token_id=pad, eos_token_id=list(model.eos),
    )[:, width:].tolist()  # fmt: skip
    answers = generate(model, prompts, method_of("cot-greedy", max_new_tokens=25), 0)
    for answer, row in zip(answers, expected, strict=True):
        assert list(answer.tokens) == row[: len(answer.tokens)]
        assert set(row[len(answer.tokens) :]) <= {pad}


def test_the_decoder_serves_transformers_generate_without_a_mask_and_pads_what_it_returns() -> None:
    model = tiny.local("llama", seed=3)
    words = look_up(model.tokenizer, "toy", "swir")
    decoder = Decoder(method_of("swir", max_new_tokens=9), words, model.eos, 0)
    ids = torch.tensor(tiny.prompts((5, 5)))
    found = model.model.generate(input_ids=ids, max_new_tokens=9, custom_generate=decoder)
    assert torch.equal(found[:, :5], ids)
    assert [row[5 : 5 + len(one.tokens)] for row, one in zip(found.tolist(), decoder.sequences, strict=True)] == [
        one.tokens for one in decoder.sequences
    ]


def test_the_private_parts_of_transformers_that_the_decoder_stands_on_are_there() -> None:
    from transformers import GenerationMixin

    ours = inspect.signature(Decoder.__call__).parameters
    own_loop = inspect.signature(GenerationMixin._sample).parameters
    assert {"logits_processor", "stopping_criteria", "generation_config", "synced_gpus"} <= set(ours) & set(own_loop)
    assert list(inspect.signature(GenerationMixin._prefill).parameters)[:4] == [
        "self", "input_ids", "generation_config", "model_kwargs",
    ]  # fmt: skip
    assert "attention_mask" in inspect.signature(GenerationMixin.prepare_inputs_for_generation).parameters
    assert list(inspect.signature(GenerationMixin._update_model_kwargs_for_generation).parameters)[:3] == [
        "self", "outputs", "model_kwargs",
    ]  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_answers_depend_on_neither_batch_size_nor_order(name: str) -> None:
    model = tiny.local("qwen3", seed=4, dtype=torch.float64)
    prompts = tiny.prompts((8, 3, 5, 4, 9))
    method = method_of(name, max_new_tokens=20, window=3, thinking_budget=4)
    together = generate(model, prompts, method, 1, batch_size=5)
    done: list[int] = []
    pairs = generate(model, prompts, method, 1, batch_size=2, on_done=lambda found: done.append(len(found)))
    backwards = generate(model, prompts[::-1], method, 1, batch_size=3, indices=[4, 3, 2, 1, 0])[::-1]
    assert done == [2, 2, 1]
    assert [one.tokens for one in together] == [one.tokens for one in pairs] == [one.tokens for one in backwards]


def test_the_same_seed_gives_the_same_answers_and_another_seed_or_index_others() -> None:
    model = tiny.local()
    prompt = tiny.prompts()[0]
    method = method_of("cot", max_new_tokens=12)
    first, again, other = (generate(model, [prompt], method, seed)[0].tokens for seed in (0, 0, 1))
    twins = generate(model, [prompt, prompt], method, 0)
    assert first == again == twins[0].tokens
    assert first != other
    assert first != twins[1].tokens


def test_the_global_random_state_is_neither_used_nor_changed() -> None:
    model = tiny.local()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    generate(model, tiny.prompts(), method_of("cot", max_new_tokens=4), 0)
    assert torch.equal(before, torch.get_rng_state())


def test_no_prompts_give_no_answers() -> None:
    assert generate(tiny.local(), [], method_of("cot"), 0) == []


def test_a_thought_over_budget_is_closed_with_the_termination_words_and_the_answer_goes_on() -> None:
    model = replace(tiny.local("qwen3", seed=1), eos=())
    words = look_up(model.tokenizer, "toy", "cot-budget")
    prompts = [[5, words.open, 7], [5, 6]]
    thought, plain = generate(model, prompts, method_of("cot-budget", max_new_tokens=60, thinking_budget=6), 2)
    start, length = 6, len(words.termination)
    assert thought.tokens[start : start + length] == words.termination
    assert thought.trace.injected_tokens == length
    assert len(thought.tokens) == 60
    assert thought.final is not None
    assert thought.final.startswith("The final answer is")
    assert plain.trace.injected_tokens == 0


def test_a_budget_counts_thought_alone_and_a_thought_opened_again_is_closed_at_once() -> None:
    words = look_up(tiny.tokenizer(), "toy", "cot-budget")
    control = BudgetControl(words, 2, [1])
    chosen = [9, 9, 9, words.open, 9, words.close, 9, words.open, 9]
    emitted = [control.step(number, one, 0.0).token for number, one in enumerate(chosen)]
    assert emitted == chosen  # two tokens of thought in all: the budget is used up only now
    assert control.step(9, 9, 0.0).token == words.close


@pytest.mark.parametrize("budget", [0, 1, 5])
def test_a_thought_has_exactly_as_many_tokens_as_its_budget(budget: int) -> None:
    words = look_up(tiny.tokenizer(), "toy", "cot-budget")
    control = BudgetControl(words, budget, [words.open])
    emitted = [control.step(number, 9, 0.0).token for number in range(40)]
    assert emitted.index(words.close) == budget
    assert tuple(emitted[budget : budget + len(words.termination)]) == words.termination
    assert emitted.count(words.close) == 1


@pytest.mark.parametrize(
    ("prompt", "text", "expected"),
    [
        ("", "19", (None, "19")),
        ("", "<think>12 + 7</think>\n\n19", ("12 + 7", "19")),
        ("<think>\n", "12 + 7</think> 19", ("12 + 7", "19")),
        ("<think></think>", "19", (None, "19")),
        ("", "<think>a</think>b</think>c", ("ab", "c")),
        ("<think>", "", ("", None)),
    ],
)
def test_what_follows_the_last_closing_tag_is_the_final_answer(
    prompt: str, text: str, expected: tuple[str | None, str | None]
) -> None:
    assert parts(prompt, text) == expected


def test_text_keeps_thinking_tags_and_leaves_out_other_special_tokens() -> None:
    words = tiny.tokenizer(tags=())
    words.add_special_tokens({"additional_special_tokens": [tiny.OTHER_EOS, "<think>", "</think>"]})
    tokens = words.encode(f"<think>a é b</think> c{tiny.EOS}")
    assert text_of(words, tokens) == "<think>a é b</think> c"


def test_a_question_that_mentions_the_opening_tag_begins_no_thought_in_the_answer() -> None:
    words = tiny.tokenizer()
    mentions = words.encode(f"What is <think>?{tiny.OTHER_EOS}")
    prefilled = words.encode(f"What is it?{tiny.OTHER_EOS}<think>It")
    vocabulary = look_up(words, "toy", "cot-budget")
    assert not is_open(mentions, vocabulary)
    assert is_open(prefilled, vocabulary)
    assert parts(begun_answer(words, mentions), "A tag") == (None, "A tag")
    assert parts(begun_answer(words, prefilled), " is a tag") == ("is a tag", None)


@pytest.mark.parametrize("name", ["swir", "cot-budget"])
def test_a_model_without_thinking_tags_is_refused_by_methods_that_need_them_only(name: str) -> None:
    model = tiny.local(words=tiny.tokenizer(tags=()))
    with pytest.raises(UsageError, match="</think> as single tokens"):
        generate(model, [[1, 2]], method_of(name), 0)
    assert generate(model, [[1, 2]], method_of("cot", max_new_tokens=2), 0)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("beam", {}, "no method 'beam'"),
        ("cot", {"heat": 1}, "no setting heat"),
        ("cot", {"temperature": 0.0}, "temperature"),
        ("cot", {"top_p": 0.0}, "top_p"),
        ("cot", {"top_k": -1}, "top_k"),
        ("cot", {"max_new_tokens": 0}, "max_new_tokens"),
        ("cot-budget", {"thinking_budget": -1}, "thinking_budget"),
        ("swir", {"alpha": 1.5}, "alpha"),
        ("swir", {"compat": "exact"}, "compat"),
    ],
)
def test_a_method_that_makes_no_sense_is_refused_in_words(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        method_of(name, **settings)


def test_a_method_has_only_its_own_settings_whatever_is_given_for_others() -> None:
    settings = {"max_new_tokens": 100, "window": 7, "thinking_budget": None, "temperature": 0.9}
    plain, budget, swir = (method_of(name, **settings) for name in ("cot", "cot-budget", "swir"))
    assert (plain.swir, plain.thinking_budget) == (None, None)
    assert budget.thinking_budget == 50
    assert swir.swir is not None
    assert swir.swir.window == 7
    assert {one.sampling.temperature for one in (plain, budget, swir)} == {0.9}
    assert method_of("cot-greedy").sampling.greedy


def test_an_empty_prompt_and_foreign_stopping_criteria_are_refused() -> None:
    from transformers import StoppingCriteriaList
    from transformers.generation.stopping_criteria import MaxTimeCriteria

    model = tiny.local()
    with pytest.raises(UsageError, match="prompt 1 has no tokens"):
        generate(model, [[1], []], method_of("cot"), 0)
    with pytest.raises(UsageError, match="MaxTimeCriteria"):
        model.model.generate(
            input_ids=torch.tensor([[1, 2]]), max_new_tokens=2,
            custom_generate=Decoder(method_of("cot"), None, (), 0),
            stopping_criteria=StoppingCriteriaList([MaxTimeCriteria(1.0)]),
        )  # fmt: skip
