"""What `--help` says of every command: all of it, with the defaults that count; and the command as a module."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from modelprov.cli.app import COMMANDS, loaded
from tests.cli.conftest import Command

BORDER = re.compile(r"[│╭╮╰╯─]")


def commands() -> Iterator[tuple[tuple[str, ...], object]]:
    """Every command with its words."""

    def below(group: Mapping[str, object], words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
        for name, command in group.items():
            inner = getattr(command, "commands", None)
            yield from below(inner, (*words, name)) if inner else [((*words, name), command)]

    yield from below({name: loaded(name) for name in COMMANDS}, ())


EVERY = list(commands())


@pytest.mark.parametrize(("words", "command"), EVERY, ids=lambda one: " ".join(one) if isinstance(one, tuple) else "")
def test_help_shows_every_word_and_every_default(
    words: tuple[str, ...], command: object, modelprov: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("TERMINAL_WIDTH", "400")
    shown = " ".join(BORDER.sub(" ", modelprov(*words, "--help").out).split())
    for parameter in command.params:  # type: ignore[attr-defined]
        said = getattr(parameter, "help", None)
        if parameter.name == "help" or getattr(parameter, "hidden", False) or not said:
            continue
        assert " ".join(said.split()) in shown, parameter.name
        default, kind = parameter.default, getattr(parameter, "type_descriptor", None)
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert f"[default: {default}]" in shown, parameter.name
        elif default is None and getattr(kind, "annotation", None) in (int, float) and not parameter.multiple:
            assert "default:" in said, parameter.name


def test_a_flag_is_shown_without_a_value(modelprov: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    for words in ([], ["compare"], ["library", "add"]):
        assert not re.search("--(quiet|verbose|help|full|install-completion).*<", modelprov(*words, "--help").out)


@pytest.mark.parametrize("words", [words for words, _ in EVERY], ids=" ".join)
def test_no_line_of_help_ends_before_its_width_asks_for_it(
    words: tuple[str, ...], modelprov: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    lines = [line.strip() for line in modelprov(*words, "--help").out.split("╭", maxsplit=1)[0].splitlines()]
    for line, after in itertools.pairwise(lines):
        if line and after and not after.startswith(("modelprov ", "Example")):
            assert len(line) + 1 + len(after.split()[0]) > 77, f"{line!r} has room for {after!r}"


def test_the_list_says_of_every_command_what_its_own_help_begins_with() -> None:
    said = {name: loaded(name).help or "" for name in COMMANDS}
    assert {name: " ".join(text.split("\n\n")[0].split()) for name, text in said.items()} == COMMANDS


def test_an_unknown_command_is_refused_with_what_may_be_meant(modelprov: Command) -> None:
    found = modelprov("compar")
    assert (found.code, "Did you mean 'compare'?" in found.err) == (2, True)


@pytest.mark.parametrize("module", ["modelprov", "modelprov.cli.main"])
def test_the_command_runs_as_a_module_and_knows_its_commands(module: str, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for words, code, says in ((("--version",), 0, "modelprov"), (("inspect", "no-such-model"), 2, "nothing is at")):
        done = subprocess.run(
            [sys.executable, "-m", module, *words], capture_output=True, text=True, cwd=tmp_path, timeout=120,
            check=False, env={"PYTHONPATH": str(root), "PATH": ""},
        )  # fmt: skip
        assert done.returncode == code
        assert says in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_types_are_promised_to_those_who_import_the_package() -> None:
    """`py.typed` lies in the package, and the wheel takes the whole package (PEP 561)."""
    import tomllib

    root = Path(__file__).parents[2]
    assert (root / "modelprov" / "py.typed").is_file()
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["modelprov"]
    assert not {"exclude", "only-include", "include"} & set(wheel)
