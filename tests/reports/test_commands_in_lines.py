"""Commands on a terminal: lines that fit, which a shell reads as the one command."""

from __future__ import annotations

import shlex

import pytest

from modelprov.reports.rendering.commands import folded

LONG = "modelprov compare './a b' " + " ".join(f"./parents/number-{number}" for number in range(9))


@pytest.mark.parametrize("command", ["modelprov demo", LONG, f'{LONG} --name "it\'s"', "modelprov " + "x" * 100])
def test_a_folded_command_fits_and_is_the_same_command(command: str) -> None:
    lines = folded(command, 74)
    assert all(len(line) <= 74 or " " not in line.strip(" \\") for line in lines)
    assert all(line.endswith(" \\") for line in lines[:-1])
    continued = "\n".join(lines).replace("\\\n", "")  # as a shell does
    assert shlex.split(continued) == shlex.split(command)


def test_what_is_no_line_of_a_shell_stays() -> None:
    assert folded("it's " + "x " * 60, 74) == ["it's " + "x " * 60]
