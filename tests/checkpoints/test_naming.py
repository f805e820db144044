"""One canonical name and one contiguous view for the same weights, however they are spelled or fused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.layouts.naming import canonical_name, canonical_views, tied_head
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from tests.factories import Tensor, write_checkpoint

EXPERTS, INNER, HIDDEN = 3, 5, 8
Array = npt.NDArray[np.float64]


def numbers(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32).astype(np.float64)


def opened(folder: Path, tensors: dict[str, Array], config: dict[str, Any] | None = None) -> Checkpoint:
    stored: dict[str, Tensor] = {name: (array, "F32") for name, array in tensors.items()}
    return open_checkpoint(str(write_checkpoint(folder, stored, config=config)))


def views(checkpoint: Checkpoint) -> dict[str, Array]:
    """What every canonical view really holds, read from disk."""
    result = {}
    for name, view, shape in canonical_views(checkpoint):
        raw = np.empty(view.count * view.ref.dtype.size, np.uint8)
        checkpoint.source.read_into(view.ref.shard, view.start, raw.data)
        assert name not in result
        result[name] = decode(raw, view.ref.dtype).reshape(shape)
    return result


def same(found: dict[str, Array], expected: dict[str, Array]) -> bool:
    return found.keys() == expected.keys() and all(np.array_equal(found[name], expected[name]) for name in found)


@pytest.mark.parametrize(
    ("stored", "canonical"),
    [
        ("model.language_model.layers.3.mlp.gate.weight", "model.layers.3.mlp.gate.weight"),
        ("language_model.model.layers.3.mlp.gate.weight", "model.layers.3.mlp.gate.weight"),
        ("model.layers.3.mlp.gate.weight", "model.layers.3.mlp.gate.weight"),
        ("layers.3.mlp.gate.weight", "model.layers.3.mlp.gate.weight"),
        ("module._orig_mod.model.norm.weight", "model.norm.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("lm_head.weight", "lm_head.weight"),
        ("model.visual.blocks.0.attn.qkv.weight", "visual.blocks.0.attn.qkv.weight"),
        ("visual.blocks.0.attn.qkv.weight", "visual.blocks.0.attn.qkv.weight"),
        ("mtp.layers.0.mlp.gate.weight", "mtp.layers.0.mlp.gate.weight"),
        ("h.0.attn.c_attn.weight", "transformer.h.0.attn.c_attn.weight"),
        ("model.layers.1.block_sparse_moe.gate.weight", "model.layers.1.mlp.gate.weight"),
        ("model.layers.1.block_sparse_moe.experts.7.w1.weight", "model.layers.1.mlp.experts.7.gate_proj.weight"),
        ("model.layers.1.block_sparse_moe.experts.7.w2.weight", "model.layers.1.mlp.experts.7.down_proj.weight"),
        ("model.layers.1.block_sparse_moe.experts.7.w3.weight", "model.layers.1.mlp.experts.7.up_proj.weight"),
    ],
)
def test_spellings_of_one_tensor_share_a_name(stored: str, canonical: str) -> None:
    assert canonical_name(stored) == canonical
    assert canonical_name(canonical) == canonical


@pytest.mark.parametrize("ending", ["", ".weight"])
def test_fused_experts_are_the_same_views_as_separate_ones(tmp_path: Path, ending: str) -> None:
    gate, up = numbers(EXPERTS, INNER, HIDDEN), -numbers(EXPERTS, INNER, HIDDEN)
    down, router = numbers(EXPERTS, HIDDEN, INNER), numbers(EXPERTS, HIDDEN)
    block = "model.layers.0.mlp"
    fused = {
        f"{block}.experts.gate_up_proj{ending}": np.concatenate([gate, up], axis=1),
        f"{block}.experts.down_proj{ending}": down,
        f"{block}.gate.weight": router,
    }
    separate = {f"{block}.gate.weight": router}
    for e in range(EXPERTS):
        for part, stack in (("gate", gate), ("up", up), ("down", down)):
            separate[f"{block}.experts.{e}.{part}_proj.weight"] = stack[e]
    found = views(opened(tmp_path / "fused", fused))
    assert same(found, separate)
    assert same(found, views(opened(tmp_path / "separate", separate)))


def test_the_config_alone_is_enough_to_split_gate_from_up(tmp_path: Path) -> None:
    stack = {"model.layers.0.mlp.experts.gate_up_proj": numbers(EXPERTS, 2 * INNER, HIDDEN)}
    config = {"text_config": {"hidden_size": HIDDEN}}
    assert len(views(opened(tmp_path, stack, config))) == 2 * EXPERTS


@pytest.mark.parametrize("inner", [INNER, HIDDEN // 2])
def test_transposed_stacks_are_cut_by_expert_only(tmp_path: Path, inner: int) -> None:
    # Llama-4 and gpt-oss store [E, H, 2I] and [E, I, H]; with 2I = H only the down projection can tell.
    block = "model.layers.0.mlp"
    gate_up = numbers(EXPERTS, HIDDEN, 2 * inner)
    stored = {
        f"{block}.experts.gate_up_proj": gate_up,
        f"{block}.experts.down_proj": numbers(EXPERTS, inner, HIDDEN),
        f"{block}.router.weight": numbers(EXPERTS, HIDDEN),
    }
    found = views(opened(tmp_path, stored, {"hidden_size": HIDDEN}))
    for e in range(EXPERTS):
        assert np.array_equal(found[f"{block}.experts.{e}.gate_up_proj.weight"], gate_up[e])
    assert not any(name.endswith("gate_proj.weight") for name in found)


def test_square_stacks_are_split_when_the_down_projection_shows_how(tmp_path: Path) -> None:
    stored = {
        "model.layers.0.mlp.experts.gate_up_proj": numbers(EXPERTS, HIDDEN, HIDDEN),
        "model.layers.0.mlp.experts.down_proj": numbers(EXPERTS, HIDDEN, HIDDEN // 2),
    }
    found = views(opened(tmp_path, stored, {"hidden_size": HIDDEN}))
    assert found["model.layers.0.mlp.experts.0.up_proj.weight"].shape == (HIDDEN // 2, HIDDEN)


def test_a_square_stack_alone_is_not_split_since_nothing_shows_its_layout(tmp_path: Path) -> None:
    stack = {"model.layers.0.mlp.experts.gate_up_proj": numbers(EXPERTS, HIDDEN, HIDDEN)}
    assert len(views(opened(tmp_path, stack, {"hidden_size": HIDDEN}))) == EXPERTS


def test_a_stack_of_unknown_layout_is_not_split(tmp_path: Path) -> None:
    stack = {"model.layers.0.mlp.experts.gate_up_proj": numbers(EXPERTS, 2 * INNER, HIDDEN)}
    assert len(views(opened(tmp_path, stack))) == EXPERTS


def test_dense_gate_up_rows_are_gate_then_up(tmp_path: Path) -> None:
    rows = numbers(2 * INNER, HIDDEN)
    stored = {"model.layers.0.mlp.gate_up_proj.weight": rows, "model.embed_tokens.weight": numbers(11, HIDDEN)}
    found = views(opened(tmp_path, stored))
    assert np.array_equal(found["model.layers.0.mlp.gate_proj.weight"], rows[:INNER])
    assert np.array_equal(found["model.layers.0.mlp.up_proj.weight"], rows[INNER:])


PHI = {"model_type": "phi3", "hidden_size": HIDDEN, "num_attention_heads": 4, "num_key_value_heads": 2}


def test_phi_rows_are_q_then_k_then_v(tmp_path: Path) -> None:
    rows = numbers(16, HIDDEN)
    found = views(opened(tmp_path, {"model.layers.0.self_attn.qkv_proj.weight": rows}, PHI))
    parts = {"q": rows[:8], "k": rows[8:12], "v": rows[12:]}
    assert same(found, {f"model.layers.0.self_attn.{part}_proj.weight": array for part, array in parts.items()})


ATTENTION = "model.layers.0.self_attn"


@pytest.mark.parametrize("word", [f"{ATTENTION}.qkv_proj", f"{ATTENTION}.W_pack", "transformer.blocks.0.attn.Wqkv"])
@pytest.mark.parametrize("said", ["heads", "output projection", "both"])
def test_rows_of_q_k_and_v_are_known_from_heads_or_the_output_projection_in_any_family(
    tmp_path: Path, word: str, said: str
) -> None:
    rows, parent = numbers(16, HIDDEN), word.rpartition(".")[0]
    stored = {f"{word}.weight": rows, f"{word}.bias": rows[:, 0].copy()}
    if said != "heads":
        stored[f"{parent}.o_proj.weight"] = numbers(HIDDEN, 8)
    config = None if said == "output projection" else PHI | {"model_type": "whatever"}
    found = views(opened(tmp_path, stored, config))
    for part, own in (("q", slice(0, 8)), ("k", slice(8, 12)), ("v", slice(12, 16))):
        assert np.array_equal(found[f"{parent}.{part}_proj.weight"], rows[own])
        assert np.array_equal(found[f"{parent}.{part}_proj.bias"], rows[own, 0])


def test_fused_attention_is_left_whole_where_heads_and_output_projection_differ_or_it_is_gated(tmp_path: Path) -> None:
    rows = numbers(16, HIDDEN)
    for more in ({"o_proj": numbers(HIDDEN, 6)}, {"output_gate": numbers(8, HIDDEN)}):
        stored = {f"{ATTENTION}.qkv_proj.weight": rows} | {
            f"{ATTENTION}.{word}.weight": own for word, own in more.items()
        }
        assert same(views(opened(tmp_path, stored, PHI)), stored)


@pytest.mark.parametrize("config", [None, PHI | {"model_type": "minimax"}, PHI | {"num_attention_heads": 3}])
def test_other_fused_attention_is_left_whole(tmp_path: Path, config: dict[str, Any] | None) -> None:
    rows = numbers(16, HIDDEN)
    assert same(
        views(opened(tmp_path, {"model.layers.0.self_attn.qkv_proj.weight": rows}, config)),
        {"model.layers.0.self_attn.qkv_proj.weight": rows},
    )


@pytest.mark.parametrize(
    ("config", "tied"),
    [
        ({"tie_word_embeddings": True}, True),
        ({"text_config": {"tie_word_embeddings": True}}, True),
        ({"architectures": ["Gemma2ForCausalLM"]}, True),
        ({"tie_word_embeddings": False, "architectures": ["LlamaForCausalLM"]}, False),
        ({"architectures": ["LlamaModel"]}, False),
        ({"architectures": []}, False),
        (None, False),
    ],
)
def test_the_embedding_is_the_head_where_the_config_ties_them(
    tmp_path: Path, config: dict[str, Any] | None, tied: bool
) -> None:
    found = tied_head(opened(tmp_path, {"model.embed_tokens.weight": numbers(11, HIDDEN)}, config))
    assert (found is not None) == tied
    if found is not None:
        assert found[0] == "lm_head.weight"
        assert found[1].ref.name == "model.embed_tokens.weight"


@pytest.mark.parametrize("value", [0, -1, "4", None, 1.5, [], True])
def test_nonsense_in_the_config_never_breaks_naming(tmp_path: Path, value: object) -> None:
    config = {"model_type": "phi3", "text_config": value, "tie_word_embeddings": value, "architectures": value}
    config |= dict.fromkeys(["hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim"], value)
    stored = {
        "model.layers.0.self_attn.qkv_proj.weight": numbers(16, HIDDEN),
        "model.layers.0.mlp.gate_up_proj.weight": numbers(10, HIDDEN),
        "model.layers.0.mlp.experts.gate_up_proj": numbers(EXPERTS, 10, HIDDEN),
    }
    checkpoint = opened(tmp_path, stored, config)
    assert sum(view.count for _, view, _ in canonical_views(checkpoint)) == checkpoint.parameters
    tied_head(checkpoint)
