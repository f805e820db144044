"""What a run writes: the JSON that the issue asked for, Markdown, HTML, and what each option leaves in them."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.conftest import MAIN, Command, program

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())
STABLE = {
    "": ("schema_version", "layers", "components", "tensors"),
    "verdict": ("class", "summary"),
    "mixing": ("alpha", "low", "high", "method", "coverage", "least_squares"),
    "mixing.least_squares": ("alpha", "collinearity", "z", "standard_error"),
    "reproduction": ("recipe", "bit_equal"),
    "after_merge": ("agreement", "betweenness", "sigma", "sigma_relative"),
    "coverage": ("share", "unaligned"),
}
"""What the issue that asked for this report named."""


def lookup(report: dict[str, Any], path: str) -> Any:
    value: Any = report
    for key in filter(None, path.split(".")):
        value = value[key]
    return value


@pytest.fixture
def report(compare: Command) -> Any:
    """The parsed JSON of a run with these arguments."""

    def run(*arguments: object) -> dict[str, Any]:
        said = compare(*arguments, "--json", "-")
        assert said.code in (0, 1, 3), said.err
        parsed: dict[str, Any] = json.loads(said.out)
        jsonschema.validate(parsed, SCHEMA)
        return parsed

    return run


def test_json_on_standard_output_is_nothing_but_json(compare: Command) -> None:
    said = compare("rio", "nex", "qwen", "--json", "-")
    assert said.out.startswith("{\n")
    assert said.out.endswith("}\n")
    assert json.loads(said.out)["tool"] == "modelprov compare"
    assert said.err == ""
    assert said.code == 1


def test_a_terminal_shows_a_short_report_and_where_the_whole_is_and_the_tables_to_who_asks(compare: Command) -> None:
    short, whole = compare("rio", "nex", "qwen"), compare("rio", "nex", "qwen", "--tables")
    assert "By component" in whole.out
    assert "By component" not in short.out
    assert short.out.split("Rests on")[0] == whole.out.split("Rests on")[0]
    assert "No control was run" in short.out
    assert "--tables shows it here" in short.err
    assert whole.err == compare("rio", "nex", "qwen", "--quiet").err == ""
    assert compare("rio", "nex", "qwen", "--html", "page.html").err == "wrote page.html\n"


@pytest.mark.parametrize("case", [("rio", "nex", "qwen"), ("nex", "qwen"), ("stranger", "nex", "qwen")], ids=" ".join)
def test_the_keys_that_others_build_upon_are_always_there(report: Any, case: tuple[str, ...]) -> None:
    found = report(*case)
    for path, keys in STABLE.items():
        assert set(keys) <= lookup(found, path).keys()
    assert found["schema_version"].split(".")[0] == "2"
    for rows in ("layers", "components", "tensors"):
        assert found[rows]


def test_the_numbers_of_a_known_merge_are_those_it_was_made_with(report: Any) -> None:
    found = report("rio", "nex", "qwen")
    assert found["verdict"]["class"] == "merge"
    mixing = found["mixing"]
    assert mixing["low"] <= mixing["alpha"] <= mixing["high"]
    assert mixing["low"] <= 0.565 <= mixing["high"]
    assert mixing["alpha"] == pytest.approx(0.565, abs=1e-4)
    assert mixing["coverage"] == 1
    assert mixing["least_squares"]["alpha"] == pytest.approx(0.565, abs=0.05)  # biased: bf16 is coarse
    assert found["reproduction"]["bit_equal"] == 1
    assert found["after_merge"]["agreement"] == 1
    assert found["coverage"]["share"] == 1
    assert [one["role"] for one in found["inputs"]] == ["suspect", "parent", "reference"]
    assert sum(row["elements"] for row in found["tensors"]) == found["coverage"]["elements_read"]
    assert {group["checkpoint"] for group in found["coverage"]["unaligned"]} == {"nex", "qwen"}  # their MTP block


def test_what_was_trained_after_the_merge_shows(report: Any) -> None:
    found = report("rio-trained", "nex", "qwen")
    assert found["verdict"]["class"] == "on-line"
    assert found["after_merge"]["sigma_relative"] == pytest.approx(0.03, rel=0.2)
    assert found["after_merge"]["agreement"] < 1
    assert found["reproduction"]["bit_equal"] < 0.999


def test_all_reports_of_one_run_are_written_whole(compare: Command, tmp_path: Path) -> None:
    said = compare("rio", "nex", "qwen", "--json", "r.json", "--markdown", "r.md", "--html", "r.html")
    assert said.code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.json", "r.md"]
    jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), SCHEMA)
    assert (tmp_path / "r.md").read_text().startswith("#")
    page = (tmp_path / "r.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert said.err.split() == ["wrote", "r.json", "wrote", "r.md", "wrote", "r.html"]


def test_a_report_on_standard_output_does_not_keep_the_others_from_being_written(
    compare: Command, tmp_path: Path
) -> None:
    said = compare("nex", "qwen", "--markdown", "-", "--json", "r.json")
    assert said.out.startswith("#")
    assert json.loads((tmp_path / "r.json").read_text())["verdict"]["class"] == "same-origin"


def test_a_report_that_cannot_be_rendered_keeps_all_of_them_from_being_written(
    compare: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise ArithmeticError("a bug in the page")

    monkeypatch.setattr("modelprov.reports.rendering.html.render_html", broken)
    said = compare("nex", "qwen", "--json", "r.json", "--html", "r.html")
    assert (said.code, "a bug in the page" in said.err) == (3, True)
    assert list(tmp_path.iterdir()) == []


def test_quiet_says_nothing_but_writes(compare: Command, tmp_path: Path) -> None:
    said = compare("rio", "nex", "qwen", "--quiet", "--json", "r.json")
    assert (said.code, said.out, said.err) == (1, "", "")
    assert (tmp_path / "r.json").exists()


@pytest.mark.parametrize("spelling", ["{}", "{}/../nex/"])
def test_the_reference_may_be_named_by_any_path(report: Any, models: Path, spelling: str) -> None:
    found = report("rio", "nex", "qwen", "--reference", spelling.format(models / "nex"))
    assert [one["label"] for one in found["inputs"]] == ["rio", "qwen", "nex"]
    assert found["inputs"][2]["role"] == "reference"
    assert found["mixing"]["low"] <= 0.435 <= found["mixing"]["high"]


def test_a_reference_that_is_no_parent_yet_is_added(report: Any) -> None:
    found = report("rio", "nex", "--reference", "qwen")
    assert [one["label"] for one in found["inputs"]] == ["rio", "nex", "qwen"]
    assert found["verdict"]["class"] == "merge"


def test_controls_are_measured_beside_the_suspect(report: Any) -> None:
    found = report("rio", "nex", "qwen", "--control", "sibling", "--control", "stranger")
    named = {one["label"]: one for one in found["verdict"]["controls"] if one["kind"] == "checkpoint"}
    assert named.keys() == {"sibling", "stranger"}
    assert abs(named["sibling"]["alpha"]) < 0.1
    assert [one["label"] for one in found["inputs"] if one["role"] == "control"] == ["sibling", "stranger"]
    assert found["verdict"]["class"] == "merge"


def test_a_sample_says_what_share_it_read(compare: Command, report: Any) -> None:
    options = ("rio", "nex", "qwen", "--sample", "--sample-size", "64K")
    found = report(*options)
    share = found["coverage"]["read_share"]
    assert found["mode"] == "sample"
    assert 0 < share < 0.7 < found["coverage"]["share"] == 1
    assert found["coverage"]["elements_read"] == pytest.approx(share * found["coverage"]["elements"])
    text = compare(*options).out
    assert "sample" in text.lower()
    percent = f"{100 * share:.0f}"
    assert f"{percent} %" in text or f"{percent}." in text or f"{100 * share:.1f}" in text
    assert report("rio", "nex", "qwen")["mode"] == "full"


def test_the_seed_is_written_down_and_chooses_the_sample(report: Any) -> None:
    options = ("rio-trained", "nex", "qwen", "--sample", "--sample-size", "32K", "--seed")
    one, again, other = report(*options, 1), report(*options, 1), report(*options, 2)
    assert [found["environment"]["seed"] for found in (one, again, other)] == [1, 1, 2]
    for found in (one, again, other):
        for changing in ("environment", "command"):
            del found[changing]
    assert one == again
    assert one["overall"] != other["overall"]


def test_the_command_and_the_machine_are_written_down(report: Any, models: Path) -> None:
    found = report("rio", "nex", "qwen")
    assert found["command"].startswith(f"modelprov compare {models / 'rio'} ")
    environment = found["environment"]
    assert environment["device"].startswith("processor (")
    assert environment["bytes_read"] >= 3 * 2 * found["coverage"]["elements_read"]
    assert environment["seconds"] > 0


def test_names_with_spaces_survive_in_the_command(compare: Command, models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "nex", tmp_path / "my model")
    found = json.loads(compare("my model", "qwen", "--json", "-").out)
    assert "'my model'" in found["command"]


@pytest.mark.parametrize("failing", ["fsync", "replace", "write"])
def test_a_disk_that_is_full_leaves_the_old_report_as_it_was(
    compare: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failing: str
) -> None:
    (tmp_path / "r.json").write_text("the old report")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if failing == "write":
        real = Path.open

        class Full:
            def __init__(self, file: Any) -> None:
                self.file = file

            def __enter__(self) -> Full:
                return self

            def __exit__(self, *_: object) -> None:
                self.file.close()

            def write(self, data: bytes) -> None:
                self.file.write(data[:100])
                full()

        monkeypatch.setattr(
            Path, "open", lambda path, *a, **k: (Full if ".part" in path.name else lambda f: f)(real(path, *a, **k))
        )
    else:
        monkeypatch.setattr(os if failing == "fsync" else Path, failing, full)
    said = compare("nex", "qwen", "--json", "r.json")
    monkeypatch.undo()
    assert said.code == 2
    assert "r.json" in said.err
    assert "No space left" in said.err
    assert "Traceback" not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
    assert (tmp_path / "r.json").read_text() == "the old report"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_device_that_takes_nothing_is_an_error_in_words(compare: Command) -> None:
    said = compare("nex", "qwen", "--json", "/dev/full")
    assert (said.code, "No space left" in said.err) == (2, True)


def test_inspect_shows_a_checkpoint_as_text_and_as_json(modelprov: Command, models: Path, tmp_path: Path) -> None:
    said = modelprov("inspect", models / "nex")
    assert said.code == 0
    assert said.err.startswith("The whole report: ")
    assert "nex" in said.out
    as_json = modelprov("inspect", models / "nex", "--json", "-")
    found = json.loads(as_json.out)
    assert found["architecture"] == "Qwen3_5MoeForCausalLM"
    assert found["has_mtp"] is True
    assert found["weights_digest"] is None
    assert sum(part["elements"] for part in found["components"]) == found["parameters"]
    assert len(found["shards"]) == 2
    with_file = modelprov("inspect", models / "nex", "--digest", "--json", tmp_path / "i.json")
    written = json.loads((tmp_path / "i.json").read_text())
    assert with_file.out
    assert len(written["weights_digest"]) == 64
    assert {**written, "weights_digest": None} == found


def test_a_model_in_the_hugging_face_cache_is_found_by_its_name_without_a_network(models: Path, tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    for name in ("nex", "qwen"):
        folder = tmp_path / "hub" / f"models--somebody--{name}"
        snapshot, blobs = folder / "snapshots" / commit, folder / "blobs"
        snapshot.mkdir(parents=True)
        blobs.mkdir()
        for file in (models / name).iterdir():  # as the cache does: files are links to blobs
            shutil.copy(file, blobs / f"blob-of-{file.name}")
            (snapshot / file.name).symlink_to(f"../../blobs/blob-of-{file.name}")
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(commit)
    running = program(
        "import socket; socket.socket.connect = None\n" + MAIN,
        "compare", "somebody/nex", "somebody/qwen", "--json", "-", "--device", "cpu",
        HF_HUB_CACHE=str(tmp_path / "hub"), HF_HOME=str(tmp_path),
    )  # fmt: skip
    out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, "")
    found = json.loads(out)
    assert found["verdict"]["class"] == "same-origin"
    assert [one["location"] for one in found["inputs"]] == ["somebody/nex", "somebody/qwen"]
    assert {one["revision"] for one in found["inputs"]} == {commit}
