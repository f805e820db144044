"""Sample reports of merges of every kind."""

from __future__ import annotations

from typing import Any

from modelprov.forensics.mixing import CandidateRecipe, Coefficient, LeastSquares, Mixing, RecipeGroup, Reproduction
from modelprov.forensics.results import AfterMerge, Control, Evidence, Verdict, VerdictClass
from modelprov.reports.comparison.report import Report
from tests.reports.sample_parts import (
    DOES_NOT_SHOW,
    YAML,
    build,
    coverage,
    curve,
    fitting,
    grid,
    inputs,
    measures,
    wave,
)


def merge() -> Report:
    groups = (RecipeGroup(tensors="*", weights={"Nex-N2": 0.565, "Qwen3.5": 0.435}, elements=396_997_000_000),)
    return build(
        verdict=Verdict(
            class_=VerdictClass.MERGE,
            summary="Rio-3.5 lies on the line from Qwen3.5 to Nex-N2, 56.5 % of the way, to within rounding.",
            rule="exact mix: one alpha in all rounding cells",
            parent="Nex-N2",
            histories=fitting("exact-to-rounding", "Rio-3.5", "Nex-N2", "Qwen3.5"),
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
                    verdict="same-origin",
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
            programs="mergekit 0.1.5",
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


def on_line() -> Report:
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
            class_=VerdictClass.ON_LINE,
            summary="In the 0.04 % of the weights that were read: Rio-3.5 lies on the line between Nex-N2 and Qwen3.5, "
            "at 0.601 × Nex-N2 + 0.399 × Qwen3.5, with 9.8 % of their distance beside it.",
            rule="near-the-line",
            histories=fitting("near-the-line", "Rio-3.5", "Nex-N2", "Qwen3.5"),
            rests_on=(
                Evidence(
                    measure="Beside the line",
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
            reason="No recipe reproduces more than 21.2 % of the bits; something lies beside the line."
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
            "overall": whole.overall.model_copy(update={"alpha": None, "low": None, "high": None, "coverage": None}),
            "mixing": Mixing(
                reason="α differs between groups of tensors; the recipe below gives each group's.",
                least_squares=whole.mixing.least_squares,
                r_squared=0.981,
            ),
            "after_merge": whole.after_merge.model_copy(update={"alpha": None, "alpha_standard_error": None}),
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
