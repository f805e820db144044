"""Facts of plain histories, made by hand, which a test of the rules changes in a place or two. No pipeline."""

from __future__ import annotations

from dataclasses import replace

from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.verdict import decide

SIBLING = Facts(
    elements=100_000, parents=2, correlations=(0.999, 0.999), bit_equal=0.02, distinct=90_000, missed=90_000,
    agreement=0.2, betweenness=0.3, weights=(0.0, 1.0), weight_error=0.003, collinearity=0.01, straightness=-0.5,
    spread=0.0,
)  # fmt: skip
REPRODUCED = replace(
    SIBLING, bit_equal=1.0, missed=0, mixes=True, agreement=1.0, betweenness=1.0, weights=(0.6, 0.4), collinearity=1.0,
    straightness=1.0,
)  # fmt: skip
EXACT = replace(REPRODUCED, bit_equal=0.9, missed=9_000, exact=True)
TRAINED = replace(EXACT, exact=False, agreement=0.9, betweenness=0.98, straightness=0.995, mixes=False)


def outcome(facts: Facts, **changes: object) -> tuple[str, str]:
    decision = decide(replace(facts, **changes))  # type: ignore[arg-type]
    return str(decision.class_), decision.rule
