"""Reports of every verdict class, realistic in size, and some that are meant to hurt. Numbers are made up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from modelprov.forensics.results import (
    AfterMerge,
    CandidateRecipe,
    Coefficient,
    Control,
    CurvePoint,
    Evidence,
    LeastSquares,
    Measures,
    Mixing,
    RecipeGroup,
    Reproduction,
    Verdict,
    VerdictClass,
)
from modelprov.reports.report import Coverage, Environment, Input, Report, UnalignedGroup

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
HOSTILE = "<script>alert('x')</script>|`rm -rf`\x1b[31m[red]\n\u202e@everyone #1 *_~\\| http://evil.example/x.js"


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


def environment() -> Environment:
    return Environment(
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
    return Report(**(base | parts))


def merge() -> Report:
    groups = (RecipeGroup(tensors="*", weights={"Nex-N2": 0.565, "Qwen3.5": 0.435}, elements=396_997_000_000),)
    return build(
        verdict=Verdict(
            class_=VerdictClass.MERGE,
            summary="Rio-3.5 lies on the line from Qwen3.5 to Nex-N2, 56.5 % of the way, to within rounding.",
            rule="exact mix: one alpha in all rounding cells",
            parent="Nex-N2",
            rests_on=(
                Evidence(
                    measure="One α in all rounding cells",
                    value="0.565000",
                    uncertainty="bounds [0.564997, 0.565003]",
                    elements=41_231_044,
                    null="2.31 % of cells",
                ),
                Evidence(
                    measure="Bit-equal to the recipe",
                    value=">99.99 %",
                    uncertainty="counted, not estimated",
                    elements=396_997_000_000,
                    null="<0.01 %",
                ),
                Evidence(
                    measure="Agreement",
                    value="100 %",
                    elements=3_112_000_000,
                    null="11.5 % for an independent finetune",
                ),
                Evidence(
                    measure="Betweenness",
                    value="100 %",
                    elements=393_885_000_000,
                    null="32.3 % for an independent finetune",
                ),
            ),
            controls=(
                Control(
                    label="Aurora-finetune",
                    kind="checkpoint",
                    alpha=0.0021,
                    collinearity=0.0031,
                    coverage=0.021,
                    agreement=0.117,
                    betweenness=0.325,
                    verdict="finetune",
                ),
                Control(
                    label="independence",
                    kind="theoretical null",
                    collinearity=0.0,
                    agreement=0.115,
                    betweenness=0.323,
                    note="no relation but the common base",
                ),
                Control(label="Rio-3.5, shuffled", kind="shuffled suspect", coverage=0.0231),
            ),
            does_not_show=DOES_NOT_SHOW,
        ),
        mixing=Mixing(
            alpha=0.565,
            low=0.564997,
            high=0.565003,
            method="rounding interval",
            coverage=1.0,
            null_coverage=0.0231,
            informative_elements=41_231_044,
            least_squares=LeastSquares(alpha=0.5673, collinearity=0.9965, z=628_100.2, standard_error=0.0004),
            coefficients=(
                Coefficient(
                    parent="Nex-N2",
                    alpha=0.565,
                    low=0.564997,
                    high=0.565003,
                    least_squares=0.5673,
                    simplex=0.5673,
                    standard_error=0.0004,
                ),
            ),
            coefficient_sum=1.00002,
            r_squared=0.993,
            condition_number=1.0,
            coverage_curve=curve(),
        ),
        reproduction=Reproduction(
            recipe="0.565 · Nex-N2 + 0.435 · Qwen3.5",
            arithmetic="float32, one final rounding",
            bit_equal=0.99999,
            elements=396_997_000_000,
            groups=groups,
            yaml=YAML,
            candidates=(
                CandidateRecipe(
                    description="0.565 · Nex-N2 + 0.435 · Qwen3.5",
                    arithmetic="float32",
                    groups=groups,
                    bit_equal=0.99999,
                    elements=396_997_000_000,
                ),
                CandidateRecipe(
                    description="0.565 · Nex-N2 + 0.435 · Qwen3.5",
                    arithmetic="bf16, stepwise",
                    groups=groups,
                    bit_equal=0.6152,
                    elements=396_997_000_000,
                ),
                CandidateRecipe(
                    description="0.6 · Nex-N2 + 0.4 · Qwen3.5",
                    arithmetic="float32",
                    groups=groups,
                    bit_equal=0.5213,
                    elements=396_997_000_000,
                ),
            ),
        ),
        after_merge=AfterMerge(
            agreement=1.0,
            agreement_elements=3_112_000_000,
            betweenness=1.0,
            betweenness_elements=393_885_000_000,
            sigma=0.0,
            sigma_relative=0.0,
            alpha=0.565,
            alpha_standard_error=0.00002,
        ),
    )


def merge_then_trained() -> Report:
    def change(layer: int, kind: str) -> dict[str, Any]:
        return {
            "alpha": 0.6012 + wave(layer, 0.002) if kind not in {"norm", "bias"} else None,
            "low": None,
            "high": None,
            "coverage": 0.43,
            "agreement": 0.747 + wave(layer, 0.05),
            "betweenness": 0.962,
            "bit_equal": 0.212,
            "sigma_relative": 0.098 + wave(layer, 0.02),
        }

    return build(
        **grid(change),
        mode="sample",
        coverage=coverage(read_share=0.0004, elements_read=158_000_000, guessed=3, nonfinite=2),
        overall=measures("whole model", "all", **change(0, "all")),
        verdict=Verdict(
            class_=VerdictClass.MERGE_THEN_TRAINED,
            summary="Rio-3.5 is a mix of 60 % Nex-N2 and 40 % Qwen3.5, changed afterwards by 10 % of their distance.",
            rule="mix with something on top",
            rests_on=(
                Evidence(
                    measure="Added after mixing",
                    value="9.8 % of the parents' distance",
                    uncertainty="standard error 0.2 %",
                    elements=158_000_000,
                    null="0 % for a pure mix",
                ),
            ),
            does_not_show=DOES_NOT_SHOW,
        ),
        mixing=Mixing(
            alpha=0.6012,
            low=0.6006,
            high=0.6018,
            method="likelihood",
            coverage=0.43,
            null_coverage=0.02,
            informative_elements=1_000_000,
            least_squares=LeastSquares(alpha=0.6391, collinearity=0.9782, z=11_000.0, standard_error=0.002),
            coverage_curve=curve(0.6, 0.43),
        ),
        reproduction=Reproduction(
            reason="No recipe reproduces more than 21.2 % of the bits; something was added after mixing."
        ),
        after_merge=AfterMerge(
            agreement=0.747,
            agreement_elements=1_400_000,
            betweenness=0.962,
            betweenness_elements=156_000_000,
            sigma=1.96e-5,
            sigma_standard_error=4e-7,
            sigma_relative=0.098,
            alpha=0.6012,
            alpha_standard_error=0.0003,
        ),
    )


def piecewise() -> Report:
    def change(layer: int, kind: str) -> dict[str, Any]:
        alpha = 1.0 if 0 <= layer < 20 else 0.3
        if kind in {"norm", "bias"}:
            return {}
        return {"alpha": alpha, "low": alpha - 2e-5, "high": alpha + 3e-5}

    groups = (
        RecipeGroup(tensors="layers 0-19", weights={"Nex-N2": 1.0, "Qwen3.5": 0.0}, elements=130_000_000_000),
        RecipeGroup(
            tensors="layers 20-59, embedding, lm head",
            weights={"Nex-N2": 0.3, "Qwen3.5": 0.7},
            elements=267_000_000_000,
        ),
    )
    whole = merge()
    return whole.model_copy(
        update={
            **grid(change),
            "verdict": whole.verdict.model_copy(
                update={"summary": "Rio-3.5 takes layers 0 to 19 from Nex-N2 and mixes the rest 30 to 70 with Qwen3.5."}
            ),
            "reproduction": whole.reproduction.model_copy(
                update={"groups": groups, "recipe": "by layer: 1.0 and 0.3 of Nex-N2"}
            ),
        }
    )


def three_parents() -> Report:
    labels = ("Nex-N2", "Kite-R1", "Qwen3.5")
    coefficients = tuple(
        Coefficient(
            parent=label,
            alpha=alpha,
            low=alpha - 3e-6,
            high=alpha + 2e-6,
            least_squares=alpha - 0.005,
            simplex=alpha - 0.004,
            standard_error=0.0006,
        )
        for label, alpha in zip(labels[:2], (0.5, 0.3), strict=True)
    )
    whole = merge()
    return whole.model_copy(
        update={
            "verdict": whole.verdict.model_copy(
                update={
                    "summary": "Rio-3.5 is a mix of 50 % Nex-N2, 30 % Kite-R1 and 20 % Qwen3.5, to within rounding."
                }
            ),
            "mixing": whole.mixing.model_copy(
                update={
                    "alpha": 0.5,
                    "low": 0.499997,
                    "high": 0.500002,
                    "coefficients": coefficients,
                    "coverage_curve": (),
                    "condition_number": 2.4,
                }
            ),
            "inputs": inputs(
                ("Rio-3.5", "suspect"),
                *((label, "parent") for label in labels[:2]),
                (labels[2], "reference"),
                ("Aurora-finetune", "control"),
            ),
        }
    )


def _bare(row: Measures, **changes: Any) -> Measures:
    return Measures(
        name=row.name, layer=row.layer, component=row.component, elements=row.elements, decisive=row.decisive, **changes
    )


def _two(verdict: Verdict, change: Callable[[Measures], dict[str, Any]]) -> Report:
    rows = {key: tuple(_bare(row, **change(row)) for row in value) for key, value in grid().items()}
    whole = measures("whole model", "all")
    return build(
        **rows,
        overall=_bare(whole, **change(whole)),
        verdict=verdict,
        mixing=Mixing(reason="Mixing needs at least two parents; only one was given."),
        inputs=inputs(("Rio-3.5", "suspect"), ("Qwen3.5", "reference")),
        command="modelprov compare hf://example/Rio-3.5 hf://example/Qwen3.5",
    )


def copy() -> Report:
    verdict = Verdict(
        class_=VerdictClass.COPY,
        summary="Rio-3.5 holds the same weights as Qwen3.5, bit for bit, in all but 0.003 % of places.",
        rule="copy",
        parent="Qwen3.5",
    )
    return _two(verdict, lambda _row: {"equal": {"Qwen3.5": 0.99997}, "raw_correlation": {"Qwen3.5": 0.999999}})


def finetune() -> Report:
    verdict = Verdict(
        class_=VerdictClass.FINETUNE,
        summary="Rio-3.5 was trained onwards from Qwen3.5.",
        rule="finetune",
        parent="Qwen3.5",
        does_not_show=DOES_NOT_SHOW[:2],
    )
    return _two(
        verdict,
        lambda row: {"equal": {"Qwen3.5": 0.115}, "raw_correlation": {"Qwen3.5": 0.9981 + wave(row.layer or 0, 0.001)}},
    )


def unrelated() -> Report:
    verdict = Verdict(
        class_=VerdictClass.UNRELATED,
        summary="Rio-3.5 shares no more with Qwen3.5 than independently trained models do.",
        rule="unrelated",
    )
    return _two(
        verdict,
        lambda row: {
            "equal": {"Qwen3.5": 0.0004},
            "raw_correlation": {"Qwen3.5": wave(row.layer or 1, 0.002) if row.decisive else None},
        },
    )


def inconclusive() -> Report:
    """Everything that can be missing is missing."""
    return build(
        verdict=Verdict(
            class_=VerdictClass.INCONCLUSIVE,
            summary="The weights could not be compared.",
            rule="no evidence",
            reason="No tensor of Rio-3.5 has the shape of one in Qwen3.5.",
            roles="Qwen3.5 lies between the others; it looks like the child.",
        ),
        components=(),
        layers=(),
        cells=(),
        tensors=(),
        overall=Measures(name="whole model"),
        coverage=coverage(share=0.0, read_share=0.0, elements_read=0, tensors=0),
        inputs=tuple(
            item.model_copy(update={"revision": None, "architecture": None, "dtypes": {}})
            for item in inputs(("Rio-3.5", "suspect"), ("Qwen3.5", "reference"))
        ),
    )


def not_finite() -> Report:
    """NaN and infinity where a measure went wrong; no renderer may show them."""
    nan, inf = math.nan, math.inf
    row = measures(
        "layer 0",
        "all",
        0,
        alpha=nan,
        low=-inf,
        high=inf,
        agreement=nan,
        betweenness=nan,
        bit_equal=nan,
        coverage=nan,
        least_squares=LeastSquares(alpha=nan, collinearity=nan, z=inf, standard_error=nan),
        raw_correlation={"Qwen3.5": nan},
    )
    whole = merge()
    return whole.model_copy(
        update={
            "layers": (row, *whole.layers[1:]),
            "cells": (row.model_copy(update={"component": "router"}), *whole.cells),
            "overall": row,
            "mixing": whole.mixing.model_copy(update={"coefficient_sum": nan, "r_squared": inf}),
        }
    )


def hostile() -> Report:
    """Names chosen by somebody who wants the report to misbehave."""
    whole = merge()
    row = whole.tensors[0].model_copy(update={"name": HOSTILE, "note": HOSTILE, "equal": {HOSTILE: 0.5}})
    return whole.model_copy(
        update={
            "command": f"modelprov compare '{HOSTILE}'",
            "verdict": whole.verdict.model_copy(
                update={
                    "summary": f"{HOSTILE} is a mix.",
                    "rests_on": (Evidence(measure=HOSTILE, value=HOSTILE, null=HOSTILE),),
                    "does_not_show": (HOSTILE,),
                    "reason": HOSTILE,
                    "controls": (Control(label=HOSTILE, kind="checkpoint", note=HOSTILE),),
                }
            ),
            "tensors": (row, *whole.tensors),
            "components": (row, *whole.components),
            "layers": (row, *whole.layers),
            "cells": (row.model_copy(update={"component": HOSTILE}), *whole.cells),
            "reproduction": whole.reproduction.model_copy(update={"recipe": HOSTILE, "yaml": f"```\n{HOSTILE}\n```"}),
            "coverage": coverage(
                unaligned=(
                    UnalignedGroup(
                        checkpoint=HOSTILE,
                        reason=HOSTILE,
                        tensors=1,
                        elements=1,
                        share=0.1,
                        examples=(HOSTILE, HOSTILE),
                    ),
                )
            ),
            "inputs": inputs((HOSTILE, "suspect"), ("Nex-N2", "parent"), ("Qwen3.5", "reference")),
        }
    )


SAMPLES: dict[str, Callable[[], Report]] = {
    function.__name__: function
    for function in (
        copy,
        merge,
        merge_then_trained,
        piecewise,
        three_parents,
        finetune,
        unrelated,
        inconclusive,
        not_finite,
        hostile,
    )
}
