"""What shells offer when TAB is pressed: asked as their scripts ask, and by bash itself where it is installed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelprov.jobs import library
from tests.cli.conftest import MAIN, Command

WORDS = {
    "compare --device c": ["cpu", "cuda"],
    "compare a b --device ": ["auto", "cpu", "cuda"],
    "compare --engine r": ["ray"],
    "compare 'my model' --format m": ["md"],
    "comp": ["compare"],
    "compare --save-al": ["--save-alignment"],
    "compare a --html ": [],
}
"""Begun lines, and what is offered; nothing, where the shell's own names of files are right."""


def asked(shell: str, line: str) -> dict[str, str]:
    """The environment in which a shell's script calls the program."""
    words = [*shlex.split(f"modelprov {line}"), *([""] if line.endswith(" ") else [])]
    if shell == "bash":
        return {
            "COMP_WORDS": "\n".join(map(shlex.quote, words[:-1])) + f"\n{words[-1]}",
            "COMP_CWORD": str(len(words) - 1),
        }
    return {"_TYPER_COMPLETE_ARGS": f"modelprov {line}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_values_are_offered_to_every_shell(shell: str, modelprov: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_MODELPROV_COMPLETE", f"complete_{shell}")
    for line, expected in WORDS.items():
        with monkeypatch.context() as then:
            for name, value in asked(shell, line).items():
                then.setenv(name, value)
            said = modelprov()
        offered = [each.split("\t")[0] for each in said.out.split("\n") if each]
        if shell == "zsh":
            assert all(f'"{each}"' in said.out for each in expected), line
        else:
            assert offered == expected, line
        assert (said.code, said.err) == (0, "")


def test_fish_is_told_where_its_own_names_of_files_are_right(
    modelprov: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_MODELPROV_COMPLETE", "complete_fish")
    for line, code in (("compare a --html ", 1), ("compare --device ", 0)):
        for name, value in {**asked("fish", line), "_TYPER_COMPLETE_FISH_ACTION": "is-args"}.items():
            monkeypatch.setenv(name, value)
        assert modelprov().code == code


def test_names_in_the_library_are_offered(
    modelprov: Command, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.add(models / "nex", tmp_path / "known")
    monkeypatch.setenv("_MODELPROV_COMPLETE", "complete_bash")
    for folder, offered in ((tmp_path / "known", "nex\n"), (tmp_path / "none", "\n")):
        for name, value in asked("bash", f"identify a --library {folder} --leave-out ").items():
            monkeypatch.setenv(name, value)
        assert modelprov().out == offered


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_itself_offers_values_after_an_equals_sign_too(tmp_path: Path) -> None:
    """Its script, as `--install-completion` installs it, called as bash calls it."""
    command = tmp_path / "modelprov"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(MAIN)} "$@"\n')
    command.chmod(0o755)
    lines = {
        "compare --device = c": "cpu cuda", "compare --device =": "auto cpu cuda",
        "compare a --seed = 3 --device c": "cpu cuda",
        "compare a --html ''": "",
    }  # fmt: skip
    calls = [
        f"COMP_WORDS=(modelprov {line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _modelprov_completion modelprov; "
        'printf "%s\\n" "${COMPREPLY[*]}" | tr "\\n" " "; echo'
        for line in lines
    ]
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(['eval "$(_MODELPROV_COMPLETE=source_bash modelprov)"', *calls])],
        capture_output=True, text=True, check=True, env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert [line.strip() for line in done.stdout.splitlines()] == list(lines.values())
    assert done.stderr == ""
