"""SwiReasoning's rule for one sequence, on entropies and tokens written by hand; what `compat` changes in it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from modelprov.behavior.generation.control import Decision, SwiControl
from modelprov.behavior.generation.decoder import Embeddings
from modelprov.behavior.generation.interface import Sampling, SwiReasoning
from modelprov.behavior.generation.sampling import choose
from modelprov.behavior.generation.vocabulary import Vocabulary
from modelprov.errors import UsageError

OPEN, CLOSE, BREAK, DIGIT, WORD = 1, 2, 3, 4, 5
WORDS = Vocabulary(OPEN, CLOSE, BREAK, frozenset({DIGIT}), (CLOSE,), (CLOSE, 7, 8))
STEPS = 100


def told(entropies: list[float], tokens: list[int] | None = None, **settings: Any) -> list[Decision]:
    """The decisions for these entropies, the model choosing these tokens (or always a word)."""
    control = SwiControl(WORDS, SwiReasoning(**settings), STEPS)
    chosen = tokens or [WORD] * len(entropies)
    return [control.step(number, *pair) for number, pair in enumerate(zip(chosen, entropies, strict=True))]


def test_the_first_input_is_latent_with_a_tenth_of_a_line_break() -> None:
    (first,) = told([3.0])
    assert (first.soft, first.other, first.other_weight, first.latent) == (0.9, BREAK, 0.1, True)


def test_a_fall_of_entropy_leaves_latent_thinking_with_a_mixed_input_and_is_an_explicit_step() -> None:
    decision = told([3.0, 3.0, 2.0], beta=0.7)[2]
    assert decision.soft == pytest.approx(0.7 + 0.3 * 2 / STEPS)
    assert decision.soft + decision.other_weight == pytest.approx(1)
    assert (decision.other, decision.latent) == (CLOSE, False)


@pytest.mark.parametrize("window", [1, 3, 6])
def test_latent_thinking_returns_on_a_rise_of_entropy_no_sooner_than_the_window_allows(window: int) -> None:
    decisions = told([3.0, 2.0] + [2.5] * 10, window=window, alpha=0.4)
    first = next(number for number, one in enumerate(decisions) if number > 1 and one.latent)
    assert first == 1 + window
    assert decisions[first].other == OPEN
    assert decisions[first].soft == pytest.approx(0.4 + 0.6 * first / STEPS)


def test_equal_entropy_switches_nothing() -> None:
    assert all(one.latent for one in told([3.0] * 6, window=0))


def test_mathematics_is_read_as_a_token_while_the_mode_stays_latent() -> None:
    decisions = told([3.0] * 3, [WORD, DIGIT, WORD])
    assert [one.latent for one in decisions] == [True, False, True]
    assert decisions[1].soft == 0


def test_after_the_closing_tag_only_the_public_program_still_switches() -> None:
    entropies, tokens = [3.0, 3.0, 2.0], [WORD, CLOSE, WORD]
    assert told(entropies, tokens)[2].soft == 0
    assert told(entropies, tokens, compat="reference")[2].soft > 0


def test_a_switch_at_the_limit_injects_the_closing_tag_once() -> None:
    decisions = told([3.0, 2.0] + [2.5, 2.0] * 6, window=1, max_switches=1)
    assert [one.token for one in decisions].count(CLOSE) == 1
    assert decisions[2].token == CLOSE
    assert decisions[2].injected
    assert not any(one.soft for one in decisions[2:])
    reference = told([3.0, 2.0] + [2.5, 2.0] * 6, window=1, max_switches=1, compat="reference")
    assert [one.token for one in reference].count(CLOSE) > 1


def test_an_injected_tag_is_read_as_what_it_says_except_in_the_public_program() -> None:
    entropies = [3.0, 2.0, 2.5, 2.5]
    assert told(entropies, window=1, max_switches=1)[2].soft == 0
    assert told(entropies, window=1, max_switches=1, compat="reference")[2].soft > 0


@pytest.mark.parametrize(("compat", "length"), [("corrected", 1 + 1 + 3 + 5), ("reference", 1 + 5)])
def test_the_answer_budget_counts_after_the_words_or_as_in_the_public_program_with_them(
    compat: str, length: int
) -> None:
    decisions = told([3.0, 2.0] + [2.0] * 30, max_switches=0, answer_budget=5, compat=compat)
    assert next(number for number, one in enumerate(decisions) if one.stop) + 1 == length
    if compat == "corrected":
        assert tuple(one.token for one in decisions[2:5]) == WORDS.termination


def test_a_closing_tag_that_an_injection_replaces_locks_the_public_program_only() -> None:
    """There the lock looks at the token that was chosen and never emitted."""
    entropies = [3.0, 2.0, 2.0, 2.0, 2.0, 2.5, 2.5]
    tokens = [WORD, WORD, WORD, CLOSE, WORD, WORD, WORD]
    other = Vocabulary(OPEN, CLOSE, BREAK, frozenset(), (8, 8), (8, 8))
    for compat, latent in (("corrected", True), ("reference", False)):
        control = SwiControl(other, SwiReasoning(window=1, max_switches=1, compat=compat), STEPS)
        decisions = [control.step(number, *pair) for number, pair in enumerate(zip(tokens, entropies, strict=True))]
        assert any(one.latent for one in decisions[4:]) is latent


def test_min_p_is_relative_to_the_largest_probability_except_in_the_public_program() -> None:
    logits = torch.tensor([[0.3, 0.3, 0.2, 0.2]]).log()
    top = torch.tensor([0.999], dtype=torch.float64)
    assert choose(logits, top, Sampling(1.0, 0, 1.0, 0.25)).item() in (2, 3)
    assert choose(logits, top, Sampling(1.0, 0, 1.0, 0.25), absolute_min_p=True).item() in (0, 1)


def gemma() -> Any:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    return Gemma3ForCausalLM(config)


def test_a_certain_distribution_mixes_to_the_embedding_itself_also_where_the_model_scales_embeddings() -> None:
    model = gemma()
    certain = torch.eye(20)[[7, 9]]
    latent, plain = Decision(7, soft=1.0, latent=True), Decision(4)
    found = Embeddings(model).inputs(torch.tensor([[7], [4]]), [latent, plain], certain)
    assert torch.allclose(found[:, 0], model.get_input_embeddings()(torch.tensor([7, 4])))
    assert not torch.allclose(found[0, 0], model.get_input_embeddings().weight[7])


def test_a_model_that_does_more_than_scale_its_embeddings_is_refused() -> None:
    model = gemma()
    model.get_input_embeddings().register_forward_hook(lambda _layer, _inputs, found: found + 1)
    with pytest.raises(UsageError, match="more to its input embeddings"):
        Embeddings(model)
