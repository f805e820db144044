"""Reads the recorded outputs of mergekit (tests/data/mergekit) and repeats their recipes with our methods."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, decode
from modelprov.recipes.methods import METHODS, Inputs

FOLDER = Path(__file__).parents[2] / "data" / "mergekit"
PROGRAMS = ("mergekit-0.1.4", "mergekit-0.1.5")
Float32 = npt.NDArray[np.float32]


@cache
def tensors(file: str) -> dict[str, Float32]:
    """The tensors of a small safetensors file as float32, exactly."""
    raw = (FOLDER / file).read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    found = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, last = (8 + length + at for at in entry["data_offsets"])
            values = decode(np.frombuffer(raw[first:last], np.uint8), DType(entry["dtype"]))
            found[name] = values.astype(np.float32).reshape(entry["shape"])
    return found


@cache
def manifest() -> dict[str, Any]:
    return json.loads((FOLDER / "manifest.json").read_text())


def cases(*, random: bool) -> list[str]:
    """The recorded cases of the deterministic or of the random methods."""
    recorded = manifest()["cases"]
    return sorted(case for case in recorded if METHODS[recorded[case]["recipe"]["merge_method"]].random == random)


def tensor_names() -> list[str]:
    return list(tensors("input-BASE.safetensors"))


def output(case: str, program: str, tensor: str) -> Float32:
    """What the program wrote."""
    return tensors("outputs.safetensors")[manifest()["cases"][case]["outputs"][program][tensor]].ravel()


def inputs(case: str, program: str, tensor: str, rng: np.random.Generator | None = None) -> Inputs:
    """The recorded recipe for one tensor, with defaults filled in and the base taken out of the models."""
    recipe = manifest()["cases"][case]["recipe"]
    method, base = METHODS[recipe["merge_method"]], recipe.get("base_model")
    listed = [entry for entry in recipe["models"] if entry["model"] != base]
    global_defaults = {one.name: one.default for one in method.parameters if not one.per_model}
    own_defaults = {one.name: one.default for one in method.parameters if one.per_model}
    models = {name: tensors(f"input-{name}.safetensors")[tensor] for name in (*"ABCDE", "BASE")}
    return Inputs(
        tensors=[models[entry["model"]].ravel() for entry in listed],
        base=None if base is None else models[base].ravel(),
        shape=models["BASE"].shape,
        models=[{**own_defaults, **entry.get("parameters", {})} for entry in listed],
        options={**global_defaults, **recipe.get("parameters", {})},
        arithmetic=program,
        dtype=DType.BF16 if recipe["dtype"] == "bfloat16" else DType.F32,
        out_dtype=DType.F32 if method.stores_float32 else DType.BF16,
        rng=rng,
    )


def merged(case: str, program: str, tensor: str, rng: np.random.Generator | None = None) -> Float32:
    """What our method makes of the recorded recipe."""
    method = METHODS[manifest()["cases"][case]["recipe"]["merge_method"]]
    return method.merge(inputs(case, program, tensor, rng))
