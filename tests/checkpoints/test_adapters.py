"""Adapters on a base open as the merged model, computed when read; what does not fit or is not computed is refused."""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.adapters.joining import with_adapter
from modelprov.checkpoints.composed import composed
from modelprov.checkpoints.digests import weights_digest
from modelprov.checkpoints.homes import LocalHome
from modelprov.checkpoints.layouts.folders import Part
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Packing
from modelprov.errors import (
    CheckpointNotFoundError,
    InvalidCheckpointError,
    MissingBaseError,
    ModelprovError,
    UnsupportedFormatError,
)
from tests.checkpoints.adapted import (
    EMBED,
    HEAD,
    LORA,
    SHAPES,
    UP,
    Array,
    Q,
    base_weights,
    matrices,
    stored_as,
    values_of,
    write_adapter,
    write_base,
)
from tests.factories import write_checkpoint


def opened(folder: Path, tensors: Mapping[str, Array], config: Mapping[str, Any], form: str = "BF16") -> Any:
    base = write_base(folder / "base", base_weights(), form)
    return open_checkpoint(f"{base}+{write_adapter(folder / 'adapter', tensors, config)}")


def product(parts: Mapping[str, Array], module: str) -> Array:
    return parts[f"{module}.lora_B.weight"].astype(np.float64) @ parts[f"{module}.lora_A.weight"].astype(np.float64)


@pytest.mark.parametrize("form", ["BF16", "F16", "F32", "F64"])
def test_lora_is_the_base_and_the_scaled_product_rounded_once_to_the_bases_format(tmp_path: Path, form: str) -> None:
    parts = matrices(Q)
    checkpoint = opened(tmp_path, parts, LORA, form)
    weights = base_weights()
    delta = product(parts, Q).astype(np.float32) * np.float32(2)
    working = np.float64 if form == "F64" else np.float32
    wanted = stored_as(weights[f"{Q}.weight"].astype(working) + delta, form)
    assert np.array_equal(values_of(checkpoint, f"{Q}.weight"), wanted)
    assert not np.array_equal(wanted, weights[f"{Q}.weight"])
    for name in (f"{UP}.weight", f"{EMBED}.weight", f"{Q}.bias"):
        assert np.array_equal(values_of(checkpoint, name), weights[name])
    assert "LoRA adapter" in checkpoint.notes[0]
    assert "read as merged weights: 1 tensors changed" in checkpoint.notes[0]
    assert checkpoint.config == {"model_type": "llama"}


def test_every_cut_of_an_adapted_shard_gives_the_same_bytes(tmp_path: Path) -> None:
    parts = matrices(Q) | matrices(UP, seed=2)
    checkpoint = opened(tmp_path, parts, LORA)
    random = np.random.default_rng(0)
    for shard in range(len(checkpoint.shards)):
        size = checkpoint.shards[shard].size
        whole = bytearray(size)
        checkpoint.source.read_into(shard, 0, memoryview(whole))
        cuts = sorted({0, size, *random.integers(0, size, 40).tolist()})
        ranges = [(shard, start, stop) for start, stop in pairwise(cuts)]
        pieces = dict(checkpoint.source.read_ranges(ranges))
        assert b"".join(bytes(pieces[number]) for number in range(len(ranges))) == whole
        copy = bytearray(size)
        pickle.loads(pickle.dumps(checkpoint.source)).read_into(shard, 0, memoryview(copy))
        assert copy == whole
    assert weights_digest(checkpoint) != weights_digest(open_checkpoint(str(tmp_path / "base")))


def test_scales_follow_rank_alpha_their_patterns_and_the_root_of_the_rank(tmp_path: Path) -> None:
    parts = matrices(Q, rank=9) | matrices(UP)
    config = LORA | {"use_rslora": True, "rank_pattern": {"q_proj": 9}, "alpha_pattern": {r"layers\.0\.self_attn.*": 3}}
    checkpoint = opened(tmp_path, parts, config, "F32")
    weights = base_weights()
    for module, scale in ((Q, 3 / math.sqrt(9)), (UP, 8 / math.sqrt(4))):
        wanted = weights[f"{module}.weight"] + product(parts, module) * scale
        assert np.allclose(values_of(checkpoint, f"{module}.weight"), wanted, rtol=0, atol=1e-6)
    assert "rank-stabilised" in checkpoint.notes[0]


def test_dora_brings_every_row_to_its_length(tmp_path: Path) -> None:
    lengths = np.random.default_rng(5).uniform(1, 3, SHAPES[Q][0]).astype(np.float32)
    parts = matrices(Q) | {f"{Q}.lora_magnitude_vector": lengths}
    checkpoint = opened(tmp_path, parts, LORA | {"use_dora": True}, "F32")
    found = values_of(checkpoint, f"{Q}.weight")
    moved = base_weights()[f"{Q}.weight"] + 2 * product(parts, Q)
    wanted = moved / np.linalg.norm(moved, axis=1, keepdims=True) * lengths[:, None]
    assert np.allclose(found, wanted, rtol=1e-6, atol=1e-6)
    assert np.allclose(np.linalg.norm(found, axis=1), lengths, rtol=1e-6)


