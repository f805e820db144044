"""Filters, draws and entropy, against scipy, transformers' own filters and exact frequencies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from modelprov.behavior.generation.interface import Sampling
from modelprov.behavior.generation.sampling import choose, distribution, draws


def frequencies(logits: torch.Tensor, sampling: Sampling, points: int = 20_001) -> torch.Tensor:
    """How often each token is chosen over an even grid of the uniform number."""
    grid = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    chosen = choose(logits.expand(points, -1), grid, sampling)
    return torch.bincount(chosen, minlength=logits.shape[-1]) / points


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    temperature=st.sampled_from([0.3, 0.6, 1.0, 2.0]),
    top_k=st.sampled_from([0, 1, 3, 20, 100]),
    top_p=st.sampled_from([0.2, 0.7, 0.95, 1.0]),
    min_p=st.sampled_from([0.0, 0.1]),
)
def test_tokens_come_up_as_often_as_transformers_filters_say(
    seed: int, temperature: float, top_k: int, top_p: float, min_p: float
) -> None:
    logits = torch.randn(1, 30, generator=torch.Generator().manual_seed(seed)) * 2
    scores = logits / temperature
    empty = torch.zeros(1, 0, dtype=torch.long)
    if top_k:
        scores = TopKLogitsWarper(top_k)(empty, scores)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(empty, scores)
    if min_p:
        scores = MinPLogitsWarper(min_p)(empty, scores)
    found = frequencies(logits, Sampling(temperature, top_k, top_p, min_p))
    assert found.numpy() == pytest.approx(scores.softmax(-1)[0].numpy(), abs=1.5e-4)


def test_greedy_is_the_most_likely_token() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 3.0, 1.0]])
    assert choose(logits, torch.tensor([0.99, 0.99], dtype=torch.float64), Sampling(greedy=True)).tolist() == [1, 0]


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
def test_a_token_that_a_filter_removed_never_comes_up_even_at_the_ends(uniform: float) -> None:
    logits = torch.tensor([[4.0, 3.9, -9.0, -9.5]])
    chosen = choose(logits, torch.tensor([uniform], dtype=torch.float64), Sampling(1.0, 0, 0.9, 0.0))
    assert chosen.item() == (0 if uniform == 0.0 else 1)


def test_entropy_is_that_of_scipy_and_finite_where_a_probability_is_zero() -> None:
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(0)) * 5
    p, found = distribution(logits)
    assert found.numpy() == pytest.approx(entropy(p.double().numpy(), axis=1), abs=1e-5)
    assert distribution(torch.tensor([[0.0, -200.0]]))[1].item() == 0.0


def test_draws_belong_to_seed_and_index_alone_and_are_uniform() -> None:
    whole = draws(1, [0, 1, 2], 2000)
    assert torch.equal(draws(1, [2], 2000)[0], whole[2])
    assert not torch.equal(draws(2, [2], 2000)[0], whole[2])
    assert len(np.unique(whole.numpy())) == whole.numel()
    assert whole.mean().item() == pytest.approx(0.5, abs=0.02)
