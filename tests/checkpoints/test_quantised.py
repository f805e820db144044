"""Quantised checkpoints open, can be inspected, and are refused by name before a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.layouts.quantised import quantisation, refuse_quantised
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import UnsupportedFormatError
from tests.factories import Tensor, write_checkpoint

PLAIN: dict[str, Tensor] = {"model.layers.0.mlp.up_proj.weight": (np.zeros((32, 32)), "BF16")}


def opened(folder: Path, tensors: dict[str, Tensor], config: dict[str, Any] | None = None) -> Checkpoint:
    return open_checkpoint(str(write_checkpoint(folder, tensors, config=config)))


def refusal(checkpoint: Checkpoint) -> str:
    with pytest.raises(UnsupportedFormatError) as caught:
        refuse_quantised(checkpoint)
    assert caught.value.advice
    return caught.value.message


def test_plain_floats_are_not_refused(tmp_path: Path) -> None:
    refuse_quantised(opened(tmp_path, PLAIN, {"model_type": "llama"}))


def test_integer_buffers_beside_plain_floats_are_not_refused(tmp_path: Path) -> None:
    refuse_quantised(opened(tmp_path, PLAIN | {"model.position_ids": np.arange(9)}))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("gptq", "GPTQ"),
        ("awq", "AWQ"),
        ("bitsandbytes", "bitsandbytes"),
        ("fp8", "FP8"),
        ("compressed-tensors", "compressed-tensors"),
        ("mxfp4", "MXFP4"),
        ("something-new", "something-new"),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_the_method_that_the_config_names_is_in_the_refusal(
    tmp_path: Path, method: str, words: str, nested: bool
) -> None:
    config: dict[str, Any] = {"quantization_config": {"quant_method": method}}
    checkpoint = opened(tmp_path, PLAIN, {"text_config": config} if nested else config)
    assert words in refusal(checkpoint)


def test_old_bitsandbytes_configs_are_known_by_their_switches(tmp_path: Path) -> None:
    assert quantisation(opened(tmp_path, PLAIN, {"quantization_config": {"load_in_4bit": True}})) == "bitsandbytes"


def test_fp8_without_scales_is_named(tmp_path: Path) -> None:
    tensors = PLAIN | {"w.weight": (bytes(16), "F8_E4M3", (4, 4))}
    assert "F8_E4M3 without scales" in refusal(opened(tmp_path, tensors))


@pytest.mark.parametrize("scale", ["weight_scale_inv", "weight_scale"])
def test_fp8_with_scales_is_decoded_and_not_refused(tmp_path: Path, scale: str) -> None:
    tensors = PLAIN | {"w.weight": (bytes(16), "F8_E4M3", (4, 4)), f"w.{scale}": np.ones((1, 1), np.float32)}
    checkpoint = opened(tmp_path, tensors)
    refuse_quantised(checkpoint)
    assert quantisation(checkpoint) == "FP8 (E4M3) with a scale for each tensor"


def test_packed_integers_are_known_by_their_names(tmp_path: Path) -> None:
    tensors: dict[str, Tensor] = PLAIN | {"w.qweight": np.zeros((4, 4), np.int32)}
    assert "GPTQ or AWQ" in refusal(opened(tmp_path, tensors))


def test_weights_that_are_mostly_integers_are_refused_by_format(tmp_path: Path) -> None:
    assert "I8" in refusal(opened(tmp_path, PLAIN | {"w.weight": np.zeros((64, 64), np.int8)}))
