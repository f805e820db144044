"""The site of the documents: no page takes more than ten minutes, no link leads nowhere, nothing is left out."""

from __future__ import annotations

import importlib.util
import posixpath
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def loaded(name: str) -> ModuleType:
    """A file of docs, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


pages = loaded("pages")
SITE = {part.file: part for several in pages.site().values() for part in several}
REPOSITORY = "https://example.org/who/modelprov"


def plain(text: str) -> str:
    return re.sub(r"`[^`\n]+`", "", pages.FENCE.sub("", text))


@pytest.mark.parametrize("file", list(SITE))
def test_every_page_is_read_in_ten_minutes_and_its_links_lead_to_pages(file: str) -> None:
    part = SITE[file]
    assert pages.words(part.text) <= pages.MOST_WORDS, "split it, or give it sections to be split at"
    for _, _, target in pages.LINK.findall(plain(part.text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, place = target.partition("#")
        there = posixpath.normpath(posixpath.join(posixpath.dirname(file), path)) if path else file
        if place:
            anchors = {pages.anchor(said) for _, _, said in pages.headings(SITE[there].text)}
            assert place in anchors, f"{file} links to {target}"
        assert there in SITE or (ROOT / "docs" / there).is_file(), f"{file} links to {target}"


def test_a_long_text_is_a_page_for_each_section_and_loses_nothing() -> None:
    text = (
        "# T\n\n- [A](#a)\n\n## A\n\n"
        + "word " * 1500
        + "\n\n```sh\n## no heading\n```\n\n### Under\n\n## B c\n\n"
        + "x " * 900
    )
    first, *rest = pages.split("long.md", text)
    assert [part.file for part in (first, *rest)] == ["long.md", "long/a.md", "long/b-c.md"]
    assert rest[0].text.startswith("# A\n")
    assert "\n## Under\n" in rest[0].text
    assert "\n## no heading\n" in rest[0].text
    assert sum(pages.words(part.text) for part in (first, *rest)) == pages.words(text)
    assert len(pages.split("short.md", "# T\n\n## A\n\nfew words\n")) == 1


def test_links_out_of_the_documents_lead_into_the_repository_or_are_plain_text() -> None:
    def shown(repository: str | None) -> str:
        return "".join(part.text for several in pages.site(repository).values() for part in several)

    assert f"]({REPOSITORY}/blob/HEAD/benchmarks/lineage/README.md)" in shown(REPOSITORY)
    assert "benchmarks/lineage/README.md)" not in shown(None)


def test_an_index_shows_the_readme_with_links_that_resolve_or_none() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    with_address = pages.for_index(readme, REPOSITORY)
    targets = [target for _, _, target in pages.LINK.findall(plain(with_address))]
    assert targets
    assert all(target.startswith(f"{REPOSITORY}/") for target in targets)
    assert f"({REPOSITORY}/raw/HEAD/docs/images/report.png)" in with_address
    assert f"({REPOSITORY}/blob/HEAD/docs/compare.md#the-seven-verdicts)" in with_address
    assert not pages.LINK.findall(plain(pages.for_index(readme, None)))


def test_the_navigation_names_every_text() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1])

    def named(entry: object) -> list[str]:
        if isinstance(entry, list):
            return [name for each in entry for name in named(each)]
        return named(list(entry.values())) if isinstance(entry, dict) else [str(entry)]

    listed = named(nav)
    folders = tuple(name.removesuffix("README.md") for name in listed if name.endswith("/README.md"))
    assert not [file for file in pages.sources() if file not in listed and not file.startswith(folders)]
    assert not [file for file in listed if file not in pages.sources() and file != "api"]


def test_what_a_page_fetches_from_elsewhere_is_found(tmp_path: Path) -> None:
    fetches = loaded("fetches")
    page = tmp_path / "page.html"
    page.write_text(
        '<a href="https://x.y/z">z</a><link rel="canonical" href="https://x.y"><script src="a.js"></script>'
    )
    assert fetches.fetched(page) == []
    assert fetches.main(tmp_path) == 0
    page.write_text('<script src="//x.y/a.js"></script><style>@import "https://x.y/a.css";</style>')
    assert fetches.fetched(page) == ["//x.y/a.js", "https://x.y/a.css"]
    assert fetches.main(tmp_path) == 1
