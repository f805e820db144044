"""The job behind `modelprov identify`: what is in a library is named, and nothing that is not in a suspect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights, as_stored, fill_checkpoint
from modelprov.errors import CouldNotJudgeError, UsageError
from modelprov.forensics.identify.results import Identified
from modelprov.jobs.fingerprint import fingerprint
from modelprov.jobs.identify import identify
from modelprov.jobs.library import add
from modelprov.recipes.arithmetics import Arithmetic
from tests.generated import Size, apply, change, merge, model

SIZE = Size(5, 48, 96, 160)
FINETUNES = ("one", "two", "three")


@pytest.fixture(scope="module")
def family() -> dict[str, Weights]:
    """A base, three finetunes of it in a library, another that is in none, and two strangers."""
    rng = np.random.default_rng(11)
    base = model(rng, SIZE)
    members = {"base": base} | {name: apply(base, change(base, rng, 1e-3)) for name in (*FINETUNES, "hidden")}
    return members | {
        "stranger": model(rng, SIZE),
        "other": model(rng, SIZE),
        "wider": model(rng, Size(5, 64, 96, 160)),
    }


@pytest.fixture(scope="module")
def known(family: dict[str, Weights], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of all of them but two, and of a model of another shape."""
    folder = tmp_path_factory.mktemp("identify")
    for name, weights in family.items():
        if name not in ("hidden", "other"):
            add(stored(folder / name, weights), folder / "known", size=240_000)
    return folder / "known"


def stored(folder: Path, weights: Weights) -> Path:
    fill_checkpoint(folder, as_stored(weights), {}, 1)
    return folder


def layers_taken(weights: Weights, order: tuple[int, ...]) -> Weights:
    """Layer i of the result is layer `order[i]`."""
    made = {name: held for name, held in weights.items() if ".layers." not in name}
    for place, taken in enumerate(order):
        part = f"model.layers.{taken}."
        made |= {
            name.replace(part, f"model.layers.{place}."): held
            for name, held in weights.items()
            if name.startswith(part)
        }
    return made


def asked(weights: Weights, known: Path, tmp_path: Path) -> Identified:
    return identify(stored(tmp_path / "suspect", weights), library=known, threads=1)


def test_a_merge_of_two_is_named_with_both(family: dict[str, Weights], known: Path, tmp_path: Path) -> None:
    suspect = merge([family["one"], family["base"]], (0.565, 0.435), Arithmetic.FLOAT32, DType.BF16)
    found = asked(suspect, known, tmp_path)
    assert (found.verdict, set(found.members)) == ("merge", {"one", "base"})
    assert found.members[-1] == "base"  # the reference, by its place among all
    assert {entry.name for entry in found.ranked if entry.kin} == {"base", *FINETUNES}
    assert [each.name for each in found.skipped] == ["wider"]


def test_a_merge_of_three_is_named_with_all(family: dict[str, Weights], known: Path, tmp_path: Path) -> None:
    suspect = merge([family["one"], family["two"], family["three"]], (0.5, 0.3, 0.2), Arithmetic.FLOAT32, DType.BF16)
    found = asked(suspect, known, tmp_path)
    assert (found.verdict, set(found.members)) == ("merge", set(FINETUNES))


def test_what_was_trained_on_from_a_mix_is_not_named_as_part_of_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    base = model(rng, Size(2, 48, 96, 120))
    chat, code = (apply(base, change(base, rng, 1e-3)) for _ in range(2))
    suspect = merge([chat, code], (0.565, 0.435), Arithmetic.FLOAT32, DType.BF16)
    entries = {"base": base, "chat": chat, "code": code, "near": apply(suspect, change(base, rng, 1e-4))}
    for name, weights in entries.items():
        add(stored(tmp_path / name, weights), tmp_path / "known", size=240_000)
    found = asked(suspect, tmp_path / "known", tmp_path)
    assert (found.verdict, set(found.members)) == ("merge", {"chat", "code"})


def test_a_copy_is_named_alone(family: dict[str, Weights], known: Path, tmp_path: Path) -> None:
    found = asked(family["two"], known, tmp_path)
    assert (found.verdict, found.members) == ("copy", ("two",))
    held = fingerprint(tmp_path / "suspect", tmp_path / "two.mpf", size=240_000).file
    again = identify(held, library=known, threads=1)
    assert (again.verdict, again.members) == ("copy", ("two",))
    assert again.suspect == "two (the suspect)"
    without = identify(held, library=known, leave_out="two", threads=1)
    assert without.verdict == "same-origin"


