"""Reads YAML as hostile input, with the line of every value. Knows no keys; says what is wrong in place of raising.

All limits are kept on the parser's events, before anything is composed: parsers that compose a deep document by
themselves recurse until the process dies, and aliases unfold a few bytes into gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import yaml

from modelprov.foreign.shown import quoted, shortened

SHOWN = 80  # characters of foreign text in a message
MAX_CHARACTERS = 20_000_000
MAX_VALUES = 200_000
"""Values of a document, each alias counted with everything it stands for."""
MAX_DEPTH = 60
MAX_MISTAKES = 100
SEVERAL_DOCUMENTS = "several documents"
"""What the mistake is about where one document was to be read and more are there."""
MAX_DIRECTIVES = 20
"""Lines that begin with a percent sign: libyaml compares each of them with all before it."""
MOST_DIGITS = 300
"""Characters of a number; a longer one stays text. Every shorter whole number is also a finite float64."""
ENDLESS = 10**MOST_DIGITS
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PLAIN = "tag:yaml.org,2002:"
SCALARS = {PLAIN + kind for kind in ("null", "bool", "int", "float")}
KNOWN = SCALARS | {PLAIN + kind for kind in ("str", "seq", "map", "timestamp", "binary", "value", "merge")}
OTHER_BREAKS = str.maketrans("\x85\u2028\u2029", "   ")  # line ends for YAML, but for no editor


@dataclass(frozen=True)
class Value:
    """A value as plain data, and where it stands (from 1); `entries` of a mapping, `items` of a list."""

    data: Any
    line: int
    column: int
    entries: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    items: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a document: in words, where, and `about` what where the words have changing parts."""

    message: str
    line: int
    column: int | None
    about: str


