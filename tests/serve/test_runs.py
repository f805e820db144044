"""One run at a time: watched, stopped, and gone with the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelprov.serve import runs
from tests.serve.conftest import Open, Page

ASKED = {"suspect": "rio", "parent": ["nex", "qwen"]}


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def started(page: Page) -> None:
    answer = page.post("/run", ASKED)
    assert (answer.status_code, answer.headers["location"]) == (303, "/run")


def test_progress_is_shown_and_a_second_run_refused_until_the_first_is_stopped(
    opened: Open, endless: list[subprocess.Popen[str]]
) -> None:
    page = opened()
    assert page.client.get("/run").headers["location"] == "/"
    started(page)
    until(lambda: "Step 5 of 7, after" in page.client.get("/run").text)
    shown = page.client.get("/run")
    assert shown.headers["refresh"] == "2"
    assert "Reading &lt;b&gt;weights&lt;/b&gt;: 0 %" in shown.text
    assert "refresh" not in page.client.get("/run?still=1").headers
    assert "one at a time" in page.client.get("/").text
    assert page.post("/run", ASKED).status_code == 409
    assert len(endless) == 1

    assert page.post("/stop").status_code == 303
    assert endless[0].poll() is not None
    until(lambda: "refresh" not in page.client.get("/run").headers)
    assert "Stopped: nothing was concluded" in page.client.get("/run").text
    started(page)
    assert len(endless) == 2


def test_a_run_ends_with_the_server(opened: Open, endless: list[subprocess.Popen[str]]) -> None:
    page = opened()
    started(page)
    page.client.__exit__(None, None, None)
    assert endless[0].wait(10) is not None


def test_the_process_of_a_run_ends_when_its_server_is_gone() -> None:
    read, write = os.pipe()
    run = subprocess.Popen([sys.executable, "-m", "modelprov.serve.running"], stdin=read, stdout=subprocess.PIPE)
    os.close(read)
    os.write(write, b'{"models": [], ')  # it waits for the rest
    os.close(write)
    assert run.wait(30) != 0


@pytest.mark.parametrize("network", [False, True])
def test_a_run_may_fetch_only_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: bool
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    given: dict[str, object] = {}

    def noted(*_: object, **named: object) -> None:
        given.update(named)

    monkeypatch.setattr(subprocess, "Popen", noted)
    runs._process(str(tmp_path), network)
    assert ("HF_HUB_OFFLINE" in given["env"]) is not network
    assert given["cwd"] == str(tmp_path)


def test_a_run_says_in_words_why_it_could_not(tmp_path: Path) -> None:
    """The process itself, on an address while it is offline."""
    asked = {"models": ["hf://org/name", str(tmp_path)], "controls": [], "sample": True, "memory": 1 << 28,
             "threads": 1, "report": str(tmp_path / "report.json")}  # fmt: skip
    run = subprocess.Popen(
        [sys.executable, "-m", "modelprov.serve.running"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert run.stdin is not None
    assert run.stdout is not None
    run.stdin.write(json.dumps(asked) + "\n")
    run.stdin.flush()
    said = [json.loads(line) for line in run.stdout]
    run.stdin.close()
    assert "HF_HUB_OFFLINE" in said[-1]["error"]
    assert run.wait(10) == 0
    assert not (tmp_path / "report.json").exists()
