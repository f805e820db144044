"""`verify` of a file under other names: paired by numbers, or told how more of it can be compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.types import Checkpoint, RefusedTensor
from modelprov.demo.writing import Weights
from modelprov.forensics.search.reproduce import Limits, Verification, reproduce
from tests.generated import Size, model
from tests.memory import Silence, checkpoint

WORDS = {"self_attn.": "attn.", "q_proj": "query", "gate_proj": "w1", "down_proj": "w2"}


def reproduced(suspect: Checkpoint, expected: Checkpoint) -> Verification:
    return reproduce(suspect, expected, lambda: iter(()), Limits(1 << 28, 1), Silence())


def renamed(held: Weights) -> dict[str, tuple[Any, DType]]:
    """The same under words that other programs have for them."""
    told = {}
    for name, (array, dtype) in held.items():
        for word, other in WORDS.items():
            name = name.replace(word, other)  # noqa: PLW2901
        told[name] = array.copy(), dtype
    return told


@pytest.mark.parametrize("renamed", [True, False])
def test_other_names_are_told_to_be_paired_by_an_alignment(*, renamed: bool) -> None:
    expected = model(np.random.default_rng(1), Size(3, 32, 64, 160))
    names = {name: name.replace("model.layers", "decoder.part") if renamed else name for name in expected}
    suspect = {names[name]: held for name, held in expected.items()}
    models = (checkpoint("S", suspect), checkpoint("R", expected))
    found = reproduced(*models)
    assert any("save_alignment" in caution for caution in found.cautions) is renamed


def test_what_is_renamed_is_paired_by_its_numbers_and_every_bit_compared() -> None:
    expected = model(np.random.default_rng(1), Size(3, 32, 64, 160))
    found = reproduced(checkpoint("S", renamed(expected)), checkpoint("R", expected))
    assert (found.reproduced, found.coverage, found.bit_equal) == (True, 1.0, 1.0)
    assert "paired by their numbers" in found.cautions[-1]


def test_a_changed_weight_under_another_name_is_seen() -> None:
    expected = model(np.random.default_rng(1), Size(3, 32, 64, 160))
    suspect = renamed(expected)
    suspect["model.layers.1.mlp.w1.weight"][0].view(np.uint16).flat[7] ^= 1
    found = reproduced(checkpoint("S", suspect), checkpoint("R", expected))
    assert (found.reproduced, found.elements - found.equal) == (False, 1)
    assert [each.name for each in found.differences] == ["model.layers.1.mlp.w1.weight"]


def test_another_order_under_other_names_is_not_called_the_same_file() -> None:
    expected = model(np.random.default_rng(1), Size(3, 32, 64, 160))
    suspect = renamed(expected)
    order = np.random.default_rng(2).permutation(64)
    for layer in range(3):
        for word, axis in (("w1", 0), ("w2", 1)):
            array, _ = suspect[f"model.layers.{layer}.mlp.{word}.weight"]
            array[...] = np.take(array, order, axis)
    found = reproduced(checkpoint("S", suspect), checkpoint("R", expected))
    assert not found.reproduced
    assert "save_alignment" in found.cautions[-1]


def test_strangers_under_other_names_are_not_paired() -> None:
    models = [model(np.random.default_rng(seed), Size(3, 32, 64, 160)) for seed in (1, 2)]
    found = reproduced(checkpoint("S", renamed(models[0])), checkpoint("R", models[1]))
    assert not found.reproduced
    assert "paired by their numbers" not in " ".join(found.cautions)


def test_what_cannot_be_compared_counts_under_other_names_too() -> None:
    expected = model(np.random.default_rng(1), Size(3, 32, 64, 160))
    table = RefusedTensor("model.layers.0.table", "I64", (4000,), 0, 0, 32_000)
    suspect = replace(checkpoint("S", renamed(expected)), refused={table.name: table})
    found = reproduced(suspect, checkpoint("R", expected))
    assert (found.reproduced, found.bit_equal, found.coverage < 1) == (False, 1.0, True)
    assert [each.reason for each in found.absent] == ["stored as I64, which cannot be compared"]
