"""What was undone, as a file: read back it undoes the same, a spoilt one is refused, and commands take it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

import modelprov
from modelprov.checkpoints.layouts.alignment_file import KEY, alignment_bytes, read_alignment
from modelprov.checkpoints.layouts.realigned import parent_view
from modelprov.checkpoints.layouts.realignment import Axis, PairedTensor, Realignment
from modelprov.cli.compared import publish
from modelprov.cli.outputs import Outputs
from modelprov.demo.writing import Weights
from modelprov.errors import CouldNotJudgeError, InvalidCheckpointError, UsageError
from modelprov.forensics.search.coordinates.kinship import kinship
from modelprov.forensics.search.coordinates.undoing import undo
from tests.factories import write_checkpoint
from tests.forensics.coordinates.family import KEEPING_BITS, ROUNDED, decoder, family, made
from tests.generated import merge

SMALL = Realignment(
    {"rows": Axis(np.array([0, 1]), np.array([1, 0]), np.array([1.0, -2.0]))},
    (PairedTensor("a.weight", "b.weight", "rows", None, ("n", "m")),),
    {0: 3},
)


def realignment(name: str, how: dict[str, Any]) -> Realignment:
    own, theirs = decoder("S", made(name, how, family().first)), decoder("P", family().base)
    found = kinship(own, theirs, seed=0)
    assert found is not None
    return undo(found, own, theirs, seed=0).realignment


def folder(path: Path, weights: Weights) -> Path:
    return write_checkpoint(path, {name: (values, str(dtype)) for name, (values, dtype) in weights.items()})


@pytest.mark.parametrize(("name", "how"), [("all orders", KEEPING_BITS), ("everything", ROUNDED)])
def test_what_was_written_is_read(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    written = realignment(name, how)
    (tmp_path / "it.alignment").write_bytes(alignment_bytes(written, "here", "there"))
    read = read_alignment(tmp_path / "it.alignment")
    assert (read.tensors, read.layers, read.exact) == (written.tensors, written.layers, written.exact)
    for key, axis in written.used().items():
        for part in ("own", "theirs", "factors", "basis"):
            first, second = getattr(axis, part), getattr(read.axes[key], part)
            assert (first is None and second is None) or np.array_equal(first, second)


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (replace(SMALL, axes={"rows": Axis(np.array([0, 0]), np.array([1, 0]))}), "is no order"),
        (replace(SMALL, axes={"rows": Axis(np.array([0, 1]), np.array([1]))}), "differ in length"),
        (replace(SMALL, axes={"rows": Axis(np.array([0, 1]), np.array([1, -1]))}), "is no order"),
        (replace(SMALL, axes={"rows": Axis(np.array([0]), np.array([1]), np.array([0.0]))}), "impossible factors"),
        (replace(SMALL, axes={"rows": Axis(np.array([0]), np.array([1]), np.array([np.nan]))}), "impossible factors"),
        (replace(SMALL, tensors=SMALL.tensors * 2), "told twice"),
    ],
)
def test_a_spoilt_file_is_refused(tmp_path: Path, spoilt: Realignment, message: str) -> None:
    (tmp_path / "it.alignment").write_bytes(alignment_bytes(spoilt, "here", "there"))
    with pytest.raises(InvalidCheckpointError, match=message):
        read_alignment(tmp_path / "it.alignment")


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 2}', '{"version": 1}', '{"version": 1, "axes": [1]}'])
def test_metadata_that_say_something_else_are_refused(tmp_path: Path, text: str) -> None:
    head = json.dumps({"__metadata__": {KEY: text}}).encode()
    (tmp_path / "it.alignment").write_bytes(len(head).to_bytes(8, "little") + head)
    with pytest.raises(InvalidCheckpointError, match="not an alignment"):
        read_alignment(tmp_path / "it.alignment")


def test_an_alignment_of_other_models_is_refused() -> None:
    theirs = decoder("P", family().base)
    name = theirs.embeddings.name
    wrong = Realignment({"rows": Axis(np.array([0]), np.array([9_999]))}, (PairedTensor(name, name, "rows", None),))
    with pytest.raises(UsageError, match="does not fit"):
        parent_view(theirs.checkpoint, theirs.held, wrong)


def test_what_compare_saves_lets_verify_check_every_bit(tmp_path: Path) -> None:
    mixed = merge([family().first, family().second], [0.6, 0.4])
    models = {"s": made("all orders", KEEPING_BITS, mixed), "a": family().first, "b": family().second}
    s, a, b = (folder(tmp_path / name, weights) for name, weights in models.items())
    file, recipe = tmp_path / "s.alignment", tmp_path / "recipe.yml"
    report = modelprov.compare(s, a, b, save_alignment=file, sample=True, sample_size=1 << 16, threads=1)
    assert report.reproduction.yaml is not None
    recipe.write_text(report.reproduction.yaml)
    assert not modelprov.verify(s, recipe).reproduced
    assert modelprov.verify(s, recipe, alignment=file).reproduced


def test_compare_undoes_what_a_file_says_and_tests_the_units_all_the_same(tmp_path: Path) -> None:
    s = folder(tmp_path / "s", made("units permuted", KEEPING_BITS, family().first))
    a, stranger = folder(tmp_path / "a", family().first), folder(tmp_path / "stranger", family().stranger)
    file = tmp_path / "s.alignment"
    file.write_bytes(alignment_bytes(realignment("units permuted", KEEPING_BITS), str(s), str(a)))
    report = modelprov.compare(s, a, alignment=file, threads=1)
    assert report.verdict.class_ == "copy"
    assert report.coordinates is not None
    assert report.coordinates.undone == ("MLP units in another order, in 4 of 4 places",)
    assert "Other coordinates" in report.rendered("markdown")
    assert "Layer map" in report.rendered("html")
    other = modelprov.compare(stranger, a, alignment=file, threads=1)
    assert other.verdict.class_ == "unrelated"


def test_an_alignment_that_loses_bits_reproduces_nothing(tmp_path: Path) -> None:
    s, a = folder(tmp_path / "s", family().first), folder(tmp_path / "a", family().first)
    file, recipe = tmp_path / "s.alignment", tmp_path / "recipe.yml"
    file.write_bytes(alignment_bytes(realignment("residual rotated", ROUNDED), str(s), str(a)))
    recipe.write_text(f"merge_method: passthrough\nmodels:\n- model: {a}\ndtype: bfloat16\n")
    assert not modelprov.verify(s, recipe, alignment=file).reproduced


def test_names_alone_are_undone_too_and_said_to_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`undone` are sentences on coordinates, of which names are none."""
    words = {"self_attn": "attn", "q_proj": "query", "gate_proj": "w1", "down_proj": "w2"}
    first = family().first
    renamed = {re.sub("|".join(words), lambda found: words[found[0]], name): held for name, held in first.items()}
    s, a = folder(tmp_path / "s", renamed), folder(tmp_path / "a", first)
    report = modelprov.compare(s, a, save_alignment=tmp_path / "s.alignment", threads=1)
    assert (tmp_path / "s.alignment").is_file()
    assert report.verdict.class_ == "copy"
    assert report.coordinates is not None
    assert (report.coordinates.undone, report.coordinates.renamed > 0) == ((), True)
    assert f"under other names: {report.coordinates.renamed} tensors were paired" in report.rendered("markdown")
    with pytest.raises(typer.Exit):
        publish(report, Outputs({}), tmp_path / "s.alignment", quiet=False)
    assert capsys.readouterr().err.endswith(f"wrote {tmp_path / 's.alignment'}\n")


