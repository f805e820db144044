"""Finds sentences in which a card's author claims how this model was made. Pure; judges no claim.

A claim that was missed costs a check that was not made; a claim that nobody made could become a false accusation. So
a sentence counts only if nothing in it speaks against it: a negation, a condition, a possibility, a question, a report
of what others say, or another model, or another part than the model, as what was trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from modelprov.check import prose_words as words
from modelprov.check.interface import ProseClaim
from modelprov.check.markdown_text import Sentence
from modelprov.check.results import Location

SHOWN = 300
MOST_CLAIMS = 500
DASHES = str.maketrans("‐‑‒", "---")  # hyphens that look alike
SUBJECT_TOKENS = 3
TRAINED = ("post-trained", "finetuned", "distilled")
QUOTES = "'’`“”\""


@dataclass(frozen=True)
class Names:
    """What the model calls itself, and the models that its card declares as bases."""

    own: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()


def prose_claims(sentences: Iterable[Sentence], file: str, names: Names) -> tuple[ProseClaim, ...]:
    """Each claim of each sentence, at most one of a kind a sentence; `text` is the sentence, shortened."""
    found: list[ProseClaim] = []
    for sentence in sentences:
        shown = sentence.text if len(sentence.text) <= SHOWN else sentence.text[: SHOWN - 1] + "…"
        place = Location(file=file, line=sentence.line, end_line=sentence.end_line)
        found += [ProseClaim(kind, shown, place, kind in words.TESTABLE) for kind in kinds(sentence.text, names)]
        if len(found) >= MOST_CLAIMS:
            break
    return tuple(found)


def kinds(sentence: str, names: Names) -> tuple[str, ...]:
    """The kinds of claims that a sentence makes."""
    text = sentence.translate(DASHES)
    if text.rstrip().endswith(("?", "？")):
        return ()
    claimed = ["from-scratch"] if _says_no_parent(text) else []
    for kind, pattern in words.PATTERNS:
        if kind not in claimed and any(_is_claim(kind, text, one, names) for one in _matches(pattern, text)):
            claimed.append(kind)
    return tuple(claimed)


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The first few matches: a sentence that says it ten times says it once."""
    for number, found in enumerate(pattern.finditer(text)):
        if number == 10:
            return
        yield found


def _says_no_parent(text: str) -> bool:
    found = words.NO_PARENT.search(text)
    return found is not None and not _reported(text, found.start()) and not words.CONDITION.search(text)


def _is_claim(kind: str, text: str, found: re.Match[str], names: Names) -> bool:
    before, after = text[: found.start()], text[found.end() :]
    inner = found.group()
    clause = _clause(before, after)
    return not (
        _negated(clause, inner)
        or words.DENIED_AFTER.match(after)
        or words.POSSIBLE_AFTER.match(after)
        or words.CONDITION.search(clause)
        or words.HYPOTHETICAL.search(clause)
        or _reported(text, found.start())
        or (kind != "merged" and words.PLURAL_AFTER.match(after))
        or (words.PLURAL_BEFORE.search(before) and not words.OWN.search(before))
        or (kind == "based-on" and words.THING_AFTER.match(after))
        or words.OTHER_OBJECT.search(inner)
        or words.OTHER_NOUNS.search(before)
        or words.GUIDE_AFTER.match(after)
        or words.ELSEWHERE_AFTER.match(after)
        or (kind in TRAINED and words.BEFORE_MERGE.match(after))
        or _begins_with_another(clause, names)
        or (kind != "based-on" and _of_another(before, inner, after, names))
    )


def _clause(before: str, after: str) -> str:
    """What stands before a match in its own clause; a list that goes on with "or" keeps what stood before it."""
    ends = [one.end() for one in words.BOUNDARY.finditer(before)]
    clause = before[ends[-1] :] if ends else before
    comma = re.search(r"[,，、](?!.*[,，、])", clause)
    if comma is None or words.LIST_GOES_ON.search(clause[comma.end() :] + after[:60]):
        return clause
    return clause[comma.end() :] if _closed(clause[: comma.start()]) else clause


