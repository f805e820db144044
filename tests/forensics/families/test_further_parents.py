"""A further parent that somebody made from the suspect neither hides a true merge nor accuses an honest model."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.cases.planting import mixture
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.errors import UsageError
from tests.forensics.families.family import family, named
from tests.generated import apply, change, merge
from tests.memory import judge


@pytest.mark.parametrize("order", ["AZB", "BZA", "ZAB"])
def test_a_merge_of_two_is_one_though_a_file_made_from_it_and_the_base_are_given_too(order: str) -> None:
    first, second, base = family()
    suspect = merge([first, second], [0.6, 0.4])
    given = {"A": first, "Z": mixture([(2, suspect), (-1, base)], DType.F32), "B": base}
    found = judge(suspect, *(given[name] for name in order), second)
    assert named(found) == ("merge", "reproduced")
    shares = dict(zip(order, (round(row.alpha or 0, 6) for row in found.mixing.coefficients), strict=False))
    assert shares == {"A": 0.6, "Z": 0, "B": 0}
    assert f"P{1 + order.index('Z')} has no part in it: to its own rounding it is S carried on" in found.verdict.summary


@pytest.mark.parametrize("planted", ["Z", "with a sibling"])
def test_an_honest_model_is_no_merge_whatever_is_given_beside_a_file_made_from_it(planted: str) -> None:
    """The recipe needs that file, so that it is asked of it."""
    suspect, sibling, base = family()
    third: Weights = apply(base, change(base, np.random.default_rng(3), 3e-4))
    parts = [(2.0, suspect), (-1.0, base)] if planted == "Z" else [(2.0, suspect), (-0.5, sibling), (-0.5, base)]
    found = judge(suspect, mixture(parts, DType.F32), sibling, third, base)
    assert named(found) == ("inconclusive", "extrapolated")


def test_the_same_parent_given_twice_is_refused_unless_the_suspect_is_its_copy() -> None:
    first, second, base = family()
    suspect = merge([first, second], [0.6, 0.4])
    with pytest.raises(UsageError, match="P2 and P3 hold the same numbers in all"):
        judge(suspect, first, second, second)
    assert named(judge(first, first, first, base)) == ("copy", "identical")
