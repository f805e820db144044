"""Which merging programs an arithmetic names."""

from __future__ import annotations

from modelprov.forensics.judging.sections import programs
from modelprov.forensics.mixing import CandidateRecipe


def test_no_program_is_named_where_two_arithmetics_reproduce_equally_much() -> None:
    def candidate(arithmetic: str, share: float) -> CandidateRecipe:
        return CandidateRecipe(description="", arithmetic=arithmetic, groups=(), bit_equal=share, elements=10)

    fused, plain, other = candidate("float32-fused (A then B)", 1.0), candidate("float32", 1.0), candidate("float64", 1)
    assert programs((fused, candidate("float32", 0.9))) == "mergekit 0.1.5"
    assert programs((fused, plain)) is None
    assert programs((fused, other)) is None
    assert programs((other,)) is None