class YamlError(Exception):
    """A document that cannot be read; holds the mistake."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.message)
        self.mistake = mistake


def read_yaml(text: str, first_line: int = 1, *, merge_keys: bool = False) -> tuple[Value | None, tuple[Mistake, ...]]:
    """The one document in `text`, whose first line has the number `first_line`; None where there is none.

    Nothing is constructed but text, numbers, truth values, null, lists and mappings; dates stay text, and so does a
    number that is none, or is endless. Of a key that is given twice the last counts, and a mistake says so. Keys `<<`
    are a mistake unless `merge_keys`.
    """
    composer = _Composer(text, first_line, merge_keys)
    try:
        value = composer.document()
    except YamlError as error:
        return None, (error.mistake,)
    return value, tuple(composer.mistakes)


def key_lines(text: str) -> dict[str, tuple[int, int]] | None:
    """First and last line (from 0) of each key of a document and its value, where keys have lines of their own.

    None for a document that is no mapping in block style; empty for no document. Raises `YamlError`.
    """
    places: dict[str, tuple[int, int]] = {}
    flows: list[bool] = []  # of each open list or mapping, whether it is written in brackets
    key, complete = "", 0  # nodes of the document's mapping that have ended: keys and values in turn
    for event in _events(text, 0):
        starts, ends = isinstance(event, yaml.CollectionStartEvent), isinstance(event, yaml.CollectionEndEvent)
        if not ends and not isinstance(event, yaml.NodeEvent):
            continue
        if not flows and not (isinstance(event, yaml.MappingStartEvent) and not event.flow_style):
            return None
        if len(flows) == 1 and complete % 2 == 0 and not ends:
            key = event.value if isinstance(event, yaml.ScalarEvent) else ""
            places[key] = event.start_mark.line, _last_line(event)
        elif flows and not starts and not (ends and not flows[-1]):
            # a list or mapping in block style ends where the next key begins: only what it holds says where it ended
            places[key] = places[key][0], max(places[key][1], _last_line(event))
        if starts:
            flows.append(bool(event.flow_style))
        elif ends:
            flows.pop()
        complete += len(flows) == 1 and not starts
    return places


def _last_line(event: Any) -> int:
    end = event.end_mark
    return int(end.line - 1 if end.column == 0 and end.line > event.start_mark.line else end.line)


def _events(text: str, first_line: int) -> Iterator[Any]:
    """The parser's events, as long as they stay within the limits; raises `YamlError`."""

    def too_large(words: str) -> YamlError:
        return YamlError(Mistake(f"the YAML {words}; it was not read", first_line, None, "too large"))

    if len(text) > MAX_CHARACTERS:
        raise too_large(f"has more than {MAX_CHARACTERS:,} characters")
    if text.count("\n%") > MAX_DIRECTIVES:
        raise too_large(f"has more than {MAX_DIRECTIVES} directives")
    depth = values = 0
    try:
        for event in yaml.parse(text.translate(OTHER_BREAKS), Loader=LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            values += isinstance(event, yaml.NodeEvent)
            if depth > MAX_DEPTH:
                raise too_large("is nested too deeply")
            if values > 2 * MAX_VALUES:  # keys are nodes too
                raise too_large(f"stands for more than {MAX_VALUES:,} values")
            yield event
    except yaml.MarkedYAMLError as error:
        unclosed = "end of stream" in (error.problem or "")  # what is not closed matters where it was opened
        mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
        last = text.rstrip().count("\n")  # a parser also complains of the line after the last
        line = first_line + (min(mark.line, last) if mark is not None else 0)
        column = mark.column + 1 if mark is not None else None
        what = error.problem or error.context or "unknown mistake"
        raise YamlError(_not_yaml(what, line, column)) from error
    except (yaml.YAMLError, ValueError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise YamlError(_not_yaml(what, first_line, None)) from error


def _not_yaml(what: str, line: int, column: int | None) -> Mistake:
    return Mistake(f"not valid YAML: {shortened(what, SHOWN)}", line, column, "not YAML")


@dataclass(frozen=True)
class _Made:
    """A node: its value, how many values it stands for, and of a scalar its text and tag."""

    value: Value
    size: int
    text: str | None = None
    tag: str = ""


class _Composer:
    """Turns events into values; an alias shares what it names, so that it costs nothing but its count."""

    def __init__(self, text: str, first_line: int, merge_keys: bool) -> None:
        self.events = _events(text, first_line)
        self.first_line, self.merge_keys = first_line, merge_keys
        self.mistakes: list[Mistake] = []
        self.anchors: dict[str, _Made | None] = {}
        self.scalars: Any = yaml.SafeLoader("")

    def document(self) -> Value | None:
        """The one document, or None."""
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        made = self._node(next(self.events))
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            several = "the YAML holds several documents, and only a single document is read here"
            raise YamlError(Mistake(several, *self._place(after), SEVERAL_DOCUMENTS))
        return made.value

    def _node(self, event: Any) -> _Made:
        if isinstance(event, yaml.AliasEvent):
            return self._named(event)
        anchor = event.anchor
        if anchor is not None:
            if anchor in self.anchors:
                raise YamlError(_not_yaml(f"found duplicate anchor {quoted(anchor)}", *self._place(event)))
            self.anchors[anchor] = None
        if isinstance(event, yaml.MappingStartEvent):
            made = self._mapping(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            made = self._sequence(event)
        else:
            made = self._scalar(event)
        if anchor is not None:
            self.anchors[anchor] = made
        return made

    def _named(self, event: Any) -> _Made:
        if event.anchor not in self.anchors:
            raise YamlError(_not_yaml(f"found undefined alias {quoted(event.anchor)}", *self._place(event)))
        made = self.anchors[event.anchor]
        if made is None:
            raise self._too_large("holds itself (an alias inside its own anchor)")
        return made

    def _sequence(self, event: Any) -> _Made:
        self._known(event.tag, event)
        items: list[Value] = []
        size = 1
        while not isinstance(inner := next(self.events), yaml.SequenceEndEvent):
            made = self._node(inner)
            items.append(made.value)
            size = self._counted(size + made.size)
        return _Made(Value([one.data for one in items], *self._place(event), items=tuple(items)), size)

    def _mapping(self, event: Any) -> _Made:
        self._known(event.tag, event)
        entries: dict[str, Value] = {}
        merged: dict[str, Value] | None = None
        size = 1
        while not isinstance(inner := next(self.events), yaml.MappingEndEvent):
            key, content = self._node(inner), self._node(next(self.events))
            name = key.text
            size = self._counted(size + content.size)
            if name is None:
                self._mistake("a key is not text", inner, "key")
            elif key.tag == PLAIN + "merge":
                if merged is not None:
                    self._twice(name, inner)
                if not self.merge_keys:
                    self._mistake("merge keys (<<) are not read; write the keys out", inner, "merge key")
                merged = self._merged(content.value, inner) if self.merge_keys else {}
            else:
                if name in entries:
                    self._twice(name, inner)
                entries[name] = content.value
        entries = {**(merged or {}), **entries}
        data = {name: value.data for name, value in entries.items()}
        return _Made(Value(data, *self._place(event), entries=MappingProxyType(entries)), size)

    def _merged(self, given: Value, event: Any) -> dict[str, Value]:
        """The entries that `<<` brings in; of several mappings the first counts."""
        found: dict[str, Value] = {}
        for one in given.items or (given,):
            if not isinstance(one.data, dict):
                self._mistake("a merge key (<<) does not name a mapping", event, "merge key")
            found = {**one.entries, **found}
        return found

    def _scalar(self, event: Any) -> _Made:
        text, tag = event.value, event.tag
        if tag is None or tag == "!":
            long = len(text) > MOST_DIGITS
            tag = PLAIN + "str" if long else self.scalars.resolve(yaml.ScalarNode, text, event.implicit)
        self._known(tag, event)
        data: Any = text
        if tag in SCALARS and len(text) <= MOST_DIGITS:
            try:
                data = self.scalars.construct_object(yaml.ScalarNode(tag, text))
            except (ValueError, yaml.YAMLError, OverflowError, LookupError):
                data = text  # such as an empty `!!int`
            if isinstance(data, int) and abs(data) >= ENDLESS:  # hexadecimal, or in base 60
                data = text
        return _Made(Value(data, *self._place(event)), 1, text, tag)

    def _known(self, tag: str | None, event: Any) -> None:
        if tag not in KNOWN and tag not in (None, "!"):
            message = f"the tag {shortened(str(tag), SHOWN)} is not read; the value counts as plain data"
            self._mistake(message, event, "tag")

    def _counted(self, size: int) -> int:
        if size > MAX_VALUES:
            raise self._too_large(f"stands for more than {MAX_VALUES:,} values")
        return size

    def _too_large(self, words: str) -> YamlError:
        return YamlError(Mistake(f"the YAML {words}; it was not read", self.first_line, None, "too large"))

    def _twice(self, name: str, event: Any) -> None:
        message = f"the key {quoted(name, SHOWN)} is given twice; the last one is read here"
        self._mistake(message, event, f"twice {shortened(name, SHOWN)}")

    def _mistake(self, message: str, event: Any, about: str) -> None:
        if len(self.mistakes) < MAX_MISTAKES:
            self.mistakes.append(Mistake(message, *self._place(event), about))

    def _place(self, event: Any) -> tuple[int, int]:
        return self.first_line + event.start_mark.line, event.start_mark.column + 1
