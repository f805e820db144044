"""`modelprov check` as a user types it: exit codes, files, policy, baseline, the proposed card."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome

Check = Callable[..., Outcome]
ONE = "---\nlicense: apache-2.0\nbase_model: org/qwen\n---\n# Rio\n\nRio is a model.\n"
BOTH = ONE.replace("org/qwen\n", "[org/qwen, org/nex]\nbase_model_relation: merge\n")


@pytest.fixture
def rio(models: Path, tmp_path: Path) -> Path:
    """A copy of the merge in its own repository, so that no policy above it is found."""
    (tmp_path / ".git").mkdir()
    folder = Path(shutil.copytree(models / "rio", tmp_path / "rio"))
    (folder / "README.md").write_text(ONE)
    return folder


@pytest.fixture
def check(modelprov: Callable[..., Outcome], models: Path, rio: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Run the check where the model lies, with qwen and nex as candidates unless told otherwise."""
    monkeypatch.chdir(rio.parent)

    def run(*arguments: object, candidates: bool = True) -> Outcome:
        named = [word for name in ("qwen", "nex") for word in ("-c", f"org/{name}={models / name}")]
        return modelprov("check", "rio", *arguments, *(named if candidates else []), "--threads", 1)

    return run


def test_findings_are_1_and_every_format_is_written(check: Check, tmp_path: Path) -> None:
    names = ("json", "markdown", "html", "sarif", "junit")
    done = check(*(word for name in names for word in (f"--{name}", f"c.{name}")))
    assert done.code == 1
    assert "error MP101 undeclared-parent  README.md:3" in done.out
    assert all((tmp_path / f"c.{name}").stat().st_size for name in names)
    assert json.loads((tmp_path / "c.json").read_text())["outcome"] == "findings"
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_an_honest_card_is_0(check: Check, rio: Path) -> None:
    (rio / "README.md").write_text(BOTH)
    done = check()
    assert done.code == 0, done.out
    assert "Passed" in done.out


def test_without_candidates_it_is_3_and_says_what_to_do(check: Check) -> None:
    done = check(candidates=False)
    assert done.code == 3
    assert "Could not judge" in done.out
    assert "--candidates" in done.out


def test_a_folder_that_has_the_name_in_the_card_is_said_to_be_taken_for_it(
    check: Check, rio: Path, models: Path
) -> None:
    (rio / "README.md").write_text(ONE.replace("org/qwen", "qwen"))
    shutil.copytree(models / "qwen", rio.parent / "qwen")
    said = "the card's qwen is taken to be the folder ./qwen; if it is another: --candidates qwen=PATH"
    assert said in " ".join(check("-c", f"org/nex={models / 'nex'}", candidates=False).err.split())
    assert said not in " ".join(check("-c", f"qwen={models / 'qwen'}", candidates=False).err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--candidates", "a/b=nowhere"), "is not there"),
        (("--candidates", "org/qwen=elsewhere"), "is given as"),
        (("--control", "nowhere"), "control is not there"),
        (("--expected-digest", "12"), "no SHA-256"),
        (("--policy", "nowhere.toml"), "nowhere.toml"),
        (("--baseline", "nowhere.json"), "nowhere.json"),
        (("--update-baseline", "because"), "which file"),
        (("--update-baseline", " ", "--baseline", "b.json"), "Say why"),
        (("--baseline", "b.json", "--update-baseline", "--quiet"), "Say why"),
        (("--update-baseline", "x", "--baseline", "b.json", "--expires", "2020-01-01"), "has passed"),
        (("--update-baseline", "x", "--baseline", "b.json", "--expires", "soon"), "is no day"),
        (("--json", "no/such/folder/c.json"), "no/such/folder"),
        (("--json", "-", "--html", "-"), "standard output"),
        (("--memory", "lots"), "lots"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_bad_usage_is_2_and_says_so(check: Check, words: tuple[str, ...], said: str) -> None:
    done = check(*words)
    assert done.code == 2, done.out
    assert done.out == ""
    assert said in " ".join(done.err.split())


def test_a_file_or_nothing_in_place_of_a_folder_is_2(modelprov: Callable[..., Outcome], rio: Path) -> None:
    for place in (rio / "config.json", rio / "nowhere"):
        done = modelprov("check", place)
        assert done.code == 2
        assert "is not a folder" in " ".join(done.err.split())


def test_a_truncated_shard_is_1_and_a_card_alone_is_2(check: Check, rio: Path) -> None:
    shards = list(rio.glob("*.safetensors"))
    os.truncate(shards[0], 1000)
    done = check()
    assert done.code == 1
    assert "MP404" in done.out
    for path in (*shards, rio / "model.safetensors.index.json"):
        path.unlink()
    assert check().code == 2


def test_a_policy_above_the_model_counts_and_one_inside_it_does_not(check: Check, rio: Path, tmp_path: Path) -> None:
    policy = "[rules]\nMP101 = 'off'\n"
    (rio / "modelprov.toml").write_text(policy)
    assert check().code == 1
    (tmp_path / "modelprov.toml").write_text(policy)
    done = check()
    assert done.code == 0, done.out
    assert "MP101" not in done.out


def test_an_explicit_empty_list_of_required_rules_relaxes_the_default(check: Check, tmp_path: Path) -> None:
    policy = tmp_path / "modelprov.toml"
    policy.write_text("[check]\nsample = false\n")
    assert check(candidates=False).code == 3
    policy.write_text("[check]\nrequired = []\n")
    assert check(candidates=False).code == 0


def test_an_accepted_finding_no_longer_fails_and_stays_in_sight(check: Check) -> None:
    accept = ("--baseline", "accepted.json")
    said = check(*accept, "--update-baseline", "Agreed on Friday")
    assert said.code == 1
    assert "accepted in accepted.json, counted no more from the next run on: 1 finding" in " ".join(said.err.split())
    done = check(*accept)
    assert done.code == 0
    assert "Agreed on Friday" in " ".join(done.out.split())


def test_the_proposed_card_is_a_diff_on_standard_output_that_patch_takes(check: Check, rio: Path) -> None:
    done = check("--write-card", "--quiet")
    assert done.code == 1
    assert done.out.startswith("--- a/README.md\n+++ b/README.md\n")
    if shutil.which("patch") is None:
        pytest.skip("patch is not installed")
    patched = subprocess.run(["patch", "-p1"], cwd=rio, input=done.out, text=True, capture_output=True, check=False)
    assert patched.returncode == 0, patched.stdout
    again = check("--write-card")
    assert again.code == 0
    assert again.out == ""
    assert "settle no change" in again.err


def test_standard_output_holds_the_report_alone(check: Check) -> None:
    done = check("--json", "-")
    assert done.code == 1
    assert json.loads(done.out)["findings"][0]["rule"] == "MP101"


def test_quiet_says_nothing_and_keeps_the_exit_code(check: Check) -> None:
    done = check("--quiet")
    assert (done.code, done.out, done.err) == (1, "", "")


def test_open_writes_a_page_and_says_where_it_lies(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Path] = []
    monkeypatch.setattr("modelprov.reports.opening.open_page", lambda page: shown.append(page) is None)
    done = check("--open", "--html", "check.html")
    assert done.code == 1
    assert shown == [Path("check.html")]
    assert "opened check.html" in done.err
    assert Path("check.html").read_text().lstrip().startswith("<!doctype html>")
