"""The line that says how far a run has come: its steps, its time, and bytes only where bytes are counted."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from modelprov.cli.progress import Bar, CountBar
from modelprov.forensics import preparing
from modelprov.progress import Steps, Within, announce, numbered, tell


def line(bar: Bar | CountBar) -> str:
    """The line as it now stands."""
    console = Console(file=io.StringIO(), width=120)
    console.print(bar._progress.get_renderable())
    return console.file.getvalue().strip()  # type: ignore[attr-defined]


def bar(kind: type[Bar] | type[CountBar] = Bar, job: str = "") -> Bar | CountBar:
    return kind(Console(file=io.StringIO(), force_terminal=True, width=120), job=job)


def test_a_step_that_counts_nothing_shows_its_number_and_the_time_and_no_bytes() -> None:
    with bar(job="verify") as shown:
        shown.stage("aligning tensors")
        assert "step 2 of 3: aligning tensors" in line(shown)
        assert line(shown).endswith("0 s")
        assert not {"bytes", "/", "━"} & set(line(shown).replace("bytes", " bytes ").split())


def test_a_step_that_counts_bytes_shows_them_and_the_next_one_shows_none_again() -> None:
    with bar() as shown:
        shown.stage("aligning tensors")
        shown.stage("reading", 2_000_000)
        shown.advance(1_000_000)
        assert "1.0/2.0 MB" in line(shown)
        shown.stage("judging")
        assert "judging" in line(shown)
        assert "MB" not in line(shown)


def test_no_bytes_are_drawn_at_any_moment_where_none_are_counted() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with Bar(console) as shown:
        for text in ("opening", "loading", "aligning tensors"):
            shown.stage(text)
    assert "bytes" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_steps_that_are_known_are_numbered_of_all_and_what_is_within_one_stays_there() -> None:
    steps = Steps(("opening", "reading", "judging"))
    said = [steps.number(text) for text in ("opening", "preparing", "reading all", "judging", "reading some", "more")]
    assert said == ["1 of 3", "1 of 3", "2 of 3", "3 of 3", "3 of 3", "3 of 3"]


def test_a_run_whose_steps_nobody_knows_or_that_has_only_one_has_no_numbers() -> None:
    with bar() as shown:
        shown.stage("hashing")
        assert "hashing" in line(shown)
        assert "step" not in line(shown)
    assert Steps(("hashing",)).number("hashing") == ""


def test_steps_that_a_run_announces_are_numbered_and_of_two_that_fit_the_longer_is_meant() -> None:
    asked = ("loading rio", "rio: cot", "rio: cot, 64 tokens", "testing differences")
    with bar(CountBar) as shown:
        announce(shown, asked)
        for number, text in enumerate(asked, 1):
            shown.stage(text)
            assert f"step {number} of 4: {text}" in line(shown)


def test_a_run_inside_another_says_what_it_is_for() -> None:
    heard = Heard()
    inside = Within(heard, "control sibling", 2, 5)
    inside.stage("reading", 7)
    tell(inside, "compiled")
    assert heard.stages == ["control sibling (2 of 5)", "control sibling (2 of 5): reading7"]
    assert heard.told == ["compiled"]


def test_answers_are_counted_as_answers() -> None:
    with bar(CountBar) as shown:
        shown.stage("asking", 4)
        shown.advance(1)
        assert "1/4" in line(shown)


class Heard:
    """A `Progress` that keeps what it hears."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.told: list[str] = []

    def stage(self, text: str, total: int = 0, /) -> None:
        self.stages.append(f"{text}{total or ''}")

    def advance(self, done: int, /) -> None:
        pass

    def tell(self, text: str, /) -> None:
        self.told.append(text)


@pytest.mark.parametrize(("built", "took", "said"), [(True, 9, False), (False, 9, True), (False, 1, False)])
def test_a_first_run_says_that_it_compiles_and_for_how_long(
    built: bool, took: int, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, float(took)])
    monkeypatch.setattr(preparing.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(preparing, "compile_kernel", lambda: None)
    monkeypatch.setattr(preparing, "native", lambda: object() if built else None)
    heard = Heard()
    preparing.prepare_kernels(heard)
    assert ("compiles" in heard.stages[0]) is not built
    assert any("took 9 s" in text for text in heard.told) is said


def test_one_of_several_says_its_place_and_one_alone_does_not() -> None:
    assert numbered("control sibling", 2, 5) == "control sibling (2 of 5)"
    assert numbered("control sibling", 1, 1) == "control sibling"
