"""Reads of weights that fail in C, where nothing of Python sees them: words or the same sums, and a run that goes on.

Here at few reads; `make faults` takes more (see `test_every_writer`).
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

from modelprov.demo.family import TINY, members
from modelprov.demo.writing import as_stored, fill_checkpoint
from tests.cli.conftest import KEPT, MAIN, program
from tests.faults import below
from tests.faults.below import RESUMING
from tests.faults.injecting import FINE, SAID, End, in_a_fork
from tests.faults.test_every_writer import EVERY, met

HARMLESS = ("refused, once", "ended, once", "interrupted", "short", "late")
"""What Python reads once more, or C itself."""
LASTING = {
    "refused, from then on": r"^cannot read .*\.safetensors: Input/output error$",
    "ended, from then on": "before the end of a block; it changed while being read",
    "cut short": r"became shorter|before the end of a block|changed",
}
"""What no reading overcomes, and the words of it."""
TRIED = RESUMING if EVERY else ("part",)


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return below.library(tmp_path_factory.mktemp("reads"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The family, each model in one shard: C reads blocks that lie in one."""
    folder = tmp_path_factory.mktemp("models")
    for name, weights in members(7, TINY):
        if name in ("qwen", "nex", "rio"):
            kept = {tensor: value for tensor, value in weights.items() if any(part in tensor for part in KEPT)}
            fill_checkpoint(folder / name, as_stored(kept), {"architectures": ["Qwen3_5MoeForCausalLM"]}, 1)
    return folder


@pytest.fixture(scope="module")
def reads_of(reads: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], int]:
    """How many reads in C a job makes."""

    @cache
    def of(name: str) -> int:
        out = tmp_path_factory.mktemp("counted")
        (out / "0").mkdir()
        return below.ends(reads, name, "none", models, out, [0])[0].calls

    return of


Meet = Callable[[str, str], dict[int, End]]


@pytest.fixture
def meet(
    reads: Path, models: Path, tmp_path: Path, reads_of: Callable[[str], int],
    record_testsuite_property: Callable[[str, object], None],
) -> Meet:  # fmt: skip
    """How a job ended at the reads that are tried, each in a folder by its number; one that is behind them all too."""

    def at_each(name: str, fault: str) -> dict[int, End]:
        calls = reads_of(name)
        assert calls > 4, "nothing is read in C"
        at = sorted({*met(calls), calls + 1})
        record_testsuite_property(f"{name}, {fault}: reads in C, and met", f"{calls}, {len(at)}")
        for number in at:
            (tmp_path / str(number)).mkdir()
            if fault == "cut short":
                shutil.copytree(models, tmp_path / str(number) / "models")
        return dict(zip(at, below.ends(reads, name, fault, models, tmp_path, at), strict=True))

    return at_each


@pytest.fixture(scope="module")
def expected(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], object]:
    """What a job makes without a fault."""

    @cache
    def of(name: str) -> object:
        out = tmp_path_factory.mktemp(name)
        assert in_a_fork(partial(RESUMING[name].run, models, out)).code == FINE
        return RESUMING[name].made(out)

    return of


@pytest.mark.parametrize("fault", HARMLESS)
@pytest.mark.parametrize("name", TRIED)
def test_a_read_that_fails_once_or_brings_less_or_is_late_changes_nothing(
    name: str, fault: str, meet: Meet, tmp_path: Path, expected: Callable[[str], object]
) -> None:
    whole = expected(name)
    for at, end in meet(name, fault).items():
        assert end.code == FINE, end.told
        assert RESUMING[name].made(tmp_path / str(at)) == whole


@pytest.mark.parametrize("fault", LASTING)
@pytest.mark.parametrize("name", TRIED)
def test_weights_that_cannot_be_read_any_longer_are_said_in_words_and_the_next_run_goes_on(
    name: str, fault: str, models: Path, meet: Meet, tmp_path: Path, expected: Callable[[str], object]
) -> None:
    whole, found = expected(name), meet(name, fault)
    for at, end in found.items():
        out = tmp_path / str(at)
        if at == max(found):
            assert end.code == FINE, end.told
            continue
        assert end.code == SAID, end.told
        assert re.search(LASTING[fault], end.told), end.told
        assert RESUMING[name].made(out) is None
        if fault == "cut short":
            (out / "state").unlink(missing_ok=True)  # of weights that are no more
        again = in_a_fork(partial(RESUMING[name].run, models, out))
        assert again.code == FINE, again.told
        assert RESUMING[name].made(out) == whole


@pytest.mark.parametrize("name", TRIED)
def test_a_run_that_is_killed_while_c_reads_leaves_nothing_but_what_the_next_goes_on_from(
    name: str, models: Path, meet: Meet, tmp_path: Path, expected: Callable[[str], object]
) -> None:
    whole, found = expected(name), meet(name, "killed")
    for at, end in found.items():
        out = tmp_path / str(at)
        assert end.code == (FINE if at == max(found) else -signal.SIGKILL), end.told
        assert at == max(found) or {path.name for path in out.iterdir()} <= {"state", ".state.lock"}
        again = in_a_fork(partial(RESUMING[name].run, models, out))
        assert again.code == FINE, again.told
        assert RESUMING[name].made(out) == whole


def test_the_command_says_which_file_and_goes_on_when_the_disk_is_well(
    reads: Path, models: Path, tmp_path: Path
) -> None:
    asked = (
        "compare", models / "rio", models / "nex", models / "qwen", "--device", "cpu", "--resume", tmp_path / "state",
        "--json", tmp_path / "report.json", "--quiet",
    )  # fmt: skip

    def run(**settings: str) -> tuple[int, str]:
        process: subprocess.Popen[str] = program(MAIN, *asked, **settings)
        return process.wait(), process.communicate()[1]

    code, said = run(**below.preloaded(reads, "refused, from then on", 3))
    assert code == 2
    assert re.fullmatch(
        r"error: cannot read .*\.safetensors: Input/output error\n  → Check the disk and path\.\n", said
    )
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert run() == (1, "")
    assert (tmp_path / "report.json").exists()
