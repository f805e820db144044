"""`modelprov eval` from end to end, on a tiny model that answers nonsense and on a calculator in its place."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from modelprov.behavior import extra
from modelprov.behavior.evaluation import answering
from tests.behavior.evaluation.conftest import Calculator, save_tiny_model
from tests.behavior.servers import answer, chat_reply, scripted
from tests.cli.conftest import Command


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def calculator(monkeypatch: pytest.MonkeyPatch) -> Calculator:
    made = Calculator()
    monkeypatch.setattr(answering, "_generate", lambda: made)
    return made


QUICK = ("--device", "cpu", "--max-new-tokens", 4, "--limit", 3)


def test_a_task_by_name_is_answered_and_reported_in_every_format(
    modelprov: Command, tiny: Path, calculator: Calculator, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("r.json", "r.md", "r.html")]
    done = modelprov(
        "eval", tiny, "--task", "sums", "--method", "cot", "--method", "swir", *QUICK,
        "--json", files[0], "--markdown", files[1], "--html", files[2],
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "Differences within noise" in done.out
    report = json.loads(files[0].read_text())
    assert [row["right"] for row in report["rows"]] == [3, 3]
    assert calculator.asked == 6
    assert report["command"].startswith("modelprov eval")
    assert report["methods"][1]["settings"]["max_new_tokens"] == 4
    assert "3 of 3" in files[1].read_text()
    assert files[2].read_text().startswith("<!doctype html>")
    assert all(f"wrote {path}" in done.err for path in files)


def test_a_real_model_that_never_finishes_leaves_nothing_to_grade(
    modelprov: Command, tiny: Path, tmp_path: Path
) -> None:
    done = modelprov("eval", tiny, "--task", "sums", "--method", "cot-greedy", *QUICK, "--json", tmp_path / "r.json")
    assert done.code == 3, done.err
    assert "No answer could be graded" in done.out
    assert "Loading weights" not in done.err
    assert json.loads((tmp_path / "r.json").read_text())["rows"][0]["answers"] == 3


def test_a_merge_recipe_is_evaluated_like_a_model(
    modelprov: Command, tiny: Path, calculator: Calculator, tmp_path: Path
) -> None:
    other = save_tiny_model(tmp_path / "other", seed=1)
    recipe = tmp_path / "merged.yml"
    recipe.write_text(
        f"merge_method: linear\nmodels:\n- {{model: {tiny}, parameters: {{weight: 0.6}}}}\n"
        f"- {{model: {other}, parameters: {{weight: 0.4}}}}\ndtype: float32\n"
    )
    done = modelprov("eval", recipe, tiny, "--task", "sums", *QUICK, "--quiet", "--json", "-")
    assert done.code == 0, done.err
    merged, source = json.loads(done.out)["models"]
    assert (merged["location"], merged["made_from"]) == (str(recipe), str(recipe))
    assert source["made_from"] is None
    assert merged["digest"] != source["digest"]
    assert calculator.asked == 6


@pytest.mark.usefixtures("calculator")
def test_budgets_bring_the_control_and_the_curve(modelprov: Command, tiny: Path) -> None:
    done = modelprov("eval", tiny, "--task", "sums", "--method", "swir", "--budget", 64, "--budget", 8, *QUICK)
    assert done.code == 0, done.err
    assert "cot-budget @64" in done.out
    assert "was added" in done.out
    assert "Accuracy against tokens" not in done.out
    assert "--tables shows it here" in done.err
    whole = modelprov(
        "eval", tiny, "--task", "sums", "--method", "swir", "--budget", 64, "--budget", 8, *QUICK, "--tables"
    )
    assert "Accuracy against tokens" in whole.out


def test_a_stopped_run_says_where_its_answers_are_and_goes_on(
    modelprov: Command, tiny: Path, calculator: Calculator, tmp_path: Path
) -> None:
    command = (
        "eval",
        tiny,
        "--task",
        "sums",
        "--limit",
        6,
        "--batch-size",
        2,
        "--device",
        "cpu",
        "--log",
        tmp_path / "log",
    )
    calculator.stop_after = 4
    stopped = modelprov(*command)
    assert stopped.code == 130
    assert "run the same command again" in stopped.err
    assert str(tmp_path / "log") in " ".join(stopped.err.split())
    calculator.stop_after = None
    done = modelprov(*command, "--quiet", "--json", "-")
    assert done.code == 0
    assert json.loads(done.out)["answers_reused"] == 4
    assert calculator.asked == 6


def test_a_stopped_run_without_a_log_says_that_nothing_was_kept(
    modelprov: Command, tiny: Path, calculator: Calculator
) -> None:
    calculator.stop_after = 0
    stopped = modelprov("eval", tiny, "--task", "sums", *QUICK)
    assert stopped.code == 130
    assert "--log DIR" in stopped.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--task", "nothing.jsonl"), "there is no task"),
        (("--task", "sums", "--method", "magic"), "no method 'magic'"),
        (("--task", "sums", "--device", "tpu"), "--device is"),
        (("--task", "sums", "--dtype", "int8"), "--dtype is"),
        (("--task", "sums", "--budget", 1), "at least 2 tokens"),
        (("--task", "sums", "--temperature", 0), "temperature"),
        (("--task", "sums", "--raw", "--chat-template", "x"), "--raw uses no chat template"),
        (("--task", "sums", "--chat-template", "x"), "cannot be read"),
        (("--task", "sums", "--json", "-", "--html", "-"), "only one report"),
        (("--task", "sums", "--json", "nowhere/r.json"), "does not exist"),
        (("--task", "lm-eval:x", "--include-path", "nowhere"), "is no folder"),
    ],
)
def test_bad_usage_is_said_before_a_model_is_loaded(
    modelprov: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = modelprov("eval", "no-such-model", *arguments)
    assert done.code == 2, done.err
    assert said in " ".join(done.err.split())


def test_without_the_extra_the_command_says_how_to_get_it(
    modelprov: Command, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "transformers" else object())
    done = modelprov("eval", tiny, "--task", "sums")
    assert done.code == 2
    assert "modelprov[behavior]" in done.err


def test_a_bad_line_of_a_task_is_named(modelprov: Command, tiny: Path, tmp_path: Path) -> None:
    task = tmp_path / "mine.jsonl"
    task.write_text('{"question": "1?", "answer": "1", "grader": "numeric"}\n{"question": 3}\n')
    done = modelprov("eval", tiny, "--task", task)
    assert done.code == 2
    assert "mine.jsonl, line 2" in " ".join(done.err.split())


def test_a_served_model_takes_the_place_of_a_local_one(modelprov: Command) -> None:
    reply = answer(200, chat_reply("\\boxed{17}"))
    with scripted(reply) as server:
        done = modelprov("eval", "--endpoint", server.url, "--model", "tiny", "--task", "sums", "--limit", 3)
    assert done.code == 0, done.err
    assert "without latent" in done.out
    assert "right" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "eval needs a model"),
        (("--endpoint", "http://127.0.0.1:9/v1"), "belong together"),
        (("model", "--model", "m"), "belong together"),
        (("model", "--endpoint", "http://127.0.0.1:9/v1", "--model", "m"), "eval needs a model"),
        (("--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--raw"), "do not go together"),
        (("--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--top-k", 5), "do not go together"),
        (("--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--method", "swir"), "needs the weights"),
    ],
)
def test_an_endpoint_stands_alone(modelprov: Command, arguments: tuple[object, ...], said: str) -> None:
    done = modelprov("eval", *arguments, "--task", "sums")
    assert done.code == 2, done.err
    assert said in " ".join(done.err.split())


@pytest.mark.usefixtures("calculator")
def test_a_full_disk_ends_in_words_that_say_how_to_go_on(
    modelprov: Command, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelprov.behavior.evaluation.log import AnswerLog

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(AnswerLog, "add", full)
    done = modelprov("eval", tiny, "--task", "sums", *QUICK, "--log", tmp_path / "log")
    assert done.code == 2
    assert "No space left on device" in done.err
    assert "run the same command again" in " ".join(done.err.split())
