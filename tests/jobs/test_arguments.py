"""Arguments are called what the reader calls them, and the command that a report names is one that can be typed."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import modelprov
from modelprov.called import called, refuse_other, spelt
from modelprov.cli.app import loaded, option_called
from modelprov.engines.local import run_tasks
from modelprov.errors import ModelprovError, UsageError
from modelprov.forensics.sums.kernels.choose import pick_device
from modelprov.jobs import check as check_job
from modelprov.jobs import evaluate as evaluate_job
from modelprov.jobs import probe as probe_job
from modelprov.jobs.arguments import command_line, refuse_below, several
from modelprov.recipes.recipe import Recipe

FLAG = re.compile(r"--[a-z]")


def test_an_argument_is_called_as_in_python_and_in_a_command_as_an_option() -> None:
    with pytest.raises(UsageError, match=r"^out_dtype is a or b, not 'c'$"):
        refuse_other("out_dtype", "c", ("a", "b"))
    with spelt(option_called), pytest.raises(UsageError, match=r"^--out-dtype is a or b, not 'c'$"):
        refuse_other("out_dtype", "c", ("a", "b"))
    with pytest.raises(UsageError, match=r"^batch_size is at least 1, not 0$"):
        refuse_below(1, threads=None, batch_size=0)


def test_a_value_is_given_as_in_python_and_in_a_command_as_on_its_line() -> None:
    assert (called("device"), called("device", "cpu")) == ("device", "device='cpu'")
    with spelt(option_called):
        assert (called("device"), called("device", "cpu")) == ("--device", "--device cpu")
        assert run_tasks(3, lambda: lambda _: called("device"), 2) == ["--device"] * 3  # in threads too


def flags_in_errors(tree: ast.AST) -> Iterator[str]:
    """What errors say that are made in a module, where it names an option of the command line."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "").endswith(("Error", "unloadable")):
            for part in ast.walk(call):
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and FLAG.search(part.value):
                    yield part.value


def test_no_error_below_the_commands_names_an_option_of_the_command_line() -> None:
    assert list(flags_in_errors(ast.parse("raise UsageError('no', f'Use --device {x}.')"))) == ["Use --device "]
    package = Path(modelprov.__file__).parent
    spoken = ("cli", "serve")  # where a command is what people see
    files = [file for file in package.rglob("*.py") if file.relative_to(package).parts[0] not in spoken]
    found = {str(file): list(flags_in_errors(ast.parse(file.read_text(encoding="utf-8")))) for file in files}
    assert {file: said for file, said in found.items() if said} == {}


@pytest.mark.parametrize(
    "refused",
    [
        lambda: modelprov.compare("a"),
        lambda: modelprov.compare("a", "b", device="gpu"),
        lambda: modelprov.evaluate(task="sums"),
        lambda: modelprov.evaluate("a", task="sums", endpoint="http://h/v1", method="swir"),
        lambda: modelprov.evaluate("a", task="sums", method="cot", choose_alpha="arithmetic"),
        lambda: modelprov.evaluate("a", "b", task="sums", method="swir", choose_alpha="arithmetic"),
        lambda: modelprov.evaluate("a", task="lm-eval:x", method="swir", choose_alpha="arithmetic"),
        lambda: modelprov.probe("a", name="="),
        lambda: modelprov.check(".", expected_digest="no"),
        lambda: pick_device("gpu"),
        lambda: modelprov.merge(Recipe(merge_method="linear", models=[{"model": "a"}, {"model": "b"}],
                                       modelprov={"arithmetic": "none"}), "out"),
    ],
)  # fmt: skip
def test_what_a_job_refuses_is_called_as_in_python(refused: Callable[[], object]) -> None:
    with pytest.raises(ModelprovError) as caught:
        refused()
    assert not FLAG.search(f"{caught.value.message} {caught.value.advice}")


def test_one_location_or_several_are_texts() -> None:
    assert several("a") == several(Path("a")) == several(["a"]) == ["a"]
    assert several(()) == []
    assert several((Path("a"), "b")) == ["a", "b"]


def test_a_command_line_leaves_out_defaults_repeats_lists_and_quotes() -> None:
    options = (("--a", 1, 1), ("--b", 2, 1), ("--c", ["x y", "z"], []), ("--d", True, False), ("--e", None, None))
    assert command_line("check", ["m"], options) == "modelprov check m --b 2 --c 'x y' --c z --d"


def parsed(line: str) -> dict[str, Any]:
    """What the command line hears of a command."""
    name, *words = shlex.split(line)[1:]
    command = loaded(name)
    return dict(command.make_context(name, list(words)).params)


