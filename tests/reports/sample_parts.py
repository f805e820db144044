"""What sample reports are built from: rows, inputs, curves. Realistic in size; the numbers are made up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.histories import histories
from modelprov.forensics.mixing import CurvePoint, LeastSquares, Mixing, Reproduction
from modelprov.forensics.results import AfterMerge, History, Measures, VerdictClass
from modelprov.reports.comparison.report import (
    Asked,
    ComparisonEnvironment,
    Coverage,
    Input,
    Report,
    Settings,
    UnalignedGroup,
)

LAYERS = 60


COMPONENTS = {
    "routed experts": (6.2e9, 0.997, 0.567),
    "shared expert": (1.2e7, 0.996, 0.568),
    "attention": (6.7e7, 0.987, 0.582),
    "linear attention": (8.9e7, 0.985, 0.585),
    "router": (2.1e6, 0.967, 0.627),
    "vision": (7.6e6, 0.984, 0.581),
    "embedding": (1.02e9, 0.992, 0.573),
    "lm head": (1.02e9, 0.991, 0.574),
    "norm": (8.2e3, 0.431, 0.903),
    "bias": (1.1e3, 0.312, 0.881),
}


def fitting(rule: str, *labels: str) -> tuple[History, ...]:
    """The histories that the program lists for a rule."""
    return histories(Decision(VerdictClass.INCONCLUSIVE, rule, 1), Facts(elements=1, parents=len(labels) - 1), labels)


def wave(layer: int, scale: float = 1.0) -> float:
    """Return a repeatable wiggle between -scale and +scale."""
    return scale * math.sin(1.7 * layer) * math.cos(0.4 * layer + 1)


def inputs(*roles: tuple[str, str]) -> tuple[Input, ...]:
    return tuple(
        Input(
            label=label,
            role=role,  # type: ignore[arg-type]
            location=f"hf://example/{label}" if label.isprintable() else label,
            revision=f"{i}f0c2d1ab34e5f6079b8c1d2e3f40516273849" + "5ab"[i % 3] * 2,
            digest=f"{i}" + "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635a"[:63],
            digest_covers="names, sizes and header digests of all shards",
            parameters=397_013_214_208,
            bytes=806_797_000_000,
            shards=94 + i,
            dtypes={"BF16": 1_043, "F32": 60},
            architecture="Qwen3_5MoeForConditionalGeneration",
        )
        for i, (label, role) in enumerate(roles, 1)
    )


def environment() -> ComparisonEnvironment:
    return ComparisonEnvironment(
        modelprov="0.1.0",
        python="3.11.11",
        packages={"numpy": "2.3.4", "scipy": "1.16.2", "numba": "0.62.1"},
        platform="Linux-6.8 x86_64",
        processor_count=16,
        device="NVIDIA H200",
        seed=20260101,
        started="2026-11-22T12:00:00Z",
        seconds=4_312.4,
        bytes_read=2_420_391_000_000,
    )


def settings(given: tuple[Input, ...]) -> Settings:
    """What was asked of a full comparison of these inputs."""
    asked = [Asked(label=item.label, location=item.location) for item in given if item.role != "control"]
    return Settings(
        sample=False, sample_elements=1 << 20, seed=20260101, device="auto", memory=512 << 20, threads=None,
        method="auto", suspect=asked[0], parents=tuple(asked[1:-1]), reference=asked[-1],
        controls=tuple(Asked(label=item.label, location=item.location) for item in given if item.role == "control"),
    )  # fmt: skip


def coverage(**changes: Any) -> Coverage:
    base = {
        "share": 0.99996,
        "read_share": 0.99996,
        "elements": 397_013_214_208,
        "elements_read": 396_997_000_000,
        "nonfinite": 0,
        "tensors": 1_043,
        "guessed": 0,
        "unaligned": (
            UnalignedGroup(
                checkpoint="Rio-3.5",
                reason="no tensor of this name or shape in Nex-N2",
                tensors=19,
                elements=16_214_208,
                share=0.00004,
                examples=("mtp.layers.0.self_attn.q_proj.weight", "mtp.fc.weight", "mtp.norm.weight"),
            ),
        ),
    }
    return Coverage(**(base | changes))


def measures(name: str, kind: str, layer: int | None = None, **changes: Any) -> Measures:
    """Return a row of an exact merge at 0.565; norms and biases carry only least squares."""
    elements, cosine, squares = COMPONENTS.get(kind, (6.6e9, 0.9965, 0.5673))
    wiggle = wave(layer or 0)
    decisive = kind not in {"norm", "bias"}
    base: dict[str, Any] = {
        "name": name,
        "layer": layer,
        "component": kind if kind in COMPONENTS else None,
        "elements": int(elements * (1 if layer is not None else LAYERS)),
        "decisive": decisive,
        "alpha": 0.565 if decisive else None,
        "low": 0.564997 if decisive else None,
        "high": 0.565003 if decisive else None,
        "coverage": 1.0 if decisive else None,
        "least_squares": LeastSquares(
            alpha=squares + 0.004 * wiggle,
            collinearity=min(0.9999, cosine + 0.0025 * wiggle),
            z=6.2e4,
            standard_error=0.0004,
        ),
        "equal": {"Nex-N2": 0.0421 + 0.002 * wiggle, "Qwen3.5": 0.0387},
        "agreement": 1.0,
        "betweenness": 1.0 if decisive else 0.99998,
        "bit_equal": 0.99996 if kind == "router" else 1.0,
        "sigma_relative": None,
    }
    return Measures(**(base | changes))


def grid(change: Callable[[int, str], dict[str, Any]] = lambda _layer, _kind: {}) -> dict[str, tuple[Measures, ...]]:
    """Components, layers, cells and tensors of 60 layers; embedding, head and vision belong to no layer."""
    inner = [kind for kind in COMPONENTS if kind not in {"embedding", "lm head", "vision"}]
    cells = [
        measures(f"{kind} {layer}", kind, layer, **change(layer, kind))
        for layer in range(LAYERS)
        for kind in inner
        if not (kind == "attention" and layer % 4 != 3) and not (kind == "linear attention" and layer % 4 == 3)
    ]
    return {
        "components": tuple(measures(kind, kind, **change(-1, kind)) for kind in COMPONENTS),
        "layers": tuple(measures(f"layer {i}", "all", i, **change(i, "all")) for i in range(LAYERS)),
        "cells": tuple(cells),
        "tensors": tuple(
            cell.model_copy(
                update={"name": f"model.layers.{cell.layer}.{(cell.component or '').replace(' ', '_')}.weight"}
            )
            for cell in cells
        ),
    }


def curve(peak: float = 0.565, top: float = 1.0) -> tuple[CurvePoint, ...]:
    spots = sorted(
        {i / 200 for i in range(201)} | {peak + sign * 10.0**-k for k in range(2, 7) for sign in (-1, 1)} | {peak}
    )
    return tuple(CurvePoint(alpha=x, share=top / (1 + (abs(x - peak) / 0.012) ** 1.1)) for x in spots)


YAML = """\
merge_method: linear
models:
  - model: hf://example/Nex-N2
    parameters: {weight: 0.565}
  - model: hf://example/Qwen3.5
    parameters: {weight: 0.435}
dtype: float32
out_dtype: bfloat16
"""


DOES_NOT_SHOW = (
    "Who did this, why, or under which agreement: weights carry no intent.",
    "Whether the licences of the parents were kept.",
    "If Qwen3.5 is the base of Nex-N2, a scaled task vector looks the same as this mix.",
)


def build(**parts: Any) -> Report:
    base: dict[str, Any] = {
        "command": "modelprov compare hf://example/Rio-3.5 hf://example/Nex-N2 hf://example/Qwen3.5 --seed 20260101",
        "mode": "full",
        "mixing": Mixing(),
        "reproduction": Reproduction(),
        "after_merge": AfterMerge(),
        "overall": measures("whole model", "all"),
        "coverage": coverage(),
        "inputs": inputs(("Rio-3.5", "suspect"), ("Nex-N2", "parent"), ("Qwen3.5", "reference")),
        "environment": environment(),
    }
    if "layers" not in parts:
        base |= grid()
    base |= parts
    return Report(**({"settings": settings(base["inputs"])} | base))
