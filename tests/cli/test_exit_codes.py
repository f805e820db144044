"""0 nothing found, 1 findings, 2 bad usage or input, 3 could not judge; and never 0 without evidence."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from modelprov.called import parse_size
from modelprov.cli.compared import exit_code
from modelprov.errors import UsageError
from modelprov.forensics.results import VerdictClass
from tests.cli.conftest import MAIN, Command, program
from tests.factories import write_checkpoint


def test_the_help_says_what_the_exit_codes_mean(modelprov: Command) -> None:
    said = modelprov("--help")
    assert said.code == 0
    text = " ".join(said.out.split())
    for words in ("0 nothing found", "1 findings", "2 bad usage or input", "3 could not judge"):
        assert words in text
    for command in ("compare", "inspect", "demo"):
        assert command in text
        assert modelprov(command, "--help").code == 0
    assert modelprov("--version").out.startswith("modelprov ")


@pytest.mark.parametrize(
    ("arguments", "verdict", "code"),
    [
        (("nex", "qwen"), "Same origin", 0),
        (("stranger", "nex", "qwen"), "Unrelated", 0),
        (("rio", "nex", "qwen"), "Merge", 1),
        (("rio-trained", "nex", "qwen"), "On a line", 3),
    ],
)
def test_a_verdict_has_its_exit_code(compare: Command, arguments: tuple[str, ...], verdict: str, code: int) -> None:
    said = compare(*arguments)
    assert said.code == code
    assert f"{verdict}: {arguments[0]}".lower() in said.out.lower()
    assert said.err == "The whole report: --html FILE or --json FILE writes it, --tables shows it here.\n"


def test_a_copy_is_a_finding(compare: Command, models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "nex", tmp_path / "mine")
    assert compare(tmp_path / "mine", "nex", "qwen").code == 1
    assert compare(tmp_path / "mine", "nex").code == 1


def test_every_class_of_verdict_has_a_code_and_only_evidence_gives_0_or_1() -> None:
    assert {str(one): exit_code(one) for one in VerdictClass} == {
        "copy": 1, "merge": 1, "on-line": 3, "same-origin": 0, "other-coordinates": 3,
        "unrelated": 0, "inconclusive": 3,
    }  # fmt: skip


def test_nothing_in_common_could_not_be_judged(compare: Command, tmp_path: Path) -> None:
    other = write_checkpoint(tmp_path / "other", {"layers.0.odd.weight": (np.ones((20, 30)), "BF16")})
    said = compare(other, "nex", "qwen", "--json", "report.json")
    assert said.code == 3
    assert said.err.startswith("error: no tensor has the same name and shape")
    assert not (tmp_path / "report.json").exists()


def test_weights_that_are_all_nan_could_not_be_judged(compare: Command, tmp_path: Path) -> None:
    name = "model.layers.0.self_attn.q_proj.weight"
    rng = np.random.default_rng(0)
    for folder, values in (
        ("s", np.full((64, 64), np.nan)),
        ("p", rng.normal(size=(64, 64))),
        ("r", np.ones((64, 64))),
    ):
        write_checkpoint(tmp_path / folder, {name: (values, "BF16")})
    assert compare("s", "p", "r").code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("rio",),
        ("rio", "rio"),
        ("rio", "nex", "nex"),
        ("rio", "no/such/folder"),
        ("rio", "nobody/nothing-of-this-name"),
        ("rio", "nex", "--device", "tpu"),
        ("rio", "nex", "--memory", "0"),
        ("rio", "nex", "--memory", "-1"),
        ("rio", "nex", "--memory", "lots"),
        ("rio", "nex", "--sample-size", "1.2.3M"),
        ("rio", "nex", "--threads", "0"),
        ("rio", "nex", "--threads", "two"),
        ("rio", "nex", "--seed", "-1"),
        ("rio", "nex", "--reading", "telepathy"),
        ("rio", "nex", "--no-such-option"),
        ("rio", "nex", "qwen", "--reference", "rio"),
        ("rio", "nex", "qwen", "--control", "rio"),
        ("rio", "nex", "qwen", "--control", "qwen"),
        ("rio", "nex", "qwen", "--control", "sibling", "--control", "sibling"),
        ("rio", "nex", "--json", "no/such/folder/report.json"),
        ("rio", "nex", "--html", "/"),
        ("rio", "nex", "--json", "-", "--markdown", "-"),
        ("rio", "nex", "--json", "same", "--html", "./same"),
        ("rio", "nex", "--json", "mine.safetensors"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_refused_before_anything_is_read(
    compare: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr("modelprov.forensics.compare.compare", never)
    said = compare(*(one for one in arguments))
    assert said.code == 2
    assert said.out == ""
    assert "rror" in said.err
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_the_same_checkpoint_by_another_path_is_still_the_same(compare: Command, models: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(models / "rio")
    for twice in (f"{models}/rio/", f"{models}/nex/../rio", "link"):
        said = compare("rio", twice, "qwen")
        assert (said.code, "given twice" in said.err) == (2, True)


def test_cuda_without_a_gpu_is_bad_usage(modelprov: Command, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = modelprov("compare", models / "rio", models / "nex", "--device", "cuda")
    assert said.code == 2
    assert "GPU" in said.err
    assert "--device cpu" in said.err


def test_a_fault_of_the_program_is_not_a_finding(
    compare: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("modelprov.forensics.passes.align", broken)
    said = compare("rio", "nex", "qwen", "--json", "report.json")
    assert said.code == 3
    assert "ZeroDivisionError: a bug" in said.err
    assert "error: this is a fault of modelprov" in said.err
    assert not list(tmp_path.iterdir())


def test_too_little_memory_is_an_error_in_words(compare: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object, **__: object) -> None:
        raise MemoryError("cannot allocate 9 TiB")

    monkeypatch.setattr("modelprov.forensics.passes.sweep", greedy)
    said = compare("nex", "qwen")
    assert said.code == 2
    assert "cannot allocate 9 TiB" in said.err
    assert "--memory" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("4096", 4096),
        ("512M", 512 << 20),
        ("2g", 2 << 30),
        ("1.5K", 1536),
        ("1 GiB", 1 << 30),
        ("3TB", 3 << 40),
    ],
)
def test_sizes_are_read_as_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text, "--memory") == size


@pytest.mark.parametrize("text", ["", "M", "0", "0.1", "-5M", "1e9", "12X", "nan", "½G"])
def test_what_is_no_size_is_refused_with_the_options_name(text: str) -> None:
    with pytest.raises(UsageError, match="--memory"):
        parse_size(text, "--memory")


def test_sizes_beyond_any_machine_are_no_trouble(compare: Command) -> None:
    assert compare("nex", "qwen", "--memory", f"{'9' * 30}T", "--threads", "1000").code == 0


def test_a_reader_that_goes_away_ends_the_run_without_a_verdict_or_a_message(models: Path, tmp_path: Path) -> None:
    """As in `modelprov compare ... | head`; what goes to files is written before."""
    running = program(
        MAIN, "compare", models / "rio", models / "nex", models / "qwen", "--device", "cpu",
        "--json", "-", "--markdown", tmp_path / "r.md",
    )  # fmt: skip
    assert running.stdout is not None
    running.stdout.close()
    assert running.wait(60) not in (0, 1, 2, 3)
    assert running.stderr is not None
    assert running.stderr.read() == ""
    assert (tmp_path / "r.md").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_standard_output_that_is_full_is_an_error_in_words(models: Path) -> None:
    with Path("/dev/full").open("w") as full:
        running = program(MAIN, "compare", models / "nex", models / "qwen", "--device", "cpu", stdout=full.fileno())
        _, err = running.communicate(timeout=60)
    assert running.returncode == 2
    assert err.startswith("error: the system refused to read or write")
    assert "No space left on device" in err
    assert "Traceback" not in err


def test_the_module_and_the_script_are_the_same_command() -> None:
    import sys

    script = subprocess.run([sys.executable, "-m", "modelprov.cli.main", "--version"], capture_output=True, check=True)
    assert script.stdout.startswith(b"modelprov ")