@pytest.mark.parametrize(
    ("given", "heard"),
    [
        ({"name": "Rio"}, {"model": "rio", "name": ["Rio"], "samples": None, "device": "auto"}),
        (
            {
                "name": ["Rio", "Nex=Nex-AGI"], "parent": "nex", "control": ["a", "b"], "backstory": "once",
                "arm": "stripped", "language": ["en", "zh"], "samples": 0, "temperature": 0.5, "quick": True,
                "max_new_tokens": 9, "seed": 3, "batch_size": 2, "device": "cpu",
                "dtype": "float32", "timeout": 5.0, "log": "log.jsonl",
            },
            {
                "name": ["Rio", "Nex=Nex-AGI"], "parent": ["nex"], "control": ["a", "b"], "backstory": ["once"],
                "arm": ["stripped"], "language": ["en", "zh"], "samples": 0, "temperature": [0.5], "quick": True,
                "max_new_tokens": 9, "seed": 3, "batch_size": 2, "device": "cpu", "dtype": "float32", "timeout": 5.0,
                "log": Path("log.jsonl"),
            },
        ),
        ({"name": "Rio", "endpoint": "http://h/v1"}, {"model": None, "served": "rio", "endpoint": "http://h/v1"}),
    ],
)  # fmt: skip
def test_the_command_of_a_probe_asks_the_same(
    given: dict[str, Any], heard: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = []
    monkeypatch.setattr(probe_job, "_ask", lambda *arguments: lines.append(arguments[7]))
    probe_job.probe("rio", **given)
    params = parsed(lines[0])
    assert {key: params[key] for key in heard} == heard


def test_the_command_of_an_evaluation_asks_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = []

    def stopped(*arguments: Any) -> None:
        lines.append(arguments[5])
        raise UsageError("enough")

    monkeypatch.setattr(evaluate_job, "run", stopped)
    monkeypatch.setattr(evaluate_job, "local_subjects", lambda *_: nullcontext([]))
    template = tmp_path / "t.jinja"
    template.write_text("{{ messages }}")
    given = {
        "method": ["cot", "swir"], "budget": [64, 128], "answer_tokens": 8, "samples": 2, "seed": 4, "limit": 5,
        "log": tmp_path, "max_new_tokens": 99, "temperature": 0.5, "top_k": 3, "top_p": 0.5, "alpha": 0.5, "window": 7,
        "max_switches": 0, "noise_temperature": 0.25, "width": 2,
        "system": "Be brief.", "chat_template": template, "batch_size": 3, "memory": 10**9, "device": "cpu",
        "dtype": "float32",
    }  # fmt: skip
    with pytest.raises(UsageError, match="enough"):
        evaluate_job.evaluate("rio", "nex", task="sums", **given)  # type: ignore[arg-type]
    params = parsed(lines[0])
    assert {key: params[key] for key in given} == given
    assert (params["models"], params["task"]) == (["rio", "nex"], "sums")
    with pytest.raises(UsageError, match="enough"):
        evaluate_job.evaluate("rio", task="sums", method="cot-greedy", greedy=True, raw=True, budget=50)
    params = parsed(lines[1])
    assert (params["method"], params["greedy"], params["raw"], params["budget"]) == (["cot-greedy"], True, True, [50])


def test_the_command_of_a_check_asks_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = []

    def stopped(*arguments: Any) -> None:
        lines.append(arguments[4])
        raise UsageError("enough")

    monkeypatch.setattr(check_job, "run_check", stopped)
    policy = tmp_path / "modelprov.toml"
    policy.write_text("[check]\n")
    given = {
        "candidates": ["Nex=nex", "qwen"], "control": ["sibling"], "policy": policy, "baseline": tmp_path / "b.json",
        "update_baseline": "known", "expires": "2999-01-31", "expected_digest": "0" * 64, "sample": True,
        "memory": 1 << 30, "threads": 2, "seed": 3,
    }  # fmt: skip
    with pytest.raises(UsageError, match="enough"):
        check_job.check("rio", **given)  # type: ignore[arg-type]
    params = parsed(lines[0])
    assert {key: params[key] for key in given} == given
    with pytest.raises(UsageError, match="enough"):
        check_job.check("rio")
    assert lines[1] == "modelprov check rio"


def test_no_job_takes_one_checkpoint_twice(tmp_path: Path) -> None:
    a, again, b = tmp_path / "a", tmp_path / "x" / ".." / "a", tmp_path / "b"
    for folder in (a, tmp_path / "x", b):
        folder.mkdir()
    calls: list[Callable[[], object]] = [
        lambda: modelprov.compare(a, b, again),
        lambda: modelprov.compare(a, b, control=again),
        lambda: modelprov.probe(a, name="Rio", parent=again),
        lambda: modelprov.evaluate(a, again, task="sums"),
        lambda: modelprov.check(b, candidates=[a, f"A={again}"]),
        lambda: modelprov.check(b, candidates=[f"A={a}"], control=again),
        lambda: modelprov.check(a, control=again),
        lambda: modelprov.merge({a: 0.5, again: 0.5}, tmp_path / "out"),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="the same checkpoint is given twice"):
            call()


def test_a_candidate_that_the_policy_names_too_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = []
    monkeypatch.setattr(check_job, "run_check", lambda *given: requests.append(given[1]))
    (tmp_path / "modelprov.toml").write_text(f'[check]\ncandidates = ["A={tmp_path / "nex"}"]\n')
    check_job.check(tmp_path, candidates=f"A={tmp_path / 'nex'}")
    assert len(requests) == 1
