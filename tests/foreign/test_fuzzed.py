"""Foreign files that lie, in small: the corpus of the fuzzer and some hundred mutations of valid files a reader.

Only errors of `modelprov.errors` come out, soon. The search itself is `make fuzz` (benchmarks/fuzz).
"""

from __future__ import annotations

import os
import pickle
import random
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fuzz import counting
from benchmarks.fuzz.forms import is_of
from benchmarks.fuzz.keeping import CORPUS, corpus
from benchmarks.fuzz.mutating import mutated
from benchmarks.fuzz.readers import READERS
from benchmarks.fuzz.trying import Outcome, trial
from modelprov.errors import ModelprovError

EACH = 60


@pytest.mark.filterwarnings("ignore:torch.quantize")
@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_its_corpus_and_its_lies_or_says_why_not(name: str, tmp_path: Path) -> None:
    reader, rng = READERS[name], random.Random(20261128)
    reader.ready(tmp_path)
    known = corpus(name)
    for content in [*known, *(mutated(reader.form, rng.choice(known), rng.getrandbits(32)) for _ in range(EACH))]:
        fault = trial(reader, tmp_path, content).fault
        assert fault is None, f"{fault.kind}\n{fault.told}\n{content[:500]!r}"


@pytest.mark.parametrize("name", READERS)
def test_a_reader_accepts_a_valid_file(name: str, tmp_path: Path) -> None:
    """Else its fuzzer would look at nothing but the first rule."""
    reader = READERS[name]
    reader.prepare(tmp_path)
    reader.put(tmp_path, reader.seeds()[0])
    reader.read(tmp_path)


def test_every_folder_of_the_corpus_has_its_reader() -> None:
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} <= READERS.keys()


def test_what_no_reader_may_do_is_a_fault(tmp_path: Path) -> None:
    def long(_: Path) -> None:
        raise ModelprovError("x" * 5_000)

    def broken(_: Path) -> None:
        raise KeyError("x")

    for read, kind in ((long, "ModelprovError: a message"), (broken, "KeyError at")):
        fault = trial(replace(READERS["recipe"], read=read), tmp_path, b"").fault
        assert fault is not None
        assert fault.kind.startswith(kind)


@pytest.mark.parametrize("name", READERS)
def test_a_seed_is_of_its_form_and_noise_is_not(name: str) -> None:
    form = READERS[name].form
    assert all(is_of(form, seed) for seed in READERS[name].seeds())
    assert not is_of(form, b"\x00\xffnoise{{")


def _reads(place: str) -> Callable[[Path], object]:
    return lambda folder: (folder / place).exists() or open(folder / place)


@pytest.mark.parametrize(
    "read",
    [
        lambda _: os.system("true"),
        lambda _: subprocess.run(["true"], check=False),
        lambda _: socket.socket().connect(("127.0.0.1", 9)),
        lambda _: pickle.loads(pickle.dumps(Path("x"))),
        lambda _: eval("1 + 1"),
        _reads("../elsewhere"),
        _reads("/etc/hostname-that-is-not-there"),
    ],
    ids=[
        "a program",
        "a child",
        "the network",
        "a pickle",
        "text run as Python",
        "a file above",
        "a file of the system",
    ],
)
def test_a_reader_that_leaves_its_folder_or_runs_something_is_found(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    fault = trial(replace(READERS["recipe"], read=read), tmp_path, b"").fault
    assert fault is not None
    assert fault.kind.startswith("ForbiddenError")


def test_an_input_counts_once_whichever_run_tried_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "OUT", tmp_path)
    monkeypatch.setattr(counting, "RUNS", tmp_path / "runs.jsonl")
    for seed, contents in ((1, (b"a: 1", b"a: 1", b"[")), (2, (b"a: 1", b"b: 2"))):
        run = counting.Counting("recipe", "yaml", seed, guided=False)
        for content in contents:
            if mark := run.mark(content):
                run.note(mark, content, Outcome())
        run.close()
    assert [(run.inputs, run.again) for run in counting.runs("recipe")] == [(2, 1), (1, 1)]
    assert "| recipe | 3 |" in counting.table()
