"""A program's last bits put single elements outside their cells; the place on the arc is found all the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelprov.checkpoints.layouts.alignment import align
from modelprov.forensics.search.methods import arcs
from modelprov.forensics.search.methods.find import FoundMethod, _standing
from modelprov.forensics.search.methods.remake import Bits, Made
from modelprov.forensics.search.methods.whole import Wholes
from tests.forensics.methods.making import family, merged
from tests.memory import checkpoint


def test_two_elements_of_ten_thousand_do_not_hide_the_place() -> None:
    first, second, _ = family(hidden=64)
    models = merged("slerp", [second], first, options={"t": 0.4}), first, second
    wholes = Wholes(align([checkpoint(f"model {number}", one) for number, one in enumerate(models)]), 0, 512 << 20)
    whole = max((own for row in wholes.decisive if (own := wholes.load(row)) is not None), key=lambda own: own.elements)
    places = np.flatnonzero(whole.differ)[:2]
    bits = whole.suspect.view(np.uint32).copy()
    bits[places] += 1 << 16  # the next number of bf16
    allowed = arcs._allowed(replace(whole, suspect=bits.view(np.float32)), 0, 1)
    assert allowed is not None
    assert (allowed.low + allowed.high) / 2 == pytest.approx(0.4, abs=1e-3)


def test_slerp_goes_before_nuslerp_where_both_miss_single_bits() -> None:
    made = [FoundMethod(Made(name, (0, 1)), Bits(1000, 1000 - missed, 900), 9, 9, 900) for name, missed in MISSES]
    assert [found.made.method for found in sorted(made, key=_standing)] == ["nuslerp", "slerp", "nuslerp", "slerp"]


MISSES = (("nuslerp", 1), ("slerp", 20), ("slerp", 2), ("nuslerp", 0))
