"""What the steps of the demo share: the names of its files, and each step shown as the command to type."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

RIO = "rio"
WIDTH = 76


def show_command(console: Console, *words: object) -> str:
    """Print the command that does what comes next, and give it."""
    from rich.text import Text

    quoted = [shlex.quote(str(word)) for word in words]
    lines = ["$ modelprov"]
    for word in quoted:
        if len(lines[-1]) + len(word) < WIDTH:
            lines[-1] += f" {word}"
        else:
            lines[-1] += " \\"
            lines.append(f"    {word}")
    console.print("")
    for line in lines:
        console.print(Text(line, style="bold"), soft_wrap=True)
    return " ".join(["modelprov", *quoted])
