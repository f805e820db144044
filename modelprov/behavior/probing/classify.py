"""What an answer says: one of the declared names, several, none, a refusal; yes or no. Rules stand here, in words.

Rules, not a model: they can be read, repeated and contested. Answers they cannot place are "other", never a name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from modelprov.behavior.probing.names import folded
from modelprov.behavior.probing.questions import Question
from modelprov.behavior.probing.results import NOTHING, OTHER, REFUSAL, SEVERAL, DeclaredName
from modelprov.behavior.probing.standing import Standing, doubtful, hedged, standings

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
    r"^(?:yes(?! (?:and|or) no\b)|yeah|yep|correct|right|that(?: is| s|'s) (?:right|correct)"
    r"|sim(?! (?:e|ou) n[ãa]o\b)"
    r"|isso mesmo|exato|exatamente|correto)\b"
    r"|^(?:是的|是啊|是。|是，|是,|是$|对的|对。|对，|对,|对$|没错|不错|正确|嗯)"
)
_SURELY = re.compile(
    r"^(?:of course|indeed|exactly|sure|absolutely|certainly|definitely|claro|com (?:toda )?certeza|certamente|certo)\b"
    r"|^(?:当然|确实|的确|肯定)"
)
_NOT_SOON = re.compile(
    r"^(?:\W*[\w']+){0,3}?\W*(?:\b(?:not|never|no|n[ãa]o|nunca|nem|opposite|contrary|contrário)\b|\w+n't\b|cannot\b)"
    r"|^.{0,4}[不没非无]"
)
"""After a word like "of course", which stands before a yes and before a no: "Of course I'm not"."""
_OFFERS = re.compile(r"\b(?:help|assist|ajud\w*|can i|may i|let me|posso|vamos)\b|帮|可以")
"""Makes "of course" an answer to a request: "Of course I can help you!"."""
_NO = re.compile(
    r"^(?:no(?! (?:momento|caso|meu|entanto|fundo|brasil|doubt|problem)\b)|nope"
    r"|not(?! (?:only|sure|certain)\b)|incorrect|wrong|negative"
    r"|n[ãa]o(?! (?:só|apenas|somente|sei|posso|consigo|tenho certeza)\b)"
    r"|incorreto|errado|de forma alguma|de modo algum|nunca|never)\b"
    r"|^(?:不(?!错|仅|只|过|好意思|客气|知道|确定|清楚|能|便|方便)|否|错|并不|并非|没有)"
)
_QUESTION = re.compile(r"^[^.!?。！？;；]*[?？]+")


@dataclass(frozen=True)
class Verdict:
    """What one text says: its class, the names it gives, yes (True), no (False) or neither (None)."""

    class_: str
    names: frozenset[str]
    yes: bool | None


def classify(text: str | None, names: Sequence[DeclaredName]) -> Verdict:
    """Place one text (an answer, or a thought); None and empty texts are "no answer".

    A name that is denied ("I am not Nex") or quoted ("You asked whether I am Nex") is none that the text gives.
    """
    if text is None or not text.strip():
        return Verdict(NOTHING, frozenset(), None)
    found = frozenset(one.name for one in standings(text, names) if one.asserted)
    if len(found) == 1:
        class_ = next(iter(found))
    elif found:
        class_ = SEVERAL
    else:
        class_ = REFUSAL if _REFUSAL.search(_plain(text)) else OTHER
    return Verdict(class_, found, says_yes(text))


def says_yes(text: str) -> bool | None:
    """Yes or no by the first words of an English, Portuguese or Chinese answer; None where they are neither.

    A question that the answer begins with is passed over ("Nex? No."). "Of course" and its like are a no where a
    negation follows within a few words.
    """
    start = _start(_QUESTION.sub("", _start(_plain(text))))
    if _NO.match(start):
        return False
    if _YES.match(start):
        return True
    surely = _SURELY.match(start)
    if surely is None or _OFFERS.search(start[:120]):
        return None
    sentence = re.split(r"[.!?](?=\s|$)|[。！？]", start[surely.end() :], maxsplit=1)[0]
    return not _NOT_SOON.match(sentence[:60])


def affirms(text: str | None, question: Question, names: Sequence[DeclaredName]) -> bool | None:
    """Whether the answer to "Are you NAME?" claims to be it; None where unclear.

    Yes and no count with the question's sense, and so does what the answer says of the name ("I am Nex", "I am not
    Nex") and of others ("I am Nex" denies Rio). Where these contradict each other ("Yes, I am Nex" of Rio) the answer
    is unclear; and so is a claim that a yes or no alone makes beside a denial or a doubt ("Yes, but I am not sure").
    """
    if text is None or not text.strip():
        return None
    yes = says_yes(text)
    claimed = None if yes is None else yes != question.inverted
    found = standings(text, names)
    stated = _stated(found, question.asked)
    if claimed is None or stated is None:
        rest = _QUESTION.sub("", _start(_plain(text)))
        again = any(one.name == question.asked for one in standings(rest, names))
        if claimed and (again or _doubted(rest, yes=bool(yes))):
            return None
        return stated if claimed is None else claimed
    return claimed if claimed == stated else None


def _stated(found: Sequence[Standing], asked: str | None) -> bool | None:
    """What an answer says of the name asked for, beside any yes or no; None where it says nothing certain."""
    told = {one.is_it for one in found if one.name == asked}
    if told:
        certain = told - {None}
        return certain.pop() if len(certain) == 1 else None
    return False if any(one.is_it for one in found) else None


def _doubted(text: str, *, yes: bool) -> bool:
    """Whether the first sentence takes back the yes (or, after a no, whether it is only an opinion)."""
    start = _start(text)
    rest = start[match.end() :] if (match := _YES.match(start) or _SURELY.match(start)) else start
    return doubtful(rest) if yes else hedged(rest)


def _start(text: str) -> str:
    return text.lstrip(" \"'“”‘’«»*#-.,!¡?？:：，。！—–")


def quotes(text: str | None, phrase: str) -> bool:
    """Whether the text holds the phrase word for word; case, width of characters and spacing do not count."""
    return text is not None and folded(phrase) in folded(text)


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return re.sub(r"\s+", " ", text).strip()
