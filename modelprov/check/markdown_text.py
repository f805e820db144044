"""What a card's author says in running text: blocks of Markdown with their lines, quotes, code and tables left out.

Blocks are markdown-it's (CommonMark with tables); the inline marks are taken off here, so that hostile text costs no
more than its length. HTML is text between tags. What is struck out, commented out, or follows a heading such as
"Original model card" is not what this author says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

LONGEST = 1_000  # characters of a sentence that are looked at
ADMONITION = re.compile(r"\s*\[!(?:NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]", re.IGNORECASE)
ORIGINAL_CARD = re.compile(r"original (?:model )?(?:card|readme|description)", re.IGNORECASE)
NOT_OWN = re.compile(
    r"^\W*(?:related work|prior work|references|bibliography|citations?|acknowledge?ments?|bibtex"
    r"|refer[eê]ncias|cita[cç][aã]o|agradecimentos|参考文献|引用|致谢)\b",
    re.IGNORECASE,
)
HTML_SILENT = re.compile(
    r"<!--.*?(?:-->|\Z)|<(table|tr|td|th|pre|code|script|style|blockquote|del|s)\b[^<>]*>.*?(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
HTML_BREAK = re.compile(r"</?(?:p|li|ul|ol|br|div|h[1-6]|td|tr|th|summary|details|center|hr)\b[^<>]*>", re.IGNORECASE)
HTML_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
IMAGE = re.compile(r"!\[[^\[\]]*\]\([^()]*\)")
LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")
STRUCK = re.compile(r"~~[^~]*~~")
MARKS = re.compile(r"[`*]|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)|\\(?=[^\w\s])")
QUOTED = re.compile(r"[“„«「『][^“”„«»「」『』]{2,300}[”“»」』]|(?<!\w)\"[^\"]{2,300}\"(?!\w)")
WORDS = 3
END = re.compile(r"\x00|[。！？；]|(?<![.!?…])[.!?…]{1,10}[\"')\]]{0,3}(?=\s)")
NO_END = re.compile(r"\b(?:e\.g|i\.e|vs|approx|cf|et al|etc|fig|no|ca|incl|resp|Dr|Sr|Sra|p\. ex|ex|v?\d+)\Z")


@dataclass(frozen=True)
class Block:
    """A paragraph, heading, list item or HTML block as written: its text, the line it begins on, and its kind."""

    text: str
    line: int
    heading: int = 0
    html: bool = False


@dataclass(frozen=True)
class Sentence:
    """A sentence without its marks, from which line to which."""

    text: str
    line: int
    end_line: int


def parse(body: str) -> list[Token]:
    """The block tokens of a Markdown text; inline content is left as written."""
    return _parser().parse(body)


@cache
def _parser() -> MarkdownIt:
    """What reads Markdown, made once: it compiles its patterns of links, which takes longer than a card."""
    markdown = MarkdownIt("commonmark").enable("table")
    markdown.core.ruler.disable("inline")
    return markdown


def blocks(tokens: Sequence[Token], first_line: int) -> Iterator[Block]:
    """The text blocks of the author's own: no code, no tables, no quotes but notes (`> [!NOTE]`)."""
    quotes: list[bool] = []  # whether each open quote is a note
    heading = tables = 0
    for number, token in enumerate(tokens):
        if token.type == "blockquote_open":
            inner = next((one for one in tokens[number + 1 : number + 3] if one.type == "inline"), None)
            quotes.append(inner is not None and bool(ADMONITION.match(inner.content)))
        elif token.type == "blockquote_close":
            quotes.pop()
        elif token.type in {"table_open", "table_close"}:
            tables += 1 if token.type == "table_open" else -1
        elif token.type == "heading_open":
            heading = int(token.tag[1:])
        elif token.type == "heading_close":
            heading = 0
        elif token.type in {"inline", "html_block"} and not tables and all(quotes) and token.map:
            yield Block(token.content, first_line + token.map[0], heading, token.type == "html_block")


def own_sentences(tokens: Sequence[Token], first_line: int) -> Iterator[Sentence]:
    """Every sentence that the author says in his own name, in order."""
    skipped = 0  # level of the heading whose section is not the author's
    for block in blocks(tokens, first_line):
        text = plain(block.text)
        if block.heading:
            if ORIGINAL_CARD.search(text):
                return
            if skipped and block.heading <= skipped:
                skipped = 0
            if not skipped and NOT_OWN.match(text):
                skipped = block.heading
        if not skipped:
            yield from sentences(text, block.line)


def plain(text: str) -> str:
    """Text without Markdown's and HTML's marks, with the same line ends; what is not said is gone."""
    text = HTML_SILENT.sub(_lines_of, text)
    text = HTML_BREAK.sub(lambda found: "\0" + _lines_of(found), text)
    text = HTML_TAG.sub(_lines_of, text)
    text = STRUCK.sub(_lines_of, IMAGE.sub(_lines_of, text))
    text = LINK.sub(
        lambda found: found.group(1) + "\n" * (found.group().count("\n") - found.group(1).count("\n")), text
    )
    text = QUOTED.sub(_quoted, text)
    return MARKS.sub("", text).replace("&nbsp;", " ").replace("&amp;", "&")


def sentences(text: str, first_line: int) -> Iterator[Sentence]:
    """The sentences of a block whose text begins on line `first_line`."""
    at, line = 0, first_line
    for end in [*(found.end() for found in END.finditer(text) if _ends(text, found)), len(text)]:
        piece = text[at:end]
        body = piece.strip("\0 \t\n")
        start = piece.find(body) if body else 0
        begins = line + piece.count("\n", 0, start)
        if body:
            words = " ".join(body.replace("\0", " ").split())[:LONGEST]
            yield Sentence(words, begins, begins + body.count("\n"))
        line += piece.count("\n")
        at = end


def _ends(text: str, found: re.Match[str]) -> bool:
    return found.group() in "\0。！？；" or not NO_END.search(text, max(0, found.start() - 8), found.start())


def _lines_of(found: re.Match[str]) -> str:
    return "\n" * found.group().count("\n") or " "


def _quoted(found: re.Match[str]) -> str:
    """Somebody's words in quotation marks are not the author's; a name or two words in them are kept."""
    words = found.group()[1:-1]
    return (
        words if len(words.split()) < WORDS and not re.search("[一-鿿]", words) else "“…”" + _lines_of(found).strip(" ")
    )