def test_a_sibling_of_members_has_an_origin_and_no_parent(
    family: dict[str, Weights], known: Path, tmp_path: Path
) -> None:
    found = asked(family["hidden"], known, tmp_path)
    assert (found.verdict, found.members) == ("same-origin", ("base",))


def test_a_hidden_parent_is_not_replaced_by_another(family: dict[str, Weights], known: Path, tmp_path: Path) -> None:
    suspect = merge([family["hidden"], family["one"]], (0.5, 0.5), Arithmetic.FLOAT32, DType.BF16)
    found = asked(suspect, known, tmp_path)
    assert found.verdict == "inconclusive"
    assert all(each.verdict not in ("copy", "merge", "on-line") for each in found.proposals)


def test_none_of_these_is_said_plainly(family: dict[str, Weights], known: Path, tmp_path: Path) -> None:
    found = asked(family["other"], known, tmp_path)
    assert (found.verdict, found.alone, found.members) == ("unrelated", True, ())
    assert "none of the 5 entries that could be compared" in found.summary
    assert all(entry.profiles and not entry.elsewhere for entry in found.ranked)
    assert "is made of none of these" in found.rendered("markdown")


def test_a_reordered_member_is_not_among_none_of_these(family: dict[str, Weights], known: Path, tmp_path: Path) -> None:
    order = np.random.default_rng(4).permutation(48)
    moved = {}
    for name, (array, dtype) in family["stranger"].items():
        there = array[..., order] if array.shape[-1] == 48 else array
        moved[name] = (there[order] if there.ndim > 1 and there.shape[0] == 48 else there, dtype)
    found = asked(moved, known, tmp_path)
    assert found.verdict == "inconclusive"
    assert [entry.name for entry in found.ranked if entry.elsewhere] == ["stranger"]


ORDERS = {"reordered": (1, 2, 0), "dropped": (1, 2), "repeated": (0, 1, 0, 1, 2), "swapped": (0, 2, 1)}


@pytest.mark.parametrize("kind", ORDERS)
def test_a_copy_whose_layers_were_moved_is_a_copy_with_its_recipe(
    kind: str, family: dict[str, Weights], known: Path, tmp_path: Path
) -> None:
    found = asked(layers_taken(family["two"], ORDERS[kind]), known, tmp_path)
    assert (found.verdict, found.members) == ("copy", ("two",))
    assert "passthrough of layers" in found.summary
    held = fingerprint(tmp_path / "suspect", tmp_path / "held.mpf", size=240_000).file
    again = identify(held, library=known, threads=1)
    assert (again.verdict, again.members) == ("copy", ("two",))


def test_a_finetune_whose_layers_were_moved_is_not_cleared_and_they_are_named(
    family: dict[str, Weights], known: Path, tmp_path: Path
) -> None:
    trained = apply(family["two"], change(family["base"], np.random.default_rng(7), 3e-4))
    found = asked(layers_taken(trained, ORDERS["reordered"]), known, tmp_path)
    assert (found.verdict, found.rule, found.members) == ("inconclusive", "layers-elsewhere", ("two",))
    assert "0 is 1, 1 is 2, 2 is 0" in found.summary


def test_a_model_of_other_shapes_is_not_judged(known: Path, tmp_path: Path) -> None:
    odd = stored(tmp_path / "odd", model(np.random.default_rng(1), Size(2, 32, 40, 50)))
    with pytest.raises(CouldNotJudgeError, match="same names and shapes"):
        identify(odd, library=known, threads=1)
    with pytest.raises(UsageError, match="no such entry"):
        identify(odd, library=known, leave_out="nobody", threads=1)


def test_a_merge_of_finetunes_that_moved_by_less_than_rounding_is_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    base = model(rng, Size(2, 48, 96, 120))
    entries = {"base": base} | {name: apply(base, change(base, rng, 3e-5)) for name in FINETUNES}
    for name, weights in entries.items():
        add(stored(tmp_path / name, weights), tmp_path / "known", size=240_000)
    suspect = merge([entries["one"], entries["two"]], (0.565, 0.435), Arithmetic.FLOAT32, DType.BF16)
    found = asked(suspect, tmp_path / "known", tmp_path)
    assert (found.verdict, set(found.members)) == ("merge", {"one", "two"})
