"""`modelprov report verify`: true reports hold, edited ones do not, and missing inputs are no verdict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command

CASES = {
    "merge": ("rio", "nex", "qwen", "--control", "sibling"),
    "finetune": ("nex", "qwen"),
    "sample": ("rio-trained", "nex", "qwen", "--sample", "--sample-size", "64K", "--seed", "3"),
    "another reference": ("rio", "nex", "qwen", "--sample", "--sample-size=32K", "--reference", "nex"),
}
WRITTEN: dict[str, str] = {}


@pytest.fixture
def written(compare: Command) -> Callable[[str], str]:
    """The text of a report, computed once."""

    def read(case: str) -> str:
        if case not in WRITTEN:
            WRITTEN[case] = compare(*CASES[case], "--json", "-").out
        return WRITTEN[case]

    return read


@pytest.fixture
def verify(modelprov: Command, tmp_path: Path) -> Command:
    """Write the text to a file and verify it on the processor."""

    def run(text: str, *arguments: object) -> Any:
        (tmp_path / "r.json").write_text(text)
        return modelprov("report", "verify", tmp_path / "r.json", "--device", "cpu", *arguments)

    return run


@pytest.mark.parametrize("case", CASES)
def test_a_report_as_it_was_written_holds(written: Any, verify: Command, case: str) -> None:
    said = verify(written(case))
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("EVERY CLAIM HOLDS")
    assert "differs" not in said.out
    assert ("the sample did not read" in said.out) == (case not in ("merge", "finetune"))


EDITS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "alpha": ("proportion", lambda r: r["mixing"].update(alpha=0.6)),
    "an end of the interval": ("proportion", lambda r: r["mixing"].update(low=r["mixing"]["low"] - 1e-7)),
    "the class": ("verdict", lambda r: r["verdict"].update({"class": "copy"})),
    "the summary": ("wording", lambda r: r["verdict"].update(summary="rio was trained from scratch.")),
    "the recipe": ("recipe", lambda r: r["reproduction"].update(recipe="0.5 × nex + 0.5 × qwen")),
    "the recipe file": ("recipe", lambda r: r["reproduction"].update(yaml="merge_method: linear\n")),
    "bits reproduced": ("bits reproduced", lambda r: r["reproduction"].update(bit_equal=0.9999)),
    "a component": ("components", lambda r: r["components"][0]["least_squares"].update(alpha=0.5)),
    "a count": ("tensors", lambda r: r["tensors"][0].update(elements=r["tensors"][0]["elements"] + 1)),
    "a tensor left out": ("tensors", lambda r: r["tensors"].pop()),
    "a control": ("controls", lambda r: r["verdict"]["controls"][0].update(collinearity=0.9)),
    "a digest": ("input nex", lambda r: r["inputs"][1].update(digest="0" * 64)),
    "the coverage": ("coverage", lambda r: r["coverage"].update(share=0.5)),
}


def test_a_number_that_was_edited_by_hand_is_named_with_what_it_should_be(written: Any, verify: Command) -> None:
    report = json.loads(written("merge"))
    true = report["mixing"]["low"]
    report["mixing"]["low"] -= 1e-7
    said = verify(json.dumps(report))
    assert said.code == 1
    assert said.out.startswith("1 OF 20 CLAIMS DOES NOT HOLD")
    assert f"mixing.low\n    recorded   {str(true - 1e-7)[:10]}" in said.out
    assert f"recomputed {str(true)[:10]}" in said.out


def test_every_kind_of_edit_by_hand_is_found(written: Any, verify: Command) -> None:
    report = json.loads(written("merge"))
    for _, change in EDITS.values():
        change(report)
    said = verify(json.dumps(report), "--json", "-")
    failed = {one["claim"] for one in json.loads(said.out)["claims"] if not one["holds"]}
    assert (said.code, failed) == (1, {claim for claim, _ in EDITS.values()})


def test_another_seed_is_another_sample(written: Any, verify: Command) -> None:
    report = json.loads(written("sample"))
    report["environment"]["seed"] = 4
    said = verify(json.dumps(report))
    assert said.code == 1
    assert "CLAIMS DOES NOT HOLD" in said.out


def test_weights_that_changed_are_seen_though_the_digest_of_headers_is_the_same(
    written: Any, verify: Command, models: Path, tmp_path: Path
) -> None:
    shutil.copytree(models / "rio", tmp_path / "changed")
    shard = sorted((tmp_path / "changed").glob("*.safetensors"))[0]
    content = bytearray(shard.read_bytes())
    content[-2000:-1000:2] = bytes(one ^ 1 for one in content[-2000:-1000:2])  # the last bit of 500 weights
    shard.write_bytes(content)
    said = verify(written("merge"), "--location", f"rio={tmp_path / 'changed'}", "--json", "-")
    failed = [one["claim"] for one in json.loads(said.out)["claims"] if not one["holds"]]
    assert said.code == 1
    assert "input rio" not in failed
    assert {"bits reproduced", "whole model", "tensors"} <= set(failed)


def test_inputs_that_are_gone_are_listed_and_may_be_elsewhere(
    written: Any, verify: Command, models: Path, tmp_path: Path
) -> None:
    text = written("merge").replace(f"{models}/rio", "/gone/rio").replace(f"{models}/qwen", "/gone/qwen")
    said = verify(text)
    assert said.code == 3
    assert "rio (/gone/rio), qwen (/gone/qwen)" in said.err
    shutil.copytree(models / "rio", tmp_path / "under another name")
    places = (f"rio={tmp_path / 'under another name'}", f"qwen={models / 'qwen'}")
    said = verify(text, "--location", places[0], "--location", places[1])
    assert (said.code, said.err) == (0, "")


def test_a_hostile_report_cannot_write_to_the_terminal(written: Any, verify: Command) -> None:
    report = json.loads(written("finetune"))
    report["inputs"][0] |= {"label": "\x1b[31mnex", "location": "/gone/\x1b]0;x\x07"}
    said = verify(json.dumps(report))
    assert said.code == 3
    assert "\x1b" not in said.err
    assert "\\x1b" in said.err


def test_a_model_from_the_hub_is_opened_at_its_revision_and_at_no_other(
    modelprov: Command, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    hub = tmp_path / "hub" / "models--somebody--nex"
    then, now = "a" * 40, "b" * 40
    for commit, name in ((then, "nex"), (now, "qwen")):
        shutil.copytree(models / name, hub / "snapshots" / commit)
    (hub / "refs").mkdir()
    (hub / "refs" / "main").write_text(then)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    device = ("--device", "cpu")
    modelprov("compare", "somebody/nex", models / "qwen", "--json", "r.json", *device)
    assert json.loads(Path("r.json").read_text())["inputs"][0]["revision"] == then
    (hub / "refs" / "main").write_text(now)
    assert modelprov("report", "verify", "r.json", *device).code == 0
    shutil.rmtree(hub / "snapshots" / then)
    said = modelprov("report", "verify", "r.json", *device)
    assert (said.code, f"--revision {then}" in said.err) == (3, True)


def test_a_location_beside_the_report_is_found_from_anywhere(
    compare: Command, modelprov: Command, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        shutil.copytree(models / "nex", tmp_path / name)
    assert compare("one", "two", "--json", "r.json").code == 1
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert modelprov("report", "verify", "../r.json", "--device", "cpu").code == 0


def test_a_looser_tolerance_is_given_by_hand(written: Any, verify: Command) -> None:
    report = json.loads(written("merge"))
    report["overall"]["least_squares"]["alpha"] *= 1 + 1e-5
    assert verify(json.dumps(report)).code == 1
    assert verify(json.dumps(report), "--tolerance", "1e-4").code == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda _: "{", "not JSON"),
        (lambda _: "[]", "not a modelprov report"),
        (lambda text: text.replace("modelprov compare", "modelprov identify", 1), "a report of 'modelprov identify'"),
        (lambda text: text.replace('"schema_version": "2', '"schema_version": "9'), "schema version"),
        (lambda text: text.replace('"role": "suspect"', '"role": "parent"'), "not a suspect"),
        (lambda text: text.replace('"label": "qwen"', '"label": "nex"'), "alike"),
        (lambda text: text.replace('"seed": 0', '"seed": -1'), "seed"),
    ],
)
def test_what_is_no_report_is_refused(written: Any, verify: Command, change: Any, says: str) -> None:
    said = verify(change(written("finetune" if says == "not a suspect" else "merge")))
    assert said.code == 2
    assert says in said.err
    assert "Traceback" not in said.err


def test_a_label_that_the_report_does_not_have_is_refused(written: Any, verify: Command) -> None:
    said = verify(written("merge"), "--location", "rip=/somewhere")
    assert (said.code, "labels: rio, nex, qwen, sibling" in said.err) == (2, True)


def test_the_revision_of_a_copy_cannot_be_checked_and_that_is_said(written: Any, verify: Command) -> None:
    report = json.loads(written("finetune"))
    report["inputs"][0]["revision"] = "a" * 40
    said = verify(json.dumps(report))
    assert said.code == 0
    assert f"Not checked: that nex is revision {'a' * 40}" in " ".join(said.out.split())
