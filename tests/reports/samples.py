"""Reports of every verdict class, and some that are meant to hurt; `SAMPLES` has them all by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from modelprov.forensics.mixing import LeastSquares, Mixing
from modelprov.forensics.results import Control, Evidence, History, Measures, Verdict, VerdictClass
from modelprov.reports.comparison.report import Report, UnalignedGroup
from tests.reports.sample_mixes import merge, on_line, piecewise, three_parents
from tests.reports.sample_parts import (
    DOES_NOT_SHOW,
    build,
    coverage,
    fitting,
    grid,
    inputs,
    measures,
    wave,
)

HOSTILE = "<script>alert('x')</script>|`rm -rf`\x1b[31m[red]\n\u202e@everyone #1 *_~\\| http://evil.example/x.js"


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
        rule="identical",
        share=0.99997,
        parent="Qwen3.5",
    )
    return _two(verdict, lambda _row: {"equal": {"Qwen3.5": 0.99997}, "raw_correlation": {"Qwen3.5": 0.999999}})


def same_origin() -> Report:
    verdict = Verdict(
        class_=VerdictClass.SAME_ORIGIN,
        summary="Rio-3.5 shares its origin with Qwen3.5; who came first is open.",
        rule="near-one-parent",
        histories=fitting("near-one-parent", "Rio-3.5", "Qwen3.5"),
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
                    "histories": (History(history=HOSTILE, settled_by=HOSTILE),),
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
        on_line,
        piecewise,
        three_parents,
        same_origin,
        unrelated,
        inconclusive,
        not_finite,
        hostile,
    )
}
