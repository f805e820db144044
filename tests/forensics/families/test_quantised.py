"""Quantised copies: a mixture is on its line with the true share in the interval; nobody is accused by a quantiser."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.cases.planting import mixture
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.types import Checkpoint
from modelprov.demo.writing import Weights
from modelprov.forensics.compare import Options, compare
from modelprov.forensics.judging.findings import Findings
from tests.generated import Size, apply, change, merge, model
from tests.memory import Silence, checkpoint
from tests.packed import packed
from tests.packing import FORMS, LATER, mxfp4, packed_form

pytest.importorskip("gguf")

RNG = np.random.default_rng(14)
BASE = model(RNG, Size(4, 64, 128, 256))
NEX, SIBLING = (apply(BASE, change(BASE, RNG, 2e-3, 0.5, 0.3)) for _ in range(2))
STRANGER = model(RNG, Size(4, 64, 128, 256))
RIO = merge([NEX, BASE], [0.565, 0.435])
ALL = ("Q8_0", "Q5_1", "Q4_0", "Q6_K", "Q4_K")


def judged(suspect: Checkpoint, *parents: Weights | Checkpoint) -> Findings:
    others: Sequence[Checkpoint] = [
        each if isinstance(each, Checkpoint) else checkpoint(f"P{number}", each)
        for number, each in enumerate(parents, 1)
    ]
    return compare([suspect, *others], Options(threads=1, device="cpu", sample_elements=1 << 16), Silence()).findings


@pytest.mark.parametrize("form", ALL)
def test_a_quantised_merge_is_on_the_line_and_its_share_in_the_interval(form: str) -> None:
    found = judged(packed("S", RIO, form), NEX, BASE)
    fine = form in ("Q8_0", "Q6_K", "Q5_1")  # steps of 4 bits leave too few elements with room between the parents
    assert found.verdict.class_ == ("on-line" if fine else "inconclusive"), found.verdict.reason
    told = found.mixing
    assert told.low is not None
    assert told.high is not None
    assert told.low <= 0.565 <= told.high
    assert told.high - told.low < (1e-3 if form == "Q8_0" else 0.02)


@pytest.mark.parametrize("form", ALL)
def test_a_quantised_copy_of_a_parent_is_that_parent_rounded(form: str) -> None:
    found = judged(packed("S", NEX, form), NEX, BASE)
    assert (str(found.verdict.class_), found.verdict.rule) == ("inconclusive", "rounded")


@pytest.mark.parametrize("beside", ["FP8 row", "FP8 block"])
def test_forms_of_two_kinds_in_one_folder_have_their_cells(beside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = 128  # MLPs in MXFP4 as gpt-oss has them, the rest in FP8
    monkeypatch.setitem(FORMS, "both", lambda of: mxfp4(of) if wide in of.shape else FORMS[beside](of))
    copy, merged, other = (judged(packed_form("S", each, "both"), NEX, BASE) for each in (NEX, RIO, SIBLING))
    assert (str(copy.verdict.class_), copy.verdict.rule) == ("inconclusive", "rounded")
    assert "MXFP4" in copy.verdict.summary
    assert "FP8" in copy.verdict.summary
    assert str(merged.verdict.class_) in ("on-line", "inconclusive")
    assert merged.mixing.low is not None
    assert merged.mixing.high is not None
    assert merged.mixing.low <= 0.565 <= merged.mixing.high
    assert str(other.verdict.class_) in ("same-origin", "inconclusive")


@pytest.mark.parametrize("form", ["Q8_0", "Q4_0"])
def test_innocent_models_that_were_quantised_are_not_accused(form: str) -> None:
    further = apply(NEX, change(NEX, RNG, 4e-4, 0.5, 0.3))
    for suspect, parents, classes in (
        (SIBLING, (NEX, BASE), {"same-origin", "inconclusive"}),
        (BASE, (NEX, SIBLING), {"inconclusive"}),
        (further, (NEX, BASE), {"same-origin", "inconclusive"}),
        (STRANGER, (NEX, BASE), {"unrelated"}),
    ):
        assert str(judged(packed("S", suspect, form), *parents).verdict.class_) in classes


@pytest.mark.parametrize("form", [form for form in FORMS | LATER if "GPTQ" not in form and "AWQ" not in form])
def test_in_every_packed_form_the_share_is_in_the_interval_or_none_is_given(form: str) -> None:
    found = judged(packed_form("S", RIO, form), NEX, BASE)
    assert str(found.verdict.class_) in ("on-line", "inconclusive")
    told = found.mixing
    assert told.low is not None
    assert told.high is not None
    assert told.low <= 0.565 <= told.high
    assert told.high - told.low < (1e-3 if form.startswith("FP8") else 0.03)
    if form.startswith(("FP8", "int8")):
        assert str(found.verdict.class_) == "on-line"


@pytest.mark.parametrize("form", ["GPTQ", "AWQ"])
def test_where_numbers_were_moved_kinship_is_told_and_no_share(form: str) -> None:
    found = judged(packed_form("S", RIO, form), NEX, BASE)
    assert str(found.verdict.class_) == "inconclusive"
    assert found.mixing.alpha is None


@pytest.mark.parametrize("form", FORMS | LATER)
def test_innocent_models_in_packed_forms_are_not_accused(form: str) -> None:
    assert str(judged(packed_form("S", SIBLING, form), NEX, BASE).verdict.class_) in ("same-origin", "inconclusive")
    assert str(judged(packed_form("S", NEX, form), NEX, BASE).verdict.class_) in ("same-origin", "inconclusive")


@pytest.mark.parametrize("form", ["FP8 row", "NVFP4"])
@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
def test_a_parent_made_from_the_suspect_is_found_out_though_the_suspect_was_quantised(form: str, dtype: DType) -> None:
    """Its steps hide the suspect's own rounding; the mixture of the parents falls back upon those numbers."""
    planted = mixture([(1.7, NEX), (-0.7, BASE)], dtype)
    found = judged(packed_form("S", NEX, form), planted, BASE)
    assert (str(found.verdict.class_), found.verdict.rule) == ("inconclusive", "extrapolated")


def test_where_steps_are_wider_than_what_differs_nothing_is_said_of_shares() -> None:
    near = apply(BASE, change(BASE, RNG, 2e-5, 0.0, 0.0))
    found = judged(packed("S", merge([near, BASE], [0.5, 0.5]), "Q4_0"), near, BASE)
    assert str(found.verdict.class_) == "inconclusive"


def test_a_quantised_parent_is_no_end_of_a_line() -> None:
    found = judged(checkpoint("S", RIO), packed("nex", NEX, "Q8_0"), BASE)
    assert found.verdict.rule in ("quantised", "shared-direction")
    assert str(found.verdict.class_) == "inconclusive"


def test_two_copies_of_the_same_quantised_numbers_are_a_copy() -> None:
    found = judged(packed("S", NEX, "Q8_0"), packed("nex", NEX, "Q8_0"))
    assert (str(found.verdict.class_), found.verdict.rule) == ("copy", "identical")


def test_the_format_that_a_copy_is_in_is_said_with_its_precision() -> None:
    found = judged(packed("S", RIO, "Q8_0"), NEX, BASE)
    assert any("S GGUF Q8_0" in str(ground.value) for ground in found.verdict.rests_on)
