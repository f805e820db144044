"""Parts of a pass: every tensor in one of them, the whole from any of them, and sums that are kept as a run goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.plan import plan_pass
from modelprov.errors import InterruptedRunError, InvalidSumsError, OtherRunError, UnreadableFileError
from modelprov.forensics.sums import sums_file
from modelprov.forensics.sums.kernels.cpu import processor
from modelprov.forensics.sums.kernels.interface import RecipePlan
from modelprov.forensics.sums.ledger import Ledger
from modelprov.forensics.sums.moments import Moments
from modelprov.forensics.sums.partial import Int64, Part, Partial, Pass, joined
from modelprov.forensics.sums.sums_file import Sums, read_sums, sums_bytes
from modelprov.forensics.sums.sweep import Complete, block_bytes, piece_bytes, sweep, threads_within
from tests.memory import checkpoint

PROCESSOR = processor()


@cache
def work() -> Pass:
    """Five tensors of two models, of very different sizes."""
    draw = np.random.default_rng(3)
    shapes = {"a": (300, 200), "b": (16, 16), "c": (70, 1000), "d": (8,), "e": (64, 64)}
    models = [
        checkpoint(name, {key: (draw.standard_normal(shape, np.float32), DType.F32) for key, shape in shapes.items()})
        for name in ("rio", "qwen")
    ]
    alignment = align(models)
    return Pass("rio", alignment, RecipePlan.none(1, len(alignment.tensors)), None, 32 << 10, "sampled")


class Reading:
    """Reads tensors as a run does, and notes which; stops as if by Ctrl-C after so many blocks."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.read: list[int] = []
        self.stop_after = stop_after

    def __call__(self, only: Int64, total: Moments, on_sums: Complete) -> object:
        plan = plan_pass(work().alignment, 32 << 10, work().piece, only)
        done = 0

        def counted(so_far: Moments, first: int | np.integer) -> None:
            nonlocal done
            on_sums(so_far, first)
            done += 1
            if done == self.stop_after:
                raise InterruptedRunError("stopped")

        self.read += only.tolist()
        checkpoints, recipes = work().alignment.checkpoints, work().recipes
        return sweep(
            checkpoints, plan, len(total.sums), recipes, PROCESSOR, threads=1, total=total, on_sums=counted
        )  # fmt: skip


def same_bits(a: Moments, b: Moments) -> bool:
    return np.array_equal(a.counts, b.counts) and np.array_equal(a.sums.view(np.int64), b.sums.view(np.int64))


@cache
def whole() -> Moments:
    return Ledger().sums(work(), Reading())


@given(sizes=st.lists(st.integers(1, 1 << 40), min_size=1, max_size=60), of=st.integers(1, 90))
def test_every_tensor_is_in_one_part_and_parts_are_as_even_as_tensors_allow(sizes: list[int], of: int) -> None:
    held = np.array(sizes, np.int64)
    parts = [Part(number, of).tensors(held) for number in range(1, of + 1)]
    assert np.array_equal(np.concatenate(parts), np.arange(len(sizes)))
    most = max(int(held[part].sum()) for part in parts)
    assert most <= sum(sizes) / of + max(sizes)


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_parts_join_to_the_bits_of_the_whole(of: int) -> None:
    parts = []
    for number in range(of, 0, -1):
        ledger = Ledger(part=Part(number, of))
        ledger.sums(work(), Reading())
        parts += ledger.share()
    together = joined(parts)
    assert together.complete
    assert same_bits(together.moments, whole())
    reading = Reading()
    assert same_bits(Ledger([together]).sums(work(), reading), whole())
    assert reading.read == []


@pytest.mark.parametrize("stop_after", [1, 4, 9, 12])
def test_a_stopped_run_goes_on_from_its_tensors_and_gives_the_same_bits(stop_after: int) -> None:
    kept: list[Sequence[Partial]] = []
    first = Ledger(where="here", save=kept.append)
    with pytest.raises(InterruptedRunError) as stopped:
        first.sums(work(), Reading(stop_after))
    assert "goes on from here" in stopped.value.advice
    reading = Reading()
    assert same_bits(Ledger(kept[-1], save=kept.append).sums(work(), reading), whole())
    assert sorted([*kept[1][0].tensors.tolist(), *reading.read]) == list(range(5))
    assert kept[-1][0].complete


def test_sums_are_kept_about_as_often_as_asked() -> None:
    often, seldom = [], []  # type: ignore[var-annotated]
    Ledger(save=often.append, every=0.0).sums(work(), Reading())
    Ledger(save=seldom.append, every=1e9).sums(work(), Reading())
    assert len(often) > 5
    assert len(seldom) == 2
    assert [len(state[0].tensors) for state in often] == sorted(len(state[0].tensors) for state in often)


def test_a_place_that_cannot_be_written_to_is_found_out_first_and_stops_nothing_later() -> None:
    said: list[int] = []

    def full_after(saves: int) -> Callable[[Sequence[Partial]], None]:
        def save(_: Sequence[Partial]) -> None:
            said.append(1)
            if len(said) > saves:
                raise UnreadableFileError("the disk is full")

        return save

    with pytest.raises(UnreadableFileError):
        Ledger(save=full_after(0)).sums(work(), Reading())
    said.clear()
    assert same_bits(Ledger(save=full_after(1), every=0.0).sums(work(), Reading()), whole())
    assert len(said) > 3
    said.clear()
    with pytest.raises(UnreadableFileError):
        Ledger(save=full_after(1)).sums(work(), Reading(4))


