"""Which rows of which matrices are read beside a sample: of every kind some, with a large budget many of each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modelprov.forensics.sampling.matrices import LARGEST, ROWS, choose_rows
from modelprov.recipes.tensor_groups import kind_of


def model(layers: int, sides: tuple[int, int]) -> Any:
    """As much of an alignment as is looked at."""
    kinds = [f"self_attn.{letter}_proj" for letter in "qkvo"] + [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
    names = [f"model.layers.{layer}.{kind}.weight" for layer in range(layers) for kind in kinds]
    names += ["model.embed_tokens.weight", "lm_head.weight"]
    return SimpleNamespace(tensors=[SimpleNamespace(name=name, decisive=True, shape=sides) for name in names])


@pytest.mark.parametrize("budget", [1 << 16, 1 << 20, 1 << 23, 1 << 26])
def test_no_kind_is_left_out_and_the_budget_is_kept_to(budget: int) -> None:
    chosen = choose_rows(model(60, (4096, 4096)), 0, budget)
    assert len({kind_of(rows.name) for rows in chosen}) == 9
    assert len({rows.name for rows in chosen}) == len(chosen)
    read = [rows.count * 4096 for rows in chosen]
    assert sum(read) - read[-1] < budget
    assert all(rows.first + rows.count <= 4096 for rows in chosen)


def test_with_a_large_budget_as_many_rows_are_read_as_a_shape_takes() -> None:
    chosen = choose_rows(model(2, (4096, 4096)), 0)
    assert {rows.count for rows in chosen} == {min(ROWS, LARGEST // 4096)}
