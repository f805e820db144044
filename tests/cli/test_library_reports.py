"""A report that was made through the library, with whatever options, holds when it is computed anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelprov.forensics.compare import Options
from modelprov.jobs.compare import run
from modelprov.reports.comparison.as_json import render_json
from tests.cli.conftest import Command

ASKED: dict[str, tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]] = {
    "a small sample": (("rio-trained", "nex", "qwen"), (), {"sample": True, "sample_elements": 20_000}),
    "a seed": (("rio", "nex", "qwen"), (), {"sample": True, "sample_elements": 33_333, "seed": 11}),
    "another reference, a control": (("rio", "qwen", "nex"), ("sibling",), {"sample": True, "sample_elements": 9_000}),
    "a small scout": (("rio-trained", "nex", "qwen"), (), {"sample_elements": 5_000, "seed": 4}),
    "few threads": (("rio-bf16", "nex", "qwen"), ("sibling",), {"threads": 1, "memory": 1 << 22, "method": "buffered"}),
}


@pytest.mark.parametrize("case", ASKED)
def test_a_report_of_the_library_holds_whatever_its_command_says(
    case: str, models: Path, modelprov: Command, tmp_path: Path
) -> None:
    names, controls, options = ASKED[case]
    locations, control = ([str(models / name) for name in part] for part in (names, controls))
    asked = Options(device="cpu", **options)
    text = render_json(run(locations, control, asked, "a notebook --sample-size 3G"))
    (tmp_path / "r.json").write_text(text)
    said = modelprov("report", "verify", tmp_path / "r.json", "--device", "cpu", "--json", "-")
    assert [claim for claim in json.loads(said.out)["claims"] if not claim["holds"]] == []
    assert said.code == 0
    settings = json.loads(text)["settings"]
    assert {name: settings[name] for name in options} == options
    assert [settings["suspect"], *settings["parents"], settings["reference"], *settings["controls"]] == [
        {"label": Path(where).name, "location": where} for where in (*locations, *control)
    ]


@pytest.mark.parametrize("key", ["seed", "sample_elements", "reference", "controls"])
def test_settings_that_were_edited_do_not_hold(key: str, models: Path, modelprov: Command, tmp_path: Path) -> None:
    names = [str(models / name) for name in ("rio-trained", "nex", "qwen")]
    report = json.loads(render_json(run(names, [], Options(device="cpu", sample=True, sample_elements=9_000), "")))
    report["settings"][key] = {
        "seed": 5, "sample_elements": 1 << 20, "reference": report["settings"]["suspect"],
        "controls": [report["settings"]["suspect"]],
    }[key]  # fmt: skip
    (tmp_path / "r.json").write_text(json.dumps(report))
    assert modelprov("report", "verify", tmp_path / "r.json", "--device", "cpu", "--quiet").code == 1


def test_a_report_from_before_the_settings_is_read_by_its_command(
    compare: Command, modelprov: Command, tmp_path: Path
) -> None:
    asked = ("rio-trained", "nex", "qwen", "--sample", "--sample-size", "40K", "--seed", "3")
    report = json.loads(compare(*asked, "--json", "-").out)
    old = {key: value for key, value in report.items() if key != "settings"} | {"schema_version": "1.1"}
    (tmp_path / "r.json").write_text(json.dumps(old))
    said = modelprov("report", "verify", tmp_path / "r.json", "--device", "cpu")
    assert (said.code, said.err) == (0, "")
    assert "so not compared: settings" in " ".join(said.out.split())
