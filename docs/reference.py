"""Writes the reference in docs/python.md from the docstrings of the public names: `python docs/reference.py`."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path

import modelprov

PAGE = Path(__file__).with_name("python.md")
BEGIN, END = "<!-- reference: written by docs/reference.py -->\n", "<!-- end of the reference -->\n"
ORDER = (
    "compare", "compare_part", "add", "inspect", "open", "fingerprint", "identify", "atlas", "verify", "merge", "check",
    "recheck", "attest", "probe", "evaluate",
)  # fmt: skip
SECTIONS = re.compile(r"^(Args|Returns|Raises|Example):\n", re.MULTILINE)
ENTRY = re.compile(r"^(\*?\w+): ")
WIDTH = 110


def signature(name: str) -> str:
    """The call with its defaults, without types."""
    parameters = inspect.signature(getattr(modelprov, name)).parameters.values()
    words, named = [], False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not named:
            if not any(word.startswith("*") for word in words):
                words.append("*")
            named = True
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        if parameter.name == "progress":
            words.append("progress=SILENT")
        elif parameter.default is parameter.empty:
            words.append(star + parameter.name)
        else:
            words.append(f"{parameter.name}={parameter.default!r}")
    indent = " " * (len(f"modelprov.{name}") + 1)
    return textwrap.fill(f"modelprov.{name}({', '.join(words)})", WIDTH, subsequent_indent=indent)


def entries(text: str) -> list[tuple[str, str]]:
    """`name: text` entries, their lines joined."""
    found: list[tuple[str, str]] = []
    for line in textwrap.dedent(text).splitlines():
        begun = ENTRY.match(line)
        if begun:
            found.append((begun[1], line[begun.end() :]))
        elif line.strip():
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
    return found


def described(name: str) -> str:
    """One public name as Markdown."""
    about, *rest = SECTIONS.split(inspect.getdoc(getattr(modelprov, name)) or "")
    part = dict(zip(rest[::2], rest[1::2], strict=True))
    rows = "\n".join(
        f"| `{argument}` | {says.replace('|', chr(92) + '|')} |" for argument, says in entries(part["Args"])
    )
    errors = "\n".join(f"- `{error}`: {says}" for error, says in entries(part["Raises"]))
    return "\n\n".join([
        f"### {name}",
        f"```text\n{signature(name)}\n```",
        about.strip(),
        f"| Argument | |\n| :--- | :--- |\n{rows}",
        "**Gives** " + " ".join(part["Returns"].split()),
        f"**Raises**\n\n{errors}",
        f"```python\n{textwrap.dedent(part['Example']).strip()}\n```",
    ])  # fmt: skip


def reference() -> str:
    """Every public name."""
    return "\n\n".join(map(described, ORDER)) + "\n"


def main() -> None:
    """Write the reference anew; what is around it stays."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{reference()}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
