"""Foreign files that lie, in small: the corpus of the fuzzer and some hundred mutations of valid files a reader.

Only errors of `modelprov.errors` come out, soon. The search itself is `make fuzz` (benchmarks/fuzz).
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fuzz.keeping import CORPUS, corpus
from benchmarks.fuzz.mutating import mutated
from benchmarks.fuzz.readers import READERS
from benchmarks.fuzz.trying import trial
from modelprov.errors import ModelprovError

EACH = 60


@pytest.mark.filterwarnings("ignore:torch.quantize")
@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_its_corpus_and_its_lies_or_says_why_not(name: str, tmp_path: Path) -> None:
    reader, rng = READERS[name], random.Random(20261128)
    reader.prepare(tmp_path)
    known = corpus(name)
    for content in [*known, *(mutated(reader.form, rng.choice(known), rng.getrandbits(32)) for _ in range(EACH))]:
        fault = trial(reader, tmp_path, content)
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
        fault = trial(replace(READERS["recipe"], read=read), tmp_path, b"")
        assert fault is not None
        assert fault.kind.startswith(kind)
