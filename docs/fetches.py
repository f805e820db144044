"""Fails where a page of the built site would fetch anything from elsewhere: `python docs/fetches.py site`.

A link is followed by who clicks it; a script, a style, a picture or a font is fetched from everybody who reads.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

FETCHING = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}
ELSEWHERE = re.compile(r"^(?:[a-z]+:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])((?:https?:)?//[^'\")]+)", re.IGNORECASE)


class _Fetched(HTMLParser):
    """What a page names to be fetched from another place."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag fetches; `rel="canonical"` and the like fetch nothing."""
        named = dict(attrs)
        target = named.get(FETCHING.get(tag, "")) or ""
        if ELSEWHERE.match(target) and not (tag == "link" and named.get("rel") in ("canonical", "next", "prev")):
            self.found.append(target)


def fetched(path: Path) -> list[str]:
    """What a page or a style sheet fetches from elsewhere."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".css":
        return IN_STYLE.findall(text)
    parser = _Fetched()
    parser.feed(text)
    return parser.found + IN_STYLE.findall(text)


def main(folder: Path) -> int:
    """Say every fetch; 1 where there is one, or no page at all."""
    pages = [path for path in folder.rglob("*") if path.suffix in (".html", ".css")]
    found = [f"{path}: {target}" for path in pages for target in fetched(path)]
    print("\n".join(found) or f"{len(pages)} pages and style sheets fetch nothing from elsewhere")
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
