"""The whole comparison of a suspect in other coordinates: what was undone is said, and bits are found behind it."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.layouts.tokens import SharedTokens
from modelprov.forensics.compare import Comparison, Options
from modelprov.forensics.judging.coordinates import with_units
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.search.coordinates.frame import same
from modelprov.forensics.search.coordinates.kinship import Kinship, LayerTest
from modelprov.forensics.search.coordinates.looking import Found
from tests.forensics.coordinates.family import (
    KEEPING_BITS,
    OF_EXPERTS,
    ROUNDED,
    SHAPE,
    STRUCTURE,
    family,
    made,
    strangers,
)
from tests.generated import merge
from tests.memory import run

OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 14)
THOROUGH = Options(threads=1, device="cpu", sample_elements=1 << 14, thorough=True)


def seen(*models: object, thorough: bool = False) -> Comparison:
    return run(models, options=THOROUGH if thorough else OPTIONS)  # type: ignore[arg-type]


def test_a_merge_is_reproduced_bit_for_bit_behind_every_order_at_once() -> None:
    mixed = merge([family().first, family().second], [0.6, 0.4])
    found = seen(made("all orders", KEEPING_BITS, mixed), family().first, family().second)
    verdict, made_of = found.findings.verdict, found.findings.reproduction
    assert (verdict.class_, verdict.rule) == (VerdictClass.MERGE, "reproduced")
    assert made_of.recipe == "0.6 × P1 + 0.4 × P2"
    assert (made_of.bit_equal or 0) > 0.99999  # where a sum is exactly 0, negating its parts does not negate it
    assert "Undone first: 64 residual dimensions in another order" in verdict.summary
    assert found.coordinates is not None
    assert (found.coordinates.related, found.coordinates.exact) == (True, True)


@pytest.mark.parametrize("name", ["residual permuted with signs", "heads permuted", "powers of two"])
def test_a_copy_in_another_order_is_a_copy(name: str) -> None:
    found = seen(made(name, KEEPING_BITS, family().first), family().first)
    assert (found.findings.verdict.class_, found.alignment.share()) == (VerdictClass.COPY, 1)
    assert "Undone first" in found.findings.verdict.summary


@pytest.mark.parametrize("name", ["residual rotated", "scaled anyhow", "everything"])
def test_a_copy_behind_a_rotation_is_related_and_never_called_exact(name: str) -> None:
    found = seen(made(name, ROUNDED, family().first), family().first)
    assert found.findings.verdict.class_ is VerdictClass.OTHER_COORDINATES
    assert found.findings.verdict.parent == "P1"
    assert found.coordinates is not None
    assert not found.coordinates.exact


def test_a_merge_behind_a_rotation_gets_its_share_and_no_recipe() -> None:
    mixed = merge([family().first, family().second], [0.6, 0.4])
    found = seen(made("residual rotated", ROUNDED, mixed), family().first, family().second)
    assert found.findings.verdict.class_ is VerdictClass.OTHER_COORDINATES
    assert found.findings.mixing.alpha == pytest.approx(0.6, abs=0.03)


def test_a_finetune_in_another_order_is_related_in_other_coordinates() -> None:
    found = seen(made("all orders", OF_EXPERTS, family(True).first), family(True).base)
    assert found.findings.verdict.class_ is VerdictClass.OTHER_COORDINATES
    assert "units are paired alike" in (found.findings.verdict.reason or "")


@pytest.mark.parametrize("name", ["width pruned", "depth upscaled", "layers reordered", "vocabulary cut"])
def test_another_structure_with_the_same_numbers_is_a_copy(name: str) -> None:
    found = seen(made(name, STRUCTURE, family().first), family().first)
    assert (found.findings.verdict.class_, found.findings.verdict.share) == (VerdictClass.COPY, 1)


def test_the_layers_of_a_stack_are_told() -> None:
    found = seen(made("depth upscaled", STRUCTURE, family().first), family().first)
    assert "passthrough of layers 0-2 of P1, 1-3 of P1" in found.findings.verdict.summary


def test_the_layers_of_a_stack_in_another_order_inside_are_told() -> None:
    found = seen(made("upscaled and permuted", STRUCTURE, family().first), family().first)
    assert found.coordinates is not None
    assert [(pair.layer, pair.parent_layer) for pair in found.coordinates.layers] == [
        (0, 0), (1, 1), (2, 2), (3, 1), (4, 2), (5, 3),
    ]  # fmt: skip
    assert "layers stand elsewhere" in found.findings.verdict.summary


def test_rows_without_a_counterpart_count_as_not_compared() -> None:
    found = seen(made("vocabulary extended", STRUCTURE, family().first), family().first)
    assert found.findings.verdict.class_ is VerdictClass.COPY
    missing = 2 * 64 * SHAPE.hidden
    total = found.alignment.checkpoints[0].parameters
    assert found.alignment.share() == pytest.approx(1 - missing / total)


@pytest.mark.parametrize("style", range(2))
def test_a_stranger_stays_unrelated_and_is_told_how_many_units_agree(style: int) -> None:
    found = seen(strangers(1)[style], strangers(2)[style], thorough=True)
    assert found.findings.verdict.class_ is VerdictClass.UNRELATED
    assert found.coordinates is not None
    assert not found.coordinates.related
    assert any("MLP units that" in item.measure for item in found.findings.verdict.rests_on)


def test_units_that_agree_take_back_an_all_clear_even_where_nothing_was_undone() -> None:
    findings = seen(strangers(1)[0], strangers(2)[0]).findings
    assert findings.verdict.class_ is VerdictClass.UNRELATED
    tests = tuple(LayerTest(layer, layer, 200, 256, 1.0, 1e-80) for layer in range(4))
    tokens = SharedTokens(np.arange(9), np.arange(9), "numbers")
    kin = Kinship(same(64), tokens, tests, 1, {})
    told = with_units(findings, Found(1, kin, tests, None), ("S", "P"))
    assert (told.verdict.class_, told.verdict.rule) == (VerdictClass.INCONCLUSIVE, "weak-kinship")
    assert "800 of 1,024 units" in told.verdict.reason
    assert any("800 of 1,024" in evidence.value for evidence in told.verdict.rests_on)


def test_a_model_at_its_own_places_keeps_its_verdict_also_when_everything_is_looked_for() -> None:
    plain = seen(family().first, family().base)
    thorough = seen(family().first, family().base, thorough=True)
    assert plain.coordinates is None
    assert thorough.coordinates is not None
    assert thorough.coordinates.related
    assert thorough.findings.verdict.class_ is plain.findings.verdict.class_
    assert thorough.findings.verdict.summary == plain.findings.verdict.summary


def test_a_control_that_is_a_stranger_leaves_the_finding_as_it_is() -> None:
    suspect = made("residual rotated", ROUNDED, family().first)
    found = run((suspect, family().base), (strangers(1)[0],), OPTIONS)
    assert found.findings.verdict.class_ is VerdictClass.OTHER_COORDINATES
