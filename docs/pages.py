"""The pages of the site, made of the repository's texts: long ones in parts, links as they lead there. Renders nothing.

Texts stay as they are read in the repository. On the site no page takes more than ten minutes: a longer text becomes a
page for each of its sections. A link to a file that is no page leads into the repository, where its address is known
(`MODELPROV_REPOSITORY`), and is plain text elsewhere: no link leads nowhere.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_WORDS = 2000
"""Ten minutes' reading, at 200 words a minute."""
FENCE = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
OUTSIDE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}
"""Texts beside the folder of documents, and the pages that they become."""
NOTEBOOK, CASE = "notebooks/rio_case_study.ipynb", "case-study.md"


@dataclass(frozen=True)
class Part:
    """A page: its file below docs, its title, its text."""

    file: str
    title: str
    text: str


def words(text: str) -> int:
    """Words that are read one after another: code and tables are looked at."""
    return len(re.sub(r"^\|.*$", "", FENCE.sub("", text), flags=re.MULTILINE).split())


def anchor(heading: str) -> str:
    """The anchor of a heading, as the repository's host makes it."""
    plain = re.sub(r"[^\w\- ]", "", LINK.sub(r"\2", heading).lower())
    return plain.strip().replace(" ", "-")


def headings(text: str) -> list[tuple[int, int, str]]:
    """Place, level and words of each heading outside code."""
    code = [found.span() for found in FENCE.finditer(text)]
    return [
        (found.start(), len(found[1]), found[2])
        for found in HEADING.finditer(text)
        if not any(begin <= found.start() < end for begin, end in code)
    ]


def split(file: str, text: str) -> tuple[Part, ...]:
    """The text as one page, or where that is long as one for its beginning and one for each section."""
    found = headings(text)
    title = next((said for _, level, said in found if level == 1), file)
    if words(text) <= MOST_WORDS:
        return (Part(file, title, text),)
    starts = [(place, said) for place, level, said in found if level == 2]
    ends = [place for place, _ in starts[1:]] + [len(text)]
    stem = file.removesuffix(".md")
    rest = tuple(
        Part(f"{stem}/{anchor(said)}.md", said, _raised(text[begin:end]))
        for (begin, said), end in zip(starts, ends, strict=True)
    )
    begins = text[: starts[0][0]]
    contents = "" if "](#" in begins else "\n".join(f"- [{said}](#{anchor(said)})" for _, said in starts)
    return (Part(file, title, f"{begins}\n{contents}\n"), *rest)


def _raised(text: str) -> str:
    """A section as a page of its own: every heading a level higher."""
    pieces, last = [], 0
    for place, _, _ in headings(text):
        pieces.append(text[last:place])
        last = place + 1
    return "".join((*pieces, text[last:]))


def case_study(notebook: str) -> str:
    """A notebook as a text: what is said, the code, and what it printed; pictures stay in the notebook."""
    return "\n\n".join(_cells(json.loads(notebook)["cells"])) + "\n"


def _cells(cells: list[dict[str, object]]) -> Iterator[str]:
    for cell in cells:
        source = "".join(map(str, cell["source"] if isinstance(cell["source"], list) else [cell["source"]]))
        yield source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```"
        outputs = cell.get("outputs", [])
        for output in outputs if isinstance(outputs, list) else []:
            data = output.get("data", {})
            if "text/markdown" in data:
                yield "".join(data["text/markdown"])
            elif "image/png" in data:
                yield f"![The plot of the cell above](data:image/png;base64,{''.join(data['image/png']).strip()})"
            elif output.get("text"):
                yield f"```text\n{''.join(output['text']).rstrip()}\n```"


def sources() -> dict[str, tuple[str, str]]:
    """Every text of the site: its file below docs, the place in the repository that its links begin at, the text."""
    documents = ROOT / "docs"
    found = {
        (file := path.relative_to(documents).as_posix()): (f"docs/{file}", path.read_text(encoding="utf-8"))
        for path in sorted(documents.rglob("*.md"))
    }
    for outside, page in OUTSIDE.items():
        found[page] = (outside, (ROOT / outside).read_text(encoding="utf-8"))
    found[CASE] = (NOTEBOOK, case_study((ROOT / NOTEBOOK).read_text(encoding="utf-8")))
    return found


def site(repository: str | None = None) -> dict[str, tuple[Part, ...]]:
    """Every page of the site by the text that it is of; links lead to pages, or into the repository at its address."""
    texts = sources()
    parts = {file: split(file, text) for file, (_, text) in texts.items()}
    pages = {origin: file for file, (origin, _) in texts.items()}
    homes = {
        (file, anchor(said)): part.file
        for file, several in parts.items()
        for part in several
        for _, _, said in headings(part.text)
    }

    def led(file: str) -> Callable[[Part], Part]:
        origin = texts[file][0]
        return lambda part: Part(part.file, part.title, _linked(part, origin, pages, homes, repository))

    return {file: tuple(map(led(file), several)) for file, several in parts.items()}


def for_index(readme: str, repository: str | None) -> str:
    """The README as a package index shows it, with none of the files that it links beside it."""
    return _linked(Part("README.md", "", readme), "README.md", {}, {}, repository, documents="")


def _linked(
    part: Part, origin: str, pages: Mapping[str, str], homes: Mapping[tuple[str, str], str], repository: str | None,
    documents: str = "docs/",
) -> str:  # fmt: skip
    """The text of a page whose links begin where the page lies; `origin` is where the text lies in the repository.

    Files below `documents`, if anywhere, lie beside the pages.
    """

    def lead(found: re.Match[str]) -> str:
        picture, says, target = found.groups()
        if re.match(r"[a-z]+:", target) or (picture and target.startswith("data:")):
            return found[0]
        path, _, place = target.partition("#")
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path)) if path else origin
        page = pages.get(inside)
        beside = bool(documents) and inside.startswith(documents)
        if page is None and not beside:
            kind, rest = "raw" if picture else "blob", f"{inside}{'#' + place if place else ''}"
            return f"{picture}[{says}]({repository.rstrip('/')}/{kind}/HEAD/{rest})" if repository else says
        target_file = homes.get((page, place), page) if page is not None else inside.removeprefix(documents)
        there = posixpath.relpath(target_file, posixpath.dirname(part.file) or ".")
        return f"{picture}[{says}]({there}{'#' + place if place else ''})"

    code = [found.span() for found in FENCE.finditer(part.text)]
    pieces, last = [], 0
    for begin, end in code:
        pieces += [LINK.sub(lead, part.text[last:begin]), part.text[begin:end]]
        last = end
    return "".join((*pieces, LINK.sub(lead, part.text[last:])))
