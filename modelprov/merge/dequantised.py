"""Quantised models as inputs of a merge: what can be decoded is merged as the numbers it stores, and said aloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelprov.called import called
from modelprov.checkpoints.layouts.decoded import by_format
from modelprov.checkpoints.layouts.quantised import ARCHITECTURE, SECTIONS, quantisation, refuse_packed
from modelprov.checkpoints.layouts.roles import text_config
from modelprov.checkpoints.types import Checkpoint


def refuse_undecoded(checkpoint: Checkpoint) -> None:
    """Raise `UnsupportedFormatError` for a model some of whose weights are packed in a form that is not decoded."""
    if not checkpoint.packings:
        if ARCHITECTURE not in checkpoint.metadata:
            refuse_packed(checkpoint, "merged")
        return
    left = replace(checkpoint, packings={}, config=without_packing(checkpoint.config))
    if quantisation(left) is not None:
        refuse_packed(left, "merged")


def dequantised(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The sentence about a model whose weights are decoded when they are read; none for plain floats."""
    forms = by_format(checkpoint.packings)
    if not forms:
        return ()
    tensors = "1 tensor" if sum(forms.values()) == 1 else f"{sum(forms.values()):,} tensors"
    return (
        f"{tensors} of {checkpoint.label} stored as {', '.join(forms)}: dequantised, so not the weights that were "
        f"quantised; the output is not quantised ({called('out_dtype')} says its format)",
    )


def without_packing(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A config that no longer says that weights are packed."""
    if config is None:
        return None
    plain = {key: value for key, value in config.items() if key not in SECTIONS}
    for key, value in plain.items():
        if value is text_config(config) and isinstance(value, dict):
            plain[key] = {inner: each for inner, each in value.items() if inner not in SECTIONS}
    return plain
