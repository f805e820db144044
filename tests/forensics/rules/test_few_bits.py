"""A suspect whose few steps hide the parents' shares is still said to be the parent that it is, rounded."""

from __future__ import annotations

import pytest

from modelprov.forensics.judging.decision import inconclusive
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.few_bits import in_few_bits
from modelprov.forensics.results import Beyond

OPEN = inconclusive("shared-direction", "the parents differ too little for their shares to be known")


@pytest.mark.parametrize(
    ("same_steps", "matrices", "rule"),
    [(("P1",), 20, "rounded"), (("P1", "P2"), 20, "shared-direction"), (("P1",), 40, "shared-direction")],
)
def test_one_parent_with_the_same_steps_everywhere_is_named(
    same_steps: tuple[str, ...], matrices: int, rule: str
) -> None:
    beyond = Beyond(matrices=matrices, changed=0, lattice="int4", lattice_matrices=20, same_steps=same_steps)
    found = in_few_bits(OPEN, Facts(elements=10_000, parents=2), beyond, ("S", "P1", "P2"))
    assert (str(found.class_), found.rule) == ("inconclusive", rule)
