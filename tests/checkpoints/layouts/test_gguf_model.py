"""GGUF models open under the common names, in the common order, as the numbers that the library decodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.layouts.decoded import cells_at
from modelprov.checkpoints.layouts.quantised import refuse_decoded, refuse_packed, refuse_quantised
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import InvalidCheckpointError, MissingShardError, UnsupportedFormatError
from tests.gguf_files import Float32, quantised, write_gguf

gguf = pytest.importorskip("gguf")

RNG = np.random.default_rng(1)
SHAPES = {
    "token_embd.weight": (40, 64), "output.weight": (40, 64), "output_norm.weight": (64,),
    "blk.0.attn_q.weight": (64, 64), "blk.0.attn_k.weight": (32, 64), "blk.0.attn_q.bias": (64,),
    "blk.0.ffn_norm.weight": (64,), "blk.0.ffn_down.weight": (64, 96),
}  # fmt: skip
TENSORS: dict[str, Float32] = {
    name: (RNG.standard_normal(shape) * 0.02).astype(np.float32) for name, shape in SHAPES.items()
}
NAMES = {
    "token_embd.weight": "model.embed_tokens.weight", "output.weight": "lm_head.weight",
    "output_norm.weight": "model.norm.weight", "blk.0.attn_q.weight": "model.layers.0.self_attn.q_proj.weight",
    "blk.0.attn_k.weight": "model.layers.0.self_attn.k_proj.weight",
    "blk.0.attn_q.bias": "model.layers.0.self_attn.q_proj.bias",
    "blk.0.ffn_norm.weight": "model.layers.0.post_attention_layernorm.weight",
    "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj.weight",
}  # fmt: skip


def values(checkpoint: Checkpoint, name: str, first: int = 0, count: int | None = None) -> np.ndarray:
    ref = checkpoint.tensors[name]
    count = ref.count - first if count is None else count
    raw = np.empty(count * ref.dtype.size, np.uint8)
    checkpoint.source.read_into(ref.shard, ref.start + first * ref.dtype.size, raw.data)
    return decode(raw, ref.dtype)


def expected(name: str, kind: str) -> np.ndarray:
    own = TENSORS[name]
    if own.ndim == 1 or kind == "F32":
        return own.astype(np.float64).ravel()
    raw, number = quantised(own, kind)
    return np.asarray(gguf.dequantize(raw, number)).astype(np.float64).ravel()


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q5_1"])
@pytest.mark.parametrize("architecture", ["qwen3", "llama"])
def test_every_tensor_is_read_as_the_library_decodes_it(tmp_path: Path, kind: str, architecture: str) -> None:
    heads = (4, 2) if architecture == "llama" else None
    path = write_gguf(tmp_path / "m.gguf", TENSORS, kind, architecture, heads=heads)
    checkpoint = open_checkpoint(str(path))
    assert set(checkpoint.tensors) == set(NAMES.values())
    for name, common in NAMES.items():
        assert checkpoint.tensors[common].shape == SHAPES[name]
        assert np.array_equal(values(checkpoint, common), expected(name, kind))


def test_any_part_of_a_tensor_is_the_same_as_in_the_whole(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", TENSORS, "Q5_0", "llama", heads=(4, 2))
    checkpoint = open_checkpoint(str(path))
    for name in ("model.layers.0.self_attn.q_proj.weight", "model.layers.0.mlp.down_proj.weight"):
        ref, whole = checkpoint.tensors[name], values(checkpoint, name)
        for first, count in ((0, 1), (37, 500), (100, 64), (1000, 1234), (whole.size - 3, 3)):
            assert np.array_equal(values(checkpoint, name, first, count), whole[first : first + count])
            lower, upper = cells_at(checkpoint.source, ref.shard, ref.start + 4 * first, count) or (None, None)
            assert lower is not None
            assert upper is not None
            assert ((lower <= whole[first : first + count]) & (whole[first : first + count] <= upper)).all()
        raw = bytearray(7)  # across the middle of an element
        checkpoint.source.read_into(ref.shard, ref.start + 5, memoryview(raw))
        assert bytes(raw) == whole[:4].astype("<f4").tobytes()[5:12]


def test_experts_of_a_stack_are_read_one_by_one(tmp_path: Path) -> None:
    stack = (RNG.standard_normal((3, 16, 32)) * 0.02).astype(np.float32)
    path = write_gguf(tmp_path / "m.gguf", {"blk.0.ffn_up_exps.weight": stack}, "Q8_0", "qwen3moe")
    checkpoint = open_checkpoint(str(path))
    for number in range(3):
        raw, kind = quantised(stack[number], "Q8_0")
        found = values(checkpoint, f"model.layers.0.mlp.experts.{number}.up_proj.weight")
        assert np.array_equal(found, np.asarray(gguf.dequantize(raw, kind)).ravel())


def test_an_architecture_whose_converter_is_not_known_is_shown_and_not_compared(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(write_gguf(tmp_path / "m.gguf", TENSORS, "Q8_0", "mamba")))
    assert not checkpoint.tensors
    assert inspect_checkpoint(checkpoint).parameters == sum(own.size for own in TENSORS.values())
    with pytest.raises(UnsupportedFormatError, match="mamba"):
        refuse_quantised(checkpoint)


def test_a_head_that_is_not_stored_is_the_embedding(tmp_path: Path) -> None:
    own = {name: each for name, each in TENSORS.items() if name != "output.weight"}
    assert inspect_checkpoint(open_checkpoint(str(write_gguf(tmp_path / "m.gguf", own, "Q8_0")))).tied is True
    found = inspect_checkpoint(open_checkpoint(str(write_gguf(tmp_path / "n.gguf", TENSORS, "Q8_0"))))
    assert found.tied is False
    assert found.quantisation == "GGUF Q8_0"
    assert {each.dtype: each.tensors for each in found.dtypes} == {"GGUF Q8_0": 5, "F32": 3}


def test_quantised_models_are_read_by_compare_and_not_fingerprinted(tmp_path: Path) -> None:
    packed = open_checkpoint(str(write_gguf(tmp_path / "m.gguf", TENSORS, "Q8_0")))
    refuse_quantised(packed)
    plain = open_checkpoint(str(write_gguf(tmp_path / "n.gguf", TENSORS, "F16")))
    for checkpoint in (packed, plain):
        with pytest.raises(UnsupportedFormatError, match="cannot be fingerprinted"):
            refuse_decoded(checkpoint, "fingerprinted")
    refuse_packed(plain, "verified")
    with pytest.raises(UnsupportedFormatError, match="cannot be verified"):
        refuse_packed(packed, "verified")


def test_a_folder_with_several_models_asks_which(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m-Q8_0.gguf", TENSORS, "Q8_0")
    assert open_checkpoint(str(tmp_path)).tensors
    write_gguf(tmp_path / "m-Q4_0.gguf", TENSORS, "Q4_0")
    with pytest.raises(InvalidCheckpointError, match="several GGUF models"):
        open_checkpoint(str(tmp_path))


def test_all_parts_of_a_split_model_are_read(tmp_path: Path) -> None:
    names = list(TENSORS)
    for number, part in enumerate((names[:4], names[4:]), start=1):
        write_gguf(tmp_path / f"m-0000{number}-of-00002.gguf", {name: TENSORS[name] for name in part}, "Q8_0")
    for location in (tmp_path, tmp_path / "m-00002-of-00002.gguf"):
        assert set(open_checkpoint(str(location)).tensors) == set(NAMES.values())
    (tmp_path / "m-00002-of-00002.gguf").unlink()
    with pytest.raises(MissingShardError, match="00002"):
        open_checkpoint(str(tmp_path))


def test_heads_that_do_not_divide_the_rows_are_an_error(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", TENSORS, "Q8_0", "llama", {"attention.head_count": 7})
    with pytest.raises(InvalidCheckpointError, match="heads"):
        open_checkpoint(str(path))


def test_numbers_that_gemmas_converter_changed_are_not_compared(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(write_gguf(tmp_path / "m.gguf", TENSORS, "Q8_0", "gemma")))
    assert {name: each.format for name, each in checkpoint.refused.items()} == {
        NAMES[name]: "GGUF F32 with 1 added" for name in ("output_norm.weight", "blk.0.ffn_norm.weight")
    }
