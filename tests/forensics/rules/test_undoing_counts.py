"""When undoing other coordinates tells more than the weights at their places: from bare facts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modelprov.forensics.judging.coordinates import tells_more


def seen(correlation: float | None, share: float = 1.0) -> Any:
    """Findings with this correlation, and an alignment of this share."""
    return SimpleNamespace(facts=SimpleNamespace(correlations=(correlation,))), SimpleNamespace(
        decisive_share=lambda: share
    )


@pytest.mark.parametrize(
    ("undone", "before", "more"),
    [
        (0.45, 0.0, True),  # a relative under twice its own noise
        (1.0, 0.97, True),  # a few heads in another order
        (0.39, 0.35, False),  # one random start, trained apart: the pairing itself brings as much
        (0.25, 0.0, False),
        (0.26, 0.0, True),
        (0.9, None, True),
    ],
)
def test_undoing_must_bring_a_quarter_of_what_lacks(undone: float, before: float | None, more: bool) -> None:
    assert tells_more(seen(undone), seen(before)) is more


def test_more_weights_that_can_be_compared_count_by_themselves() -> None:
    assert tells_more(seen(0.4, 0.8), seen(0.4, 0.7))
    assert not tells_more(seen(0.4, 0.705), seen(0.4, 0.7))
