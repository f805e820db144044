"""What is not asked of further matrices could have changed nothing: each answer is that of all matrices asked all."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from modelprov.forensics.judging.one_parents import alterations
from modelprov.forensics.search.beyond import Beyond, Left, Open
from tests.generated import Rng

PARENTS = ("P1", "P2")


def answers(rng: Rng, matrices: int) -> list[Left]:
    """Of matrices of which about as many speak for each alteration as have to, and now and then all."""
    share = rng.choice([0.1, 0.4, 0.6, 1.0], size=(3, len(PARENTS)))

    def left() -> tuple[tuple[float, float], ...]:
        return tuple((1.0 if rng.random() < each else 2.0, 3.0) for each in share[0])

    def projected() -> tuple[bool | None, ...]:
        return tuple(None if rng.random() < 0.05 else bool(rng.random() < each) for each in share[1])

    def correlations() -> tuple[float | None, ...]:
        return tuple(None if rng.random() < 0.1 else float(rng.random() < each) for each in share[2])

    return [
        Left(
            "mlp", layer, 1.0, 100.0, True, None, True,
            factored=left(), offset=left(), correlations=correlations(), projected=projected(),
        )
        for layer in range(matrices)
    ]  # fmt: skip


def staged(given: list[Left], in_flight: int) -> list[Left]:
    """What is found of these, where so many answers are waited for while the next is asked."""
    still, waiting = Open(len(given), len(PARENTS), 2), deque[Left]()
    for each in given:
        if len(waiting) == in_flight:
            still.hear(waiting.popleft())
        asked = still.asked()
        known = {
            "factored": asked.factored, "offset": asked.offset, "correlations": asked.correlations,
            "projected": asked.projected,
        }  # fmt: skip
        waiting.append(replace(each, **{name: () for name, wanted in known.items() if not wanted}))
    for each in waiting:
        still.hear(each)
    return still.found


@pytest.mark.parametrize("in_flight", [1, 2])
def test_what_is_not_asked_changes_no_answer(in_flight: int) -> None:
    rng = np.random.default_rng(12)
    named, spared = set(), 0
    for _ in range(400):
        given = answers(rng, int(rng.integers(1, 24)))
        found = staged(given, in_flight)
        expected = alterations(Beyond(tuple(given), {}), PARENTS)
        assert alterations(Beyond(tuple(found), {}), PARENTS) == expected
        named |= {what for what, parents in expected.items() if parents}
        spared += sum(before.projected != after.projected for before, after in zip(given, found, strict=True))
    assert named == {"factored", "offset", "profiled", "projected"}
    assert spared > 100
