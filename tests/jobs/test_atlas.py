"""The job behind `modelprov atlas`: the tree of a library is its true history; bits alone give directions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.library_folder import path_in, read_library
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.writing import Weights, as_stored, fill_checkpoint
from modelprov.errors import CheckpointNotFoundError
from modelprov.forensics.identify.charted import Atlas, Placed
from modelprov.forensics.identify.kinship import kinship
from modelprov.forensics.identify.places import shared
from modelprov.forensics.identify.ranking import ranking
from modelprov.jobs.atlas import atlas
from modelprov.jobs.library import add
from modelprov.recipes.arithmetics import Arithmetic
from tests.generated import Size, apply, cast, change, merge, model

SIZE = Size(2, 48, 96, 120)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base in two precisions, two finetunes, a copy, a mix, something near the mix, a stranger, another shape."""
    rng = np.random.default_rng(11)
    fine = model(rng, SIZE, DType.F32)
    base = cast(fine, DType.BF16)
    chat, code = (apply(base, change(base, rng, 1e-3)) for _ in range(2))
    mixed = merge([chat, code], (0.565, 0.435), Arithmetic.FLOAT32, DType.BF16)
    members: dict[str, Weights] = {
        "fine": fine, "base": base, "chat": chat, "code": code, "again": chat, "mixed": mixed,
        "near": apply(mixed, change(base, rng, 1e-4)), "stranger": model(rng, SIZE),
        "wider": model(rng, Size(2, 64, 96, 120)),
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("atlas")
    for name, weights in members.items():
        fill_checkpoint(folder / name, as_stored(weights), {}, 1)
        add(folder / name, folder / "known", size=120_000)
    return folder / "known"


@pytest.fixture(scope="module")
def found(known: Path) -> Atlas:
    return atlas(known, threads=1)


def by_name(found: Atlas) -> dict[str, Placed]:
    return {each.name: each for family in found.families for each in family.members}


def test_the_tree_of_a_library_is_its_history(found: Atlas) -> None:
    (family,) = found.families
    placed = by_name(found)
    ties = {name: (each.tie.kind, each.tie.members) if each.tie else None for name, each in placed.items()}
    assert ties == {
        "fine": None,
        "base": ("copy", ("fine",)),
        "again": ("kin", ("fine",)),
        "chat": ("copy", ("again",)),
        "code": ("kin", ("fine",)),
        "mixed": ("merge", ("again", "code")),
        "near": ("kin", ("mixed",)),
    }
    assert placed["mixed"].tie is not None
    assert dict(zip(placed["mixed"].tie.members, placed["mixed"].tie.shares, strict=True)) == pytest.approx(
        {"again": 0.565, "code": 0.435}, abs=1e-6
    )
    depths = {each.name: each.depth for each in family.members}
    assert (depths["fine"], depths["base"], depths["mixed"], depths["near"]) == (0, 1, 2, 3)
    assert {(each.name, each.compared) for each in found.alone} == {("stranger", 7), ("wider", 0)}


def test_only_mixed_or_rounded_numbers_give_a_direction(found: Atlas) -> None:
    directed = {name for name, each in by_name(found).items() if each.tie is not None and each.tie.directed}
    assert directed == {"base", "mixed"}
    assert by_name(found)["chat"].verdict == "copy"  # the same numbers as another's: who copied whom is open


def test_a_source_is_not_said_to_come_from_what_is_made_of_it(found: Atlas) -> None:
    for source in ("again", "code", "fine"):
        said = by_name(found)[source]
        assert said.verdict not in ("copy", "merge", "on-line")
        assert "mixed is" not in said.summary


def test_kinship_of_all_pairs_is_that_of_each_suspect_with_the_rest(known: Path) -> None:
    entries = [open_checkpoint(str(path_in(known, entry)), entry.name) for entry in read_library(known).entries]
    near = kinship(entries)
    assert (near.correlation == near.correlation.T).all()
    for number, entry in enumerate(entries):
        rest = [other for other in range(len(entries)) if other != number]
        alone = ranking(shared(entry, [entries[other] for other in rest]))
        same = near.kin[number, rest]
        assert near.elements[number, rest].tolist() == alone.elements.tolist()
        assert near.correlation[number, rest] == pytest.approx(alone.correlation, abs=2e-3)  # means of other places
        assert near.equal[number, rest][same] == pytest.approx(alone.equal[same])
        assert same.tolist() == (alone.found & (alone.correlation >= 0.5)).tolist()


def test_a_folder_without_a_library_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError, match="holds no library"):
        atlas(tmp_path)
