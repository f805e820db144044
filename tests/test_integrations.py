"""The integrations as shipped: the steps of action.yml run in bash, the hook's command, the sample repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "publish-check"
BIN = Path(sys.executable).parent
WRONG, RIGHT = ["MP101", "MP104", "MP201", "MP301"], []  # what the sample's check finds before and after the fix
needs_tools = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("make", "patch", "bash")), reason="make, patch or bash is not installed"
)


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command with this environment's programs first, one thread, and nothing of the outer CI."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    environment = kept | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"} | variables
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample repository with its model built, as a newcomer has it after the first `make`."""
    folder = Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("sample") / "repository"))
    built = run(["make", "model/config.json", f"PYTHON={sys.executable}"], folder)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def fixed(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after its fix."""
    folder = Path(shutil.copytree(sample, tmp_path_factory.mktemp("fixed") / "repository"))
    patched = run(["make", "fix"], folder)
    assert patched.returncode == 0, patched.stdout + patched.stderr
    return folder


def rules(sarif: Path) -> list[str]:
    found = json.loads(sarif.read_text())["runs"][0]["results"]
    return sorted({one["ruleId"] for one in found})


def action_step(folder: Path, **inputs: str) -> tuple[int, str, dict[str, str], str]:
    """Exit code, job summary, outputs and log of the action's check step, run as GitHub runs `shell: bash`."""
    step = loaded(ROOT / "action.yml")["runs"]["steps"][-1]
    known = loaded(ROOT / "action.yml")["inputs"]
    values = {}
    for name, value in step["env"].items():
        key = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value)
        assert key is not None
        values[name] = inputs.pop(key[1].replace("-", "_"), known[key[1]]["default"])
    assert not inputs
    script, summary, output = folder / "step.sh", folder / "summary.md", folder / "output.txt"
    script.write_text(step["run"])
    summary.write_text("before\n")
    output.write_text("")
    done = run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], folder,
        GITHUB_STEP_SUMMARY=str(summary), GITHUB_OUTPUT=str(output), **values,
    )  # fmt: skip
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return done.returncode, summary.read_text(), outputs, done.stdout + done.stderr


def test_the_action_is_a_composite_whose_scripts_hold_no_text_of_its_inputs() -> None:
    action = loaded(ROOT / "action.yml")
    assert action["runs"]["using"] == "composite"
    used = set()
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert "uses" in step or step["shell"] == "bash"
        values: Mapping[str, str] = step.get("env", {}) | step.get("with", {})
        used |= {name for value in values.values() for name in re.findall(r"inputs\.([\w-]+)", value)}
    assert used == set(action["inputs"])
    for output in action["outputs"].values():
        assert "steps.check.outputs." in output["value"]


@needs_tools
def test_the_action_installs_every_dependency_in_the_tested_version() -> None:
    """A new release of a dependency must not change what the action says; the file comes with the action."""
    lines = [
        line.strip()
        for step in loaded(ROOT / "action.yml")["runs"]["steps"]
        for line in step.get("run", "").splitlines()
        if "pip install" in line
    ]
    assert lines
    assert all('--constraint "$SOURCE/constraints.txt"' in line for line in lines)
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in pinned}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {re.sub(r"[-_.]+", "-", re.split(r"[>=<;\[ ]", one)[0]).lower() for one in wanted} <= names


@needs_tools
@pytest.mark.parametrize(
    ("source", "repository"),
    [
        ("/home/runner/work/_actions/who/modelprov/feature/branch", "https://git.example/who/modelprov"),
        ("/home/runner/work/model/model", ""),
    ],
)
def test_the_action_tells_the_build_its_repository_to_which_findings_then_link(
    tmp_path: Path, source: str, repository: str
) -> None:
    """`hatch_build.py` writes the address into the package, and `helpUri` begins with it (tests/check)."""
    step = loaded(ROOT / "action.yml")["runs"]["steps"][1]
    recorder = tmp_path / "python"
    recorder.write_text('#!/bin/bash\necho "$MODELPROV_REPOSITORY|${!#}"\n')
    recorder.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run(
        ["bash", "-eo", "pipefail", "-c", step["run"]], tmp_path,
        PATH=path, SOURCE=source, VERSION="", GITHUB_SERVER_URL="https://git.example",
    )  # fmt: skip
    assert done.stdout == f"{repository}|{source}\n", done.stderr


def test_the_sample_fails_for_its_reasons_and_the_action_keeps_exit_code_summary_sarif_and_outputs(
    sample: Path,
) -> None:
    code, summary, outputs, log = action_step(sample, model="model", junit="junit.xml")
    assert code == 1, log
    assert summary.startswith("before\n")
    assert "modelprov check: Findings" in summary
    assert outputs == {"exit-code": "1", "sarif": "modelprov.sarif"}
    assert rules(sample / "modelprov.sarif") == WRONG
    assert ElementTree.parse(sample / "junit.xml").getroot().get("failures") == "2"


