"""The bar of notebooks: drawn where a kernel runs and nobody gave a `progress`, gone when the job is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelprov.errors import UsageError
from modelprov.jobs.notebooks import NotebookBar, kernel_display, shown_in_notebooks
from modelprov.progress import SILENT, Progress, tell

ROOT = Path(__file__).parents[2]


class Pictures:
    """Stands in for IPython's `display`: keeps what a reader would see, one picture after the other."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, data: dict[str, str], *, raw: bool, display_id: bool) -> Pictures:
        assert raw
        assert display_id
        self.seen.append(data["text/html"])
        return self

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.seen.append(data["text/html"])


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Pictures:
    """What is drawn inside a notebook's kernel."""
    drawn = Pictures()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object())))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=drawn))
    return drawn


@shown_in_notebooks
def job(text: str, *, progress: Progress = SILENT) -> str:
    """A job of three stages."""
    progress.stage(text, 4)
    progress.advance(1)
    progress.stage("no total")
    if text == "fails":
        raise UsageError("it failed")
    progress.stage("half", 2)
    return text


def test_a_kernel_sees_every_stage_and_at_the_end_nothing(pictures: Pictures) -> None:
    assert job("a <b>\x1b") == "a <b>\x1b"
    assert pictures.seen[0] == pictures.seen[-1] == ""
    assert pictures.seen[1] == '<progress value="0.000"></progress> After 0 s: a &lt;b&gt;\\x1b'
    assert "After 0 s: no total" in pictures.seen


def test_what_a_job_tells_stays_when_the_bar_is_gone(pictures: Pictures) -> None:
    with NotebookBar(pictures) as bar:
        bar.stage("preparing kernels")
        tell(bar, "it took <9 s>")
    assert pictures.seen[-2] == "<div>it took &lt;9 s&gt;</div>After 0 s: preparing kernels"
    assert pictures.seen[-1] == "<div>it took &lt;9 s&gt;</div>"


def test_a_job_that_fails_leaves_no_bar(pictures: Pictures) -> None:
    with pytest.raises(UsageError):
        job("fails")
    assert pictures.seen[-1] == ""


def test_whoever_gives_a_progress_sees_no_bar(pictures: Pictures) -> None:
    job("a", progress=SILENT)
    assert pictures.seen == []


def test_a_bar_moves_with_what_is_done_and_is_not_redrawn_for_every_byte(pictures: Pictures) -> None:
    with NotebookBar(pictures) as bar:
        bar.stage("reading", 1000)
        for _ in range(1000):
            bar.advance(1)
        bar._drawn = 0.0  # a while later
        bar.advance(0)
    assert pictures.seen[-2] == '<progress value="1.000"></progress> After 0 s: reading'
    assert len(pictures.seen) < 100


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_outside_a_kernel_there_is_no_bar(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a script that imported IPython, and in IPython's own terminal."""
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=Pictures()))
    assert kernel_display() is None


def test_a_job_in_a_script_never_imports_ipython() -> None:
    script = (
        "import sys, modelprov\nfrom modelprov.errors import ModelprovError\n"
        "try:\n    modelprov.inspect('nothing')\nexcept ModelprovError:\n    pass\n"
        "assert 'IPython' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=120)