def _closed(part: str) -> bool:
    """Whether a part before a comma stands for itself, such as "without labels" or "unlike X"."""
    return bool(
        re.match(
            r"\s*(?:unlike|without|with no|compared|in contrast|rather than|instead of|sem|ao contrário)\b", part, re.I
        )
    )


def _negated(clause: str, inner: str) -> bool:
    return bool(words.NEGATION.search(words.NO_NEGATION.sub(" ", clause)) or words.INSIDE.search(inner))


def _reported(text: str, at: int) -> bool:
    """Whether the part between semicolons around `at` tells what others said, or what was wrong."""
    start = max(text.rfind(mark, 0, at) for mark in ";；") + 1
    ends = [end for end in (text.find(mark, at) for mark in ";；") if end >= 0]
    return bool(words.REPORTED.search(text[start : min(ends, default=len(text))]))


def _of_another(before: str, inner: str, after: str, names: Names) -> bool:
    """Whether what was trained, merged, ... is another model or another part than this model."""
    cut = words.AUXILIARY.search(before)
    subject, link = (before[: cut.start()], before[cut.start() :]) if cut else (before, "")
    subject = subject.rstrip(" ,(")
    # "X was trained and then ...": the subject stands before the first verb
    if words.AND.search(subject) or words.SEQUENCE.search(before):
        first = words.FIRST_VERB.search(subject)
        subject, link = (subject[: first.start()].rstrip(), "was") if first else ("", "")
    if words.OTHER_PART.search(subject):
        return not re.search(r"\bmodel\s(?:and|e)\s(?:\w+\s){0,2}\w+\Z", subject, re.IGNORECASE)
    if words.PLURAL_BEFORE.search(subject) and not words.OWN.search(before):
        return True
    by = re.match(r"\s(?:by|por|pela|pelo)\s(?:the\s)?([\w.-]+)", after)
    if by and any(_same(by.group(1), base.split("/")[0]) for base in names.bases if "/" in base):
        return True
    if words.CONNECTED.match(inner):  # "..., followed by distillation": what stands before is not its subject
        return False
    tokens = [token.strip(QUOTES) for token in subject.split()[-SUBJECT_TOKENS:]]
    while tokens and words.HEAD.search(tokens[-1]):
        tokens.pop()
    if not tokens or words.SIZE.match(tokens[-1]):
        return False
    own = [_bare(name) for name in names.own]
    if any(_bare("".join(tokens[-count:])) in own for count in range(1, len(tokens) + 1)):
        return False
    if any(_names_base(token, names.bases) for token in tokens[-2:]):
        return True
    if any(_part_of(token, own) for token in tokens):
        return False
    return bool(words.VERB.search(link)) and _like_a_name(tokens[-1])


def _begins_with_another(clause: str, names: Names) -> bool:
    """Whether a clause tells what another model is: "Qwen3.5 is a model that was ..."."""
    leading = words.LEADING.match(clause)
    if leading is None:
        return False
    tokens = [token.strip(QUOTES + ",()") for token in leading.group(1).split()]
    own = [_bare(name) for name in names.own]
    if _bare("".join(tokens)) in own or words.OUR.search(leading.group()):
        return False
    if any(_names_base(token, names.bases) for token in tokens):
        return True
    return not any(_part_of(token, own) for token in tokens) and any(
        _like_a_name(token) and not words.SIZE.match(token) for token in tokens
    )


def _like_a_name(token: str) -> bool:
    if "/" in token or words.KNOWN_FAMILIES.match(token):
        return True
    return bool(re.search(r"[A-Z]", token) and re.search(r"\d|-|[a-z][A-Z]", token))


def _names_base(token: str, bases: Sequence[str]) -> bool:
    bare = _bare(token)
    return len(bare) >= 3 and any(_bare(base.split("/")[-1]).startswith(bare) or bare == _bare(base) for base in bases)


def _part_of(token: str, own: Sequence[str]) -> bool:
    bare = _bare(token)
    if len(bare) < 2 or bare.isdigit():
        return False
    return any(name.startswith(bare) or (len(bare) > 2 and bare in name) for name in own)


def _same(one: str, other: str) -> bool:
    return _bare(one) == _bare(other)


def _bare(text: str) -> str:
    return re.sub(r"[^0-9a-z一-鿿à-ÿ]", "", text.lower())
