"""What an answer says: one of the declared names, several, none, a refusal; yes or no. Rules stand here, in words.

Rules, not a model: they can be read, repeated and contested. Answers they cannot place are "other", never a name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from modelprov.behavior.probing.names import folded, mentioned
from modelprov.behavior.probing.questions import Question
from modelprov.behavior.probing.results import NOTHING, OTHER, REFUSAL, SEVERAL, DeclaredName

_TELL = r"(?:share|tell|say|disclose|reveal|answer|provide|discuss)"
_REFUSALS = (
    r"\bi (?:do not|don't) (?:have|know|possess) (?:a |any |my )?(?:\w+ )?(?:name|identity|maker|creator|developer)",
    rf"\bi (?:can ?not|can't|can t|am not able to|am unable to|won't) {_TELL}",
    rf"\bi'?m (?:not able|unable) to {_TELL}",
    r"\bi (?:have|'ve got) no name\b",
    r"\bn[ãa]o (?:tenho|possuo|sei) (?:um |o |meu |nenhum )*(?:nome|criador)",
    r"\bn[ãa]o posso (?:dizer|informar|revelar|compartilhar|responder|fornecer)",
    r"(?:我)?没有(?:一个|自己的|具体的|固定的)?(?:名字|名称|姓名)",
    r"(?:我)?(?:不能|无法|不便)(?:透露|告诉|回答|提供|分享|说出)",
    r"不知道(?:我|自己)",
)
_REFUSAL = re.compile("|".join(_REFUSALS))

_YES = re.compile(
    r"^(?:yes|yeah|yep|correct|indeed|exactly|of course|that is (?:right|correct)|that s (?:right|correct)"
    r"|that's (?:right|correct)|sim|isso mesmo|exato|exatamente|correto|claro|com certeza)\b"
    r"|^(?:是的|是啊|是。|是，|是,|是$|对的|对。|对，|对,|对$|没错|正确|当然|嗯)"
)
_NO = re.compile(
    r"^(?:no|nope|not|incorrect|wrong|negative|n[ãa]o|incorreto|errado|de forma alguma)\b|^(?:不|否|错|并不|并非|没有)"
)


@dataclass(frozen=True)
class Verdict:
    """What one text says: its class, the names in it, yes (True), no (False) or neither (None)."""

    class_: str
    names: frozenset[str]
    yes: bool | None


def classify(text: str | None, names: Sequence[DeclaredName]) -> Verdict:
    """Place one text (an answer, or a thought); None and empty texts are "no answer"."""
    if text is None or not text.strip():
        return Verdict(NOTHING, frozenset(), None)
    found = mentioned(text, names)
    if len(found) == 1:
        class_ = next(iter(found))
    elif found:
        class_ = SEVERAL
    else:
        class_ = REFUSAL if _REFUSAL.search(_plain(text)) else OTHER
    return Verdict(class_, found, says_yes(text))


def says_yes(text: str) -> bool | None:
    """Yes or no by the first words of an English, Portuguese or Chinese answer; None where they are neither."""
    start = _plain(text).lstrip(" \"'“”‘’«»*#-.,!¡:：，。！—–")
    if _NO.match(start):
        return False
    return True if _YES.match(start) else None


def affirms(text: str | None, question: Question, names: Sequence[DeclaredName]) -> bool | None:
    """Whether the answer to "Are you NAME?" claims to be it; None where unclear.

    Yes and no count with the question's sense. So does a declared name that the answer gives itself ("I am Nex" denies
    Rio), unless it is the name asked for beside a negation. An answer whose yes or no and whose name contradict each
    other ("Yes, I am Nex") is unclear.
    """
    if text is None or not text.strip():
        return None
    yes = says_yes(text)
    claimed = None if yes is None else yes != question.inverted
    found, named = mentioned(text, names), None
    if found and question.asked not in found:
        named = False
    elif found == {question.asked} and not _NEGATION.search(_plain(text)):
        named = True
    if claimed is None or named is None:
        return named if claimed is None else claimed
    return claimed if claimed == named else None


_NEGATION = re.compile(r"\b(?:not|isn't|never|n[ãa]o|nem|different|diferente)\b|不|没|非")


def quotes(text: str | None, phrase: str) -> bool:
    """Whether the text holds the phrase word for word; case, width of characters and spacing do not count."""
    return text is not None and folded(phrase) in folded(text)


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return re.sub(r"\s+", " ", text).strip()
