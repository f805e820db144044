"""What is left beyond the named parents: adapters and hidden parents are told, nothing that is not there is named."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import modelprov.demo
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.forensics.compare import Options, compare
from modelprov.forensics.results import Beyond
from modelprov.merge.virtual import open_any
from modelprov.recipes.arithmetics import Arithmetic
from tests.generated import Change, Size, apply, change, merge, model, quantised
from tests.memory import Silence, checkpoint

OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 15)


@cache
def finetunes(dtype: DType = DType.BF16) -> tuple[Weights, ...]:
    """Four independent finetunes of one base, and the base."""
    rng = np.random.default_rng(12)
    base = model(rng, Size(3, 48, 96, 64), dtype)
    return (*(apply(base, change(base, rng, 1e-3)) for _ in range(4)), base)


def beyond(
    models: list[Weights], candidates: tuple[Weights, ...] = (), controls: tuple[Weights, ...] = ()
) -> Beyond | None:
    labels = ["S", *(f"P{number}" for number in range(1, len(models)))]
    opened = [checkpoint(label, one) for label, one in zip(labels, models, strict=True)]
    others = [[checkpoint(f"{name} {number}", one) for number, one in enumerate(several, 1)]
              for name, several in (("control", controls), ("candidate", candidates))]  # fmt: skip
    return compare(opened, OPTIONS, Silence(), *others).findings.beyond


def adapter(of: Weights, rank: int, kinds: tuple[str, ...]) -> Change:
    rng = np.random.default_rng(3)
    made = {}
    for name, (values, _) in of.items():
        made[name] = np.zeros_like(values)
        if any(kind in name for kind in kinds):
            sides = rng.standard_normal((values.shape[0], rank)), rng.standard_normal((rank, values.shape[1]))
            made[name] = (5e-4 / np.sqrt(rank) * sides[0] @ sides[1]).astype(np.float32)
    return made


@pytest.mark.parametrize("parents", [1, 2])
def test_an_adapter_after_a_merge_or_on_one_parent_is_told_with_its_rank_and_place(parents: int) -> None:
    first, *_, base = finetunes()
    under = merge([first, base], [0.6, 0.4]) if parents == 2 else base
    found = beyond([apply(under, adapter(base, 4, ("q_proj", "v_proj"))), *([first, base] if parents == 2 else [base])])
    assert found is not None
    assert found.rank == 4
    assert {kind.split(".")[-2] for kind in found.kinds} == {"q_proj", "v_proj"}
    assert "low-rank change (rank up to 4)" in (found.words or "")
    assert "trained" not in (found.words or "")


def test_a_finetune_of_which_half_is_low_rank_is_not_called_low_rank() -> None:
    _, second, *_, base = finetunes()
    found = beyond([second, base])
    assert found is not None
    assert found.changed > 10
    assert found.rank is None
    assert "low-rank" not in (found.words or "")


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
@pytest.mark.parametrize("share", [0.3, 0.1])
def test_a_hidden_parent_is_named_among_candidates_and_never_said_to_be_training(dtype: DType, share: float) -> None:
    first, hidden, decoy, control, base = finetunes(dtype)
    suspect = merge([first, hidden, base], [0.4, share, 0.6 - share])
    found = beyond([suspect, first, base], (decoy, hidden), (control,))
    assert found is not None
    assert found.named == ("candidate 2",)
    likenesses = {one.label: one.correlation or 0 for one in found.likenesses}
    assert likenesses["candidate 2"] > 0.9
    assert max(abs(likenesses["candidate 1"]), abs(likenesses["control 1"])) < 0.1
    assert "Something else of relative size" in (found.words or "")
    assert "candidate 2" in (found.words or "")


def test_without_the_right_candidate_it_stays_open() -> None:
    first, hidden, decoy, control, base = finetunes()
    suspect = merge([first, hidden, base], [0.4, 0.3, 0.3])
    stranger = model(np.random.default_rng(99), Size(3, 48, 96, 64))
    for candidates in ((decoy,), (stranger,), (decoy, control)):
        found = beyond([suspect, first, base], candidates)
        assert found is not None
        assert found.named == ()
        assert "stays open" in (found.words or "")


def test_noise_is_like_no_candidate_and_has_no_low_rank() -> None:
    first, second, third, _, base = finetunes(DType.F32)
    noisy = apply(merge([first, base], [0.6, 0.4]), change(base, np.random.default_rng(8), 1e-4, low_rank=0))
    found = beyond([noisy, first, base], (second, third))
    assert found is not None
    assert (found.named, found.rank) == ((), None)


def test_a_merge_that_a_recipe_explains_has_nothing_beyond_it() -> None:
    first, second, *_, base = finetunes()
    assert beyond([merge([first, base], [0.6, 0.4], Arithmetic.STEPWISE), first, base], (second,)) is None


def test_a_really_trained_finetune_has_no_low_rank_and_names_no_sibling() -> None:
    shipped = Path(modelprov.demo.__file__).parent / "tiny" / "checkpoints"
    opened = [open_any(str(shipped / name), name) for name in ("nex", "qwen", "sibling")]
    found = compare(opened[:2], OPTIONS, Silence(), (), opened[2:]).findings.beyond
    assert found is not None
    assert (found.rank, found.low_rank, found.named) == (None, 0, ())
    assert 0.2 < (found.likenesses[0].correlation or 0) < 0.4


def test_a_copy_that_was_rounded_to_int8_is_told_as_that_and_nothing_else_is_said_of_it() -> None:
    first, *_, base = finetunes()
    for models in ([quantised(first, 8), first, base], [quantised(first, 8), first]):
        found = beyond(models)
        assert found is not None
        assert (found.lattice or "").startswith("int8 with one scale for each")
        assert found.same_steps == ("P1",)
        assert "those of P1 are the same, and so may those of what is near be" in (found.words or "")
        assert "Something else" not in (found.words or "")


def test_a_finetune_by_less_than_a_step_of_int8_is_no_copy_rounded() -> None:
    first, *_, base = finetunes()
    near = apply(first, change(base, np.random.default_rng(5), 2e-5, low_rank=0, uneven=0))
    found = beyond([quantised(near, 8), first])
    assert found is not None
    assert found.lattice is not None
    assert found.same_steps == ()


def test_a_merge_that_was_rounded_to_int8_is_a_mixture_rounded() -> None:
    first, *_, base = finetunes()
    found = beyond([quantised(merge([first, base], [0.6, 0.4]), 8), first, base])
    assert found is not None
    assert (found.same_steps, found.mixture_same_steps) == ((), True)
    assert "a mixture of P1 and P2" in (found.words or "")


def test_a_finetune_that_was_rounded_to_int8_is_no_rounded_copy_of_its_base() -> None:
    first, second, *_, base = finetunes()
    found = beyond([quantised(second, 8), first, base])
    assert found is not None
    assert found.lattice is not None
    assert (found.same_steps, found.mixture_same_steps) == ((), False)
    assert "copy" not in (found.words or "")
    assert "Something else" in (found.words or "")
