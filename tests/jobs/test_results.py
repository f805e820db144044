"""What jobs give back can be saved by the ending of a name, and is the command's; pages are shown in notebooks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import modelprov as library
from modelprov.errors import UsageError
from modelprov.jobs.attested import confirm
from modelprov.reports.comparison.as_json import render_json
from modelprov.reports.comparison.report import Report
from tests.cli.conftest import Command


@pytest.fixture(scope="module")
def report(models: Path) -> Report:
    return library.compare(models / "rio", models / "nex", models / "qwen", device="cpu")


def test_opening_gives_the_tensors_of_folders_and_of_recipes(models: Path, tmp_path: Path) -> None:
    rio = library.open(models / "rio", label="suspect")
    assert (rio.label, rio.location) == ("suspect", str(models / "rio"))
    assert rio.parameters == sum(tensor.count for tensor in rio.tensors.values())
    made = library.merge({models / "nex": 0.565, models / "qwen": 0.435}, tmp_path / "rio", dry_run=True)
    (tmp_path / "r.yml").write_text(made.plan.recipe.as_yaml())
    assert set(library.open(tmp_path / "r.yml").tensors) == {tensor.name for tensor in made.plan.tensors}


def test_an_inspection_is_saved_as_the_command_writes_it(models: Path, modelprov: Command, tmp_path: Path) -> None:
    saved = library.inspect(models / "rio").save(tmp_path / "a.json")
    modelprov("inspect", models / "rio", "--json", tmp_path / "b.json")
    assert saved.read_bytes() == (tmp_path / "b.json").read_bytes()
    with pytest.raises(UsageError, match="does not say"):
        library.inspect(models / "rio").save(tmp_path / "a.sarif")


def test_a_check_is_saved_in_every_form_and_shown(models: Path, modelprov: Command, tmp_path: Path) -> None:
    found = library.check(models / "rio", candidates=[models / "nex", models / "qwen"])
    assert found.outcome in ("passed", "findings", "could not judge")
    assert found.report.command.startswith("modelprov check ")
    for name, start in (("c.html", "<!"), ("c.json", "{"), ("c.md", "##"), ("c.sarif", "{"), ("c.xml", "<")):
        assert found.save(tmp_path / name).read_text().startswith(start), name
    assert found._repr_html_().startswith("<iframe ")
    words = ("-c", models / "nex", "-c", models / "qwen", "--json", tmp_path / "d.json", "--quiet")
    said = modelprov("check", models / "rio", *words)
    assert said.code == {"passed": 0, "findings": 1, "could not judge": 3}[found.outcome]
    one, other = (json.loads((tmp_path / name).read_text()) for name in ("c.json", "d.json"))
    assert {**one, "command": "", "started": ""} == {**other, "command": "", "started": ""}


def test_accepting_without_having_asked_to_is_refused(models: Path) -> None:
    with pytest.raises(UsageError, match="nobody asked"):
        library.check(models / "rio", candidates=models / "nex").accept()


def test_findings_are_accepted_where_a_baseline_was_named(models: Path, tmp_path: Path) -> None:
    asked = {"candidates": [models / "nex", models / "qwen"], "baseline": tmp_path / "b.json"}
    found = library.check(models / "rio", **asked, update_baseline="known")  # type: ignore[arg-type]
    to, count = found.accept()
    assert (to, count) == (tmp_path / "b.json", len(found.findings))
    again = library.check(models / "rio", **asked)  # type: ignore[arg-type]
    assert all(finding.accepted is not None for finding in again.findings)


def test_a_report_is_rechecked_and_an_edited_one_does_not_hold(report: Report, tmp_path: Path) -> None:
    saved = report.save(tmp_path / "r.json")
    found = library.recheck(saved, device="cpu")
    assert found.holds
    assert json.loads(found.save(tmp_path / "k.json").read_text())["holds"] is True
    edited = json.loads(render_json(report))
    edited["mixing"]["alpha"] = 0.9
    saved.write_text(json.dumps(edited))
    assert not library.recheck(saved, device="cpu").holds


def test_moved_inputs_are_named_by_label(report: Report, models: Path, tmp_path: Path) -> None:
    saved = report.save(tmp_path / "r.json")
    assert library.recheck(saved, location={"rio": models / "rio"}, device="cpu").holds
    with pytest.raises(UsageError, match="names no input"):
        library.recheck(saved, location={"ria": models / "rio"})
    with pytest.raises(UsageError, match=r"tolerance is from 0 to 0\.01"):
        library.recheck(saved, tolerance=1.0)


def test_a_report_is_attested_with_the_bytes_of_its_suspect(report: Report, models: Path, tmp_path: Path) -> None:
    saved = report.save(tmp_path / "r.json")
    made = library.attest(saved, weights=models / "rio")
    assert not made.signed
    assert made.loose == ("nex", "qwen")
    assert json.loads(made.save(tmp_path / "rio.json").read_text())["predicateType"]
    with pytest.raises(UsageError, match="format is in-toto, cyclonedx or spdx"):
        library.attest(saved, format="pdf")
    with pytest.raises(UsageError, match="names no input"):
        library.attest(saved, weights={"ria": models / "rio"})


def test_an_unsigned_statement_is_not_confirmed(report: Report, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = tmp_path / "key.pub"
    key = Ed25519PrivateKey.generate().public_key()
    public.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    saved = report.save(tmp_path / "r.json")
    statement = library.attest(saved).save(tmp_path / "s.json")
    found = confirm(statement, public, report=saved)
    assert {point.name: point.holds for point in found.points} == {"signature": False, "report": True}
    assert not found.holds


def test_no_result_takes_the_place_of_weights(report: Report, tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    report.save(tmp_path / "r.json")
    for save in (report.save, library.attest(tmp_path / "r.json").save):
        with pytest.raises(UsageError):
            save(weights)
    assert weights.read_bytes() == b"weights"


def test_what_is_no_location_is_a_usage_error(report: Report) -> None:
    for wrong in ("", 3, None, report):
        with pytest.raises(UsageError):
            library.inspect(wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        library.merge({}, "out")
    with pytest.raises(UsageError):
        report.rendered("sarif")


def test_errors_and_progress_are_there_before_any_job() -> None:
    assert library.errors.ModelprovError
    assert library.progress.SILENT