def test_without_a_place_to_keep_them_a_stopped_run_says_what_it_always_said() -> None:
    with pytest.raises(InterruptedRunError) as stopped:
        Ledger().sums(work(), Reading(1))
    assert stopped.value.advice == ""


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (replace(work(), piece=64 << 10), "another run"),
        (replace(work(), sampled="something else"), "another run"),
        (replace(work(), precision=np.zeros(5, np.int64)), "another run"),
        (replace(work(), alignment=align(work().alignment.checkpoints[::-1])), "another run"),
    ],
    ids=["other cuts", "another sample", "another precision", "other roles"],
)
def test_sums_of_another_pass_are_refused(other: Pass, says: str) -> None:
    ledger = Ledger()
    ledger.sums(work(), Reading())
    with pytest.raises(OtherRunError, match=says):
        Ledger(ledger.passes).sums(other, Reading())


def test_two_ways_of_looking_at_one_model_are_two_passes_also_when_the_run_goes_on() -> None:
    other = replace(work(), piece=64 << 10)
    kept: list[Sequence[Partial]] = []
    first = Ledger(save=kept.append)
    sums = first.sums(work(), Reading()), first.sums(other, Reading())
    reading, again = Reading(), Ledger(kept[-1])
    assert all(same_bits(again.sums(each, reading), known) for each, known in zip((work(), other), sums, strict=True))
    assert reading.read == []
    assert [each.name for each in again.passes] == ["rio", "rio, again"]


def test_sums_of_a_model_that_changed_are_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(versions=True)
    ledger.sums(work(), Reading())
    changed = work().alignment.checkpoints[1]
    monkeypatch.setattr(type(changed.source), "versions", lambda self: ("later",) if self is changed.source else ())
    with pytest.raises(OtherRunError, match="qwen has changed"):
        Ledger(ledger.passes, versions=True).sums(replace(work()), Reading())


@pytest.mark.parametrize("memory", [1, 1 << 20, 30 << 20, 512 << 20, 1 << 40])
@pytest.mark.parametrize("checkpoints", [2, 3, 9])
def test_segments_depend_on_no_number_of_threads_and_blocks_hold_them(memory: int, checkpoints: int) -> None:
    piece = piece_bytes(memory, checkpoints)
    for threads in (1, 2, 16, 256):
        within = threads_within(memory, threads, checkpoints)
        assert 1 <= within <= threads
        assert block_bytes(memory, within, checkpoints, PROCESSOR) >= piece
        assert within == 1 or within * checkpoints * 2 * piece <= memory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    ledger = Ledger(part=Part(1, 2))
    ledger.sums(work(), Reading())
    path = tmp_path / "part1.mpsums"
    path.write_bytes(sums_bytes(Sums(ledger.share(), "a processor", Part(1, 2), {"seed": 3})))
    return path


def test_a_file_of_sums_holds_what_was_written(file: Path) -> None:
    found = read_sums(file)
    assert (found.device, found.part, found.asked) == ("a processor", Part(1, 2), {"seed": 3})
    (held,) = found.passes
    assert (held.name, held.key, held.total, held.read) == ("rio", work().key, 5, work().read(versions=False))
    assert 0 < len(held.tensors) < 5
    assert same_bits(held.moments, whole()[held.tensors])


def test_a_file_that_was_cut_short_or_changed_is_refused_wherever(file: Path) -> None:
    content = file.read_bytes()
    for size in (0, 7, 100, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:size])
        with pytest.raises(InvalidSumsError, match=r"part1\.mpsums is no file of sums"):
            read_sums(file)
    for at in (12, 60, len(content) // 2, len(content) - 3):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(InvalidSumsError):
            read_sums(file)


@pytest.mark.parametrize(
    ("what", "value", "says"), [("VERSION", 2, "not of version 1"), ("__version__", "0.0.9", "another version")]
)
def test_a_file_of_another_version_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, what: str, value: object, says: str
) -> None:
    found = read_sums(file)
    with monkeypatch.context() as then:
        then.setattr(sums_file, what, value)
        file.write_bytes(sums_bytes(found))
    with pytest.raises(InvalidSumsError, match=says):
        read_sums(file)


def test_sums_that_no_run_makes_are_refused_though_their_digest_is_right(file: Path) -> None:
    found = read_sums(file)
    (held,) = found.passes
    n, counts, sums = held.moments.n, held.moments.counts, held.moments.sums
    for wrong in (
        replace(held, tensors=held.tensors[::-1]),
        replace(held, total=1),
        replace(held, moments=Moments(n, counts - 1_000_000, sums)),
        replace(held, moments=Moments(n + 1, counts, sums)),
        replace(held, moments=Moments(n, counts[:-1], sums)),
    ):
        file.write_bytes(sums_bytes(replace(found, passes=[wrong])))
        with pytest.raises(InvalidSumsError):
            read_sums(file)


def test_weights_are_no_file_of_sums(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not at all")
    with pytest.raises(InvalidSumsError):
        read_sums(tmp_path / "x")