def test_ia3_multiplies_rows_of_outputs_with_their_bias_and_columns_of_inputs(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    outputs, inputs = random.uniform(0.5, 2, (24, 1)), random.uniform(0.5, 2, (1, 16))
    checkpoint = opened(tmp_path, {f"{Q}.ia3_l": outputs, f"{UP}.ia3_l": inputs}, {"peft_type": "IA3"}, "F32")
    weights = base_weights()
    for name, factor in ((f"{Q}.weight", outputs), (f"{UP}.weight", inputs), (f"{Q}.bias", outputs.ravel())):
        assert np.allclose(values_of(checkpoint, name), weights[name] * factor, rtol=1e-6), name


def test_embeddings_and_transposed_layers_take_the_product_transposed(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    first, second = random.standard_normal((4, 50)), random.standard_normal((16, 4))
    parts = {f"{EMBED}.lora_embedding_A": first, f"{EMBED}.lora_embedding_B": second}
    checkpoint = opened(tmp_path, parts, LORA, "F32")
    wanted = base_weights()[f"{EMBED}.weight"] + 2 * (second @ first).T
    assert np.allclose(values_of(checkpoint, f"{EMBED}.weight"), wanted, rtol=0, atol=1e-4)
    a, b = random.standard_normal((4, 24)), random.standard_normal((16, 4))
    parts = {f"{Q}.lora_A.weight": a, f"{Q}.lora_B.weight": b}
    checkpoint = opened(tmp_path / "conv1d", parts, LORA | {"fan_in_fan_out": True}, "F32")
    wanted = base_weights()[f"{Q}.weight"] + 2 * (b @ a).T
    assert np.allclose(values_of(checkpoint, f"{Q}.weight"), wanted, rtol=0, atol=1e-4)


def test_modules_saved_whole_take_the_bases_place_and_stand_beside_it_where_they_are_new_or_larger(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(8)
    whole = {
        f"{Q}.base_layer.bias": random.standard_normal(24), f"{HEAD}.weight": random.standard_normal((50, 16)),
        f"{EMBED}.weight": random.standard_normal((52, 16)), "score.weight": random.standard_normal((3, 16)),
    }  # fmt: skip
    parts = matrices(Q) | whole
    config = LORA | {"bias": "all", "modules_to_save": ["lm_head", "embed_tokens", "score"]}
    checkpoint = opened(tmp_path, parts, config)
    assert np.array_equal(values_of(checkpoint, f"{Q}.bias"), stored_as(whole[f"{Q}.base_layer.bias"]))
    assert np.array_equal(values_of(checkpoint, f"{HEAD}.weight"), stored_as(whole[f"{HEAD}.weight"]))
    assert np.array_equal(values_of(checkpoint, f"{EMBED}.weight"), whole[f"{EMBED}.weight"].astype(np.float32))
    assert checkpoint.tensors["score.weight"].shape == (3, 16)
    assert "2 taken from the adapter as they are" in checkpoint.notes[0]


def test_an_adapter_opens_on_the_base_that_its_config_names_where_that_is_here(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", base_weights())
    adapter = write_adapter(tmp_path / "adapter", matrices(Q), LORA | {"base_model_name_or_path": str(base)})
    for location in (adapter, adapter / "adapter_model.safetensors"):
        checkpoint = open_checkpoint(str(location))
        assert checkpoint.tensors.keys() == base_weights().keys()
        assert str(base) in checkpoint.notes[0]
        assert checkpoint.adapter_on == str(base)


@pytest.mark.parametrize("named", ["org/not-here", "https://example.org/model", "", None])
def test_a_base_that_is_not_here_is_named_with_the_way_to_give_it_and_nobody_is_asked(
    tmp_path: Path, named: str | None
) -> None:
    adapter = write_adapter(tmp_path / "adapter", matrices(Q), LORA | {"base_model_name_or_path": named})
    with pytest.raises(MissingBaseError, match=named or "does not name its base") as caught:
        open_checkpoint(str(adapter))
    assert "BASE+ADAPTER" in caught.value.advice


def test_a_folder_with_a_plus_in_its_name_counts_first(tmp_path: Path) -> None:
    folder = write_base(tmp_path / "a+b", base_weights())
    assert open_checkpoint(str(folder)).adapter_on is None
    with pytest.raises(CheckpointNotFoundError):
        open_checkpoint(f"{folder}+{tmp_path / 'nowhere'}")
    with pytest.raises(CheckpointNotFoundError, match="holds no adapter"):
        open_checkpoint(f"{folder}+{folder}")


OTHER = "model.layers.7.self_attn.q_proj"
BROKEN: dict[str, tuple[dict[str, Array], dict[str, Any], type[ModelprovError], str]] = {
    "another rank": (matrices(Q, rank=3), {}, InvalidCheckpointError, "says rank 4.*have 3"),
    "another width": (
        matrices(Q) | {f"{Q}.lora_A.weight": np.zeros((4, 17))}, {}, InvalidCheckpointError, "do not fit the base"
    ),
    "half a pair": ({f"{Q}.lora_A.weight": np.zeros((4, 16))}, {}, InvalidCheckpointError, "a alone"),
    "another model": (
        {name.replace(Q, OTHER): values for name, values in matrices(Q).items()}, {}, InvalidCheckpointError,
        "which .* does not have",
    ),
    "DoRA unsaid": (matrices(Q) | {f"{Q}.lora_magnitude_vector": np.ones(24)}, {}, InvalidCheckpointError, "differ on"),
    "IA3 of another size": (
        {f"{Q}.ia3_l": np.ones((23, 1))}, {"peft_type": "IA3"}, InvalidCheckpointError, "do not fit"
    ),
    "another kind": (matrices(Q), {"peft_type": "PREFIX_TUNING"}, UnsupportedFormatError, "PREFIX_TUNING"),
    "PiSSA": (matrices(Q), {"init_lora_weights": "pissa"}, UnsupportedFormatError, "base was changed"),
    "an unknown key": (matrices(Q), {"use_qalora": True}, UnsupportedFormatError, "use_qalora"),
    "parameters": (matrices(Q), {"target_parameters": ["experts"]}, UnsupportedFormatError, "target_parameters"),
    "a rich pattern": (matrices(Q), {"alpha_pattern": {"(a+)+$": 1}}, UnsupportedFormatError, "too rich"),
    "an unknown part": (
        matrices(Q) | {f"{Q}.lora_C.weight": np.ones(3)}, {}, UnsupportedFormatError, "not computed here"
    ),
    "no rank": (matrices(Q), {"r": 0}, InvalidCheckpointError, "impossible rank"),
    "no number": (matrices(Q), {"lora_alpha": "8"}, InvalidCheckpointError, "impossible scale"),
    "a transposed DoRA": (
        {f"{Q}.lora_A.weight": np.zeros((4, 24)), f"{Q}.lora_B.weight": np.zeros((16, 4)),
         f"{Q}.lora_magnitude_vector": np.ones(24)},
        {"use_dora": True, "fan_in_fan_out": True}, UnsupportedFormatError, "no plain matrix",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_an_adapter_that_does_not_fit_or_does_more_is_refused_by_name(tmp_path: Path, what: str) -> None:
    parts, more, error, words = BROKEN[what]
    with pytest.raises(error, match=words) as caught:
        opened(tmp_path, parts, LORA | more)
    assert caught.value.advice


def test_a_quantised_base_is_refused_with_the_way_out(tmp_path: Path) -> None:
    base = write_checkpoint(tmp_path / "base", {f"{Q}.weight": np.zeros((24, 16), np.int8)})
    adapter = write_adapter(tmp_path / "adapter", matrices(Q), LORA)
    with pytest.raises(UnsupportedFormatError, match="an adapter cannot be put on it") as caught:
        open_checkpoint(f"{base}+{adapter}")
    assert "BASE+ADAPTER" in caught.value.advice


def test_a_base_whose_numbers_are_decoded_when_read_takes_no_adapter_and_is_no_part(tmp_path: Path) -> None:
    base = open_checkpoint(str(write_base(tmp_path / "base", base_weights())))
    packed = replace(base, packings={f"{UP}.weight": Packing("Q8_0", 8.5, nearest=True)})
    home = LocalHome(write_adapter(tmp_path / "adapter", matrices(Q), LORA))
    assert with_adapter(base, home, "x", "x").tensors
    with pytest.raises(UnsupportedFormatError, match="is quantised: an adapter cannot be put on it"):
        with_adapter(packed, home, "x", "x")
    with pytest.raises(UnsupportedFormatError, match=r"vae of .* is quantised"):
        composed([(Part("unet", "unet."), base), (Part("vae", "vae."), packed)])


def test_names_that_differ_by_a_prefix_meet(tmp_path: Path) -> None:
    bare = {name.removeprefix("model."): values for name, values in base_weights().items()}
    base = write_base(tmp_path / "base", bare)
    adapter = write_adapter(tmp_path / "adapter", matrices(Q), LORA)
    checkpoint = open_checkpoint(f"{base}+{adapter}")
    changed = values_of(checkpoint, f"{Q}.weight".removeprefix("model."))
    assert not np.array_equal(changed, base_weights()[f"{Q}.weight"])