@needs_tools
def test_the_sample_and_the_action_pass_after_the_fix(fixed: Path) -> None:
    code, summary, outputs, log = action_step(fixed, model="model")
    assert code == 0, log
    assert "modelprov check: Passed" in summary
    assert outputs["exit-code"] == "0"
    assert rules(fixed / "modelprov.sarif") == RIGHT


@needs_tools
def test_inputs_of_the_action_become_arguments_and_are_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = tmp_path / "bin" / "modelprov"
    recorder.parent.mkdir()
    recorder.write_text('#!/bin/bash\nprintf "%s\\n" "$@" > arguments.txt\nexit 3\n')
    recorder.chmod(0o755)
    monkeypatch.setattr("tests.test_integrations.BIN", recorder.parent)
    code, _, outputs, _ = action_step(
        tmp_path, model="--help", candidates="\n  Qwen/Qwen3.5=a b \n\tx=$(touch was-run)\r\n; touch was-run\n",
        controls="one\ntwo", policy="p.toml", baseline="b.json", expected_digest="`touch was-run`", json="c.json",
    )  # fmt: skip
    assert (code, outputs) == (3, {"exit-code": "3"})
    given = (tmp_path / "arguments.txt").read_text().splitlines()
    assert given[:3] == ["check", "--sarif", "modelprov.sarif"]
    assert given[5:] == [
        "--candidates", "Qwen/Qwen3.5=a b", "--candidates", "x=$(touch was-run)", "--candidates", "; touch was-run",
        "--control", "one", "--control", "two", "--policy", "p.toml", "--baseline", "b.json",
        "--expected-digest", "`touch was-run`", "--json", "c.json", "--", "--help",
    ]  # fmt: skip
    assert not (tmp_path / "was-run").exists()


@needs_tools
def test_the_hook_runs_the_command_and_sees_the_files_that_matter(fixed: Path) -> None:
    (hook,) = loaded(ROOT / ".pre-commit-hooks.yaml")
    assert hook["id"] == "modelprov-check"
    assert not hook["pass_filenames"]
    files = re.compile(hook["files"])
    assert all(files.search(one) for one in ("README.md", "a/model-00001-of-00002.safetensors", "chat_template.jinja"))
    assert not files.search("notes.txt")
    done = run([*hook["entry"].split(), *hook["args"], "--policy", "../modelprov.toml"], fixed / "model")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed" in done.stdout


def test_the_sample_is_small_and_says_the_rules_that_its_check_finds() -> None:
    files = [path for path in EXAMPLE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 100_000
    assert sorted(re.findall(r"\[(MP\d+)\]\(", (EXAMPLE / "README.md").read_text())) == WRONG


def test_the_samples_workflow_and_the_guides_snippets_parse_and_name_inputs_that_exist() -> None:
    inputs = set(loaded(ROOT / "action.yml")["inputs"])
    steps = loaded(EXAMPLE / ".github" / "workflows" / "check.yml")["jobs"]["check"]["steps"]
    assert set(next(one["with"] for one in steps if one.get("id") == "modelprov")) <= inputs
    guide = (ROOT / "docs" / "check.md").read_text()
    snippets = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)]
    assert len(snippets) >= 3
    (job,) = [one for one in snippets if "modelprov-check" in one]
    assert job["modelprov-check"]["artifacts"]["reports"]["junit"] == "modelprov.xml"
    assert job["modelprov-check"]["artifacts"]["when"] == "always"
    (used,) = [
        step["with"] for one in snippets if "jobs" in one for step in one["jobs"]["check"]["steps"]
        if "modelprov" in step.get("uses", "")
    ]  # fmt: skip
    assert set(used) <= inputs
    (hooks,) = [one for one in snippets if "repos" in one]
    assert hooks["repos"][0]["hooks"][0]["id"] == "modelprov-check"


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_say_what_they_may_do_and_run_commands_that_are_there(path: Path) -> None:
    workflow = loaded(path)
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for step in steps:
        assert ("uses" in step) != ("run" in step)
        assert "@" in step.get("uses", "@")
        assert set(re.findall(r"\bmake (\w+)", step.get("run", ""))) <= targets


def test_forms_of_issues_ask_for_what_is_needed() -> None:
    forms = {path.stem: loaded(path) for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")}
    assert forms.pop("config") == {"blank_issues_enabled": False}
    assert set(forms) == {"bug", "wrong_verdict"}
    for form in forms.values():
        assert {"name", "description", "body"} <= set(form)
        named = [part["id"] for part in form["body"] if part["type"] != "markdown"]
        assert len(named) == len(set(named))