def test_an_alignment_takes_no_name_of_weights(tmp_path: Path) -> None:
    s, a = folder(tmp_path / "s", family().first), folder(tmp_path / "a", family().base)
    with pytest.raises(UsageError, match="name of a weights file"):
        modelprov.compare(s, a, save_alignment=tmp_path / "model.safetensors")


@pytest.fixture(scope="module")
def undone_as_a_file_says(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models, the file that undoes their other coordinates, and a report that was made with it."""
    place = tmp_path_factory.mktemp("given")
    s, a = folder(place / "s", made("residual rotated", ROUNDED, family().first)), folder(place / "a", family().first)
    file = place / "s.alignment"
    file.write_bytes(alignment_bytes(realignment("residual rotated", ROUNDED), str(s), str(a)))
    modelprov.compare(s, a, alignment=file, threads=1).save(place / "report.json")
    return place


def failed(found: modelprov.Rechecked) -> list[str]:
    return [claim.claim for claim in found.found.claims if not claim.holds]


def test_a_report_with_a_given_alignment_is_repeated_with_it(undone_as_a_file_says: Path) -> None:
    report = json.loads((undone_as_a_file_says / "report.json").read_text())
    digest = hashlib.sha256((undone_as_a_file_says / "s.alignment").read_bytes()).hexdigest()
    assert report["settings"]["alignment"]["sha256"] == digest
    assert failed(modelprov.recheck(undone_as_a_file_says / "report.json", threads=1)) == []


def test_another_alignment_than_the_report_was_made_with_is_seen(undone_as_a_file_says: Path, tmp_path: Path) -> None:
    other = realignment("residual rotated", ROUNDED)
    turned = {
        key: replace(axis, basis=axis.basis[:, ::-1]) for key, axis in other.axes.items() if axis.basis is not None
    }
    (tmp_path / "it").write_bytes(alignment_bytes(replace(other, axes={**other.axes, **turned}), "s", "a"))
    found = modelprov.recheck(undone_as_a_file_says / "report.json", location={"alignment": tmp_path / "it"}, threads=1)
    assert "other coordinates" in failed(found)


def test_a_given_alignment_that_is_gone_is_asked_for(undone_as_a_file_says: Path, tmp_path: Path) -> None:
    text = (undone_as_a_file_says / "report.json").read_text()
    (tmp_path / "report.json").write_text(text.replace("s.alignment", "gone.alignment"))
    with pytest.raises(CouldNotJudgeError, match="not found: the alignment"):
        modelprov.recheck(tmp_path / "report.json", threads=1)
