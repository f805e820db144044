"""One tiny family on disk, shared by all tests of this folder, and a progress that nobody sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.types import Checkpoint, TensorRef
from modelprov.demo.family import TINY, Family, build_family
from modelprov.recipes.recipe import Recipe, linear
from tests import factories

RNG = np.random.default_rng(7)


class Silence:
    """Progress that nobody sees."""

    def stage(self, text: str, total_bytes: int = 0) -> None: ...

    def advance(self, read: int) -> None: ...


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return build_family(tmp_path_factory.mktemp("merge") / "family", seed=3, scale=TINY)


@pytest.fixture(scope="session")
def rio(family: Family) -> Recipe:
    """The recipe by which the family's `rio` was made."""
    return linear({str(family.nex): 0.565, str(family.qwen): 1 - 0.565})


def stored_bytes(checkpoint: Checkpoint, ref: TensorRef) -> bytes:
    """The bytes of a stored tensor, read at once."""
    held = bytearray(ref.stop - ref.start)
    checkpoint.source.read_into(ref.shard, ref.start, memoryview(held))
    return bytes(held)


def differing(one: Checkpoint, other: Checkpoint) -> list[str]:
    """Canonical tensors of both that do not hold the same bytes."""
    found = []
    for tensor in align((one, other)).tensors:
        raw = []
        for checkpoint, view in zip((one, other), tensor.views, strict=True):
            held = bytearray(view.count * view.ref.dtype.size)
            checkpoint.source.read_into(view.ref.shard, view.start, memoryview(held))
            raw.append(bytes(held))
        if raw[0] != raw[1]:
            found.append(tensor.name)
    return found


def model(folder: Path, layers: int = 2, hidden: int = 16, vocabulary: int = 32, **extra: factories.Tensor) -> Path:
    """A small dense model in bf16; `extra` tensors by name, None leaves one out."""

    def noise(*shape: int) -> factories.Tensor:
        return RNG.standard_normal(shape), "BF16"

    tensors: dict[str, factories.Tensor] = {"model.embed_tokens.weight": noise(vocabulary, hidden)}
    for layer in range(layers):
        tensors[f"model.layers.{layer}.self_attn.q_proj.weight"] = noise(hidden, hidden)
        tensors[f"model.layers.{layer}.mlp.up_proj.weight"] = noise(2 * hidden, hidden)
    tensors["model.norm.weight"] = noise(hidden)
    tensors["lm_head.weight"] = noise(vocabulary, hidden)
    tensors |= extra
    config = {
        "architectures": ["LlamaForCausalLM"],
        "num_hidden_layers": layers,
        "layer_types": list("abcdef"[:layers]),
    }
    return factories.write_checkpoint(folder, tensors, config=config)
