"""How a declared name stands in an answer: claimed, denied, quoted, or only there. Rules on clauses; counts nothing.

The text is cut into clauses at punctuation and at words like "but" and "and". A clause without a verb of its own
("not Nex, Rio or Qwen") stands as the one before it. Names are masked first, so that none is taken for a word of these
lists. Where the rules are in doubt a name is neither claimed nor denied.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from modelprov.behavior.probing.names import folded, mentions
from modelprov.behavior.probing.results import DeclaredName

NAME, ANOTHER = "\ue000", "\ue001"
"""Marks (of no script) in place of the name that is looked at, and of any other declared name."""
REACH = 240
"""Characters of its clause that are looked at on either side of a name: bounds the time that a long text takes."""

_END = re.compile(r"[.!?](?=\s|$)|[。！？；;]")
_CUT = re.compile(
    r"[.!?](?=[\s\"'”»)]|$)|[。！？；;,，、:：()（）\"“”«»]"
    r"|\b(?:but|and|although|though|while|because|mas|porém|porque|embora|e)\b"
    r"|\b(?:how|what) (?:can|may|could|would|do)\b|\b(?:como|em que|no que) posso\b"
    r"|但是|但|而是|而且|而|所以|因为|虽然|有什么|请问"
)
_TURNS = ("but", "mas", "porém", "但是", "但", "而是", "而")
"""After these a clause stands for itself: "not Nex, but Rio"."""

_HARMLESS = re.compile(
    r"\bno doubt\b|\bnot only\b|\bno problem\b|\bn[ãa]o (?:só|apenas|somente)\b|\bsem dúvida\b"
    r"|\bcom (?:toda )?certeza\b"
    r"|没错|不错|不仅|不只|不过|非常|没问题|不客气|无论|毫无疑问|无疑|未来|对不起|不好意思"
    r"|\bi (?:can |do )?confirm(?: that)?\b|(?<!não )(?<!nao )\bposso confirmar(?: que)?\b"
)
_NOT = re.compile(
    r"\b(?:not|never|neither|nor|none|nobody|nothing|hardly|cannot|false|untrue|deny|denies|opposite|contrary|without"
    r"|refuse|unable|fail|lack)\b"
    r"|\b(?:do|does|did|is|are|was|were|ai|ca|wo|would|could|should|have|has|had|must|need|may|might)n[' ]?t\b"
    r"|\bcan[' ]t\b|^\W*no\b(?! (?:momento|caso|meu|entanto|fundo|brasil))"
    rf"|\b(?:am|i'm|is|are)(?: \w+)? no (?={NAME})"
    r"|\bno(?= (?:longer|way|relation|connection|affiliation|link|such|more|part|version|name|one)\b)"
    r"|\b(?:n[ãa]o|nem|nunca|jamais|nenhum|nenhuma|tampouco|contrário|falso|nego)\b"
    r"|[不没非无未別]|否认|相反"
)
_OTHER = re.compile(
    r"\b(?:another|unlike|different|differs?|distinct|separate|unrelated|other than|rather than|instead of|else|rival"
    r"|competitor|mistaken?|wrong|incorrect|error)\b"
    r"|\b(?:diferentes?|outr[oa]s?|distint[oa]s?|erro|errad[oa]|incorret[oa]|em vez de|exceto)\b"
    r"|不同|另一|另外|别的|其他|其它|以外|区别|错误|不对|而非"
)
_QUOTED = re.compile(
    r"\b(?:whether|if|ask|asks|asked|asking|your question|pretend|pretending|suppose|supposing|imagine|maybe|perhaps"
    r"|possibly|might be|could be)\b"
    r"|\bse (?:eu |o |este |você |meu |esse )*(?:sou|fosse|for|é|meu|nome|você|modelo)\b"
    r"|\b(?:pergunt\w*|sua pergunta|talvez|fing\w*|fosse|imagine)\b"
    r"|是否|是不是|如果|假如|假设|要是|问(?!题|答|候)|也许|可能|或许|假装"
)
_ASKS = re.compile(r"\b(?:are you|am i)\b|^\s*(?:is|was|were|você é|o seu nome é)\b|吗|你是(?!在|正)")
_UNSURE = re.compile(
    r"\b(?:think|believe|confirm|sure|certain|know|say|says|said|tell|told|claim|claims|guess|verify|seems?|appears?"
    r"|probably|likely|unlikely|doubt|impossible|supposed|supposedly|may or may not)\b"
    r"|\b(?:acho|acredito|penso|creio|sei|certeza|confirmar|dizer|diz|dizem|disse|afirmar|provavelmente|duvido|parece)\b"
    r"|认为|觉得|知道|确定|确认|保证|肯定地说|大概|据说|似乎|好像|应该"
)
_OWN = re.compile(
    r"\b(?:i|i'm|im|my|me|it|it's|this|that|you|we|they|he|she)\b|\b(?:sou|meu|minha|chamo|chame|fui|eu|é|pode|você)\b"
    r"|[我是叫]"
)
"""What makes a clause a statement of its own."""

_FILLERS = (
    r"(?: (?:the|an?|o|uma?|model|modelo|assistant|assistente|ai|ia|language|de|linguagem|indeed|in fact|really"
    r"|just|actually|mesmo|de fato|realmente)){0,6}"
)
_CALLED = (  # "I am a large language model called"; not "I am a fan of somebody called"
    r"(?:(?: (?!(?:of|by|from|with|to|for|than|like|do|da|por|com|who|that|que)\b)[\w'-]+){0,8}"
    r" (?:called|named|known as|chamad[oa](?: de)?))?"
)
_CLAIMS = re.compile(
    r"(?:\b(?:i am|i'm|im|i was (?:released|named|published)(?: as| under the name)?|i go by|call me|my name is"
    r"|my name's|(?:talking|speaking|chatting) (?:to|with)|it is|it's|this is|answering (?:you |me )?is"
    r"|sou|me chamo|meu nome é|(?:me chamar|chame me|chamar me|me chame)(?: de)?|(?:falando|conversando) com"
    rf"|(?:aqui|este|esse|respondendo) é|fui lançad[oa] (?:como|com o nome)){_CALLED}{_FILLERS} "
    r"|(?:我(?:就|的确|确实|正)?|(?:名字|名称|名|对话的|对话的模型|回答(?:你|您|我)的(?:模型|助手)?)就?)(?:是|叫|为)"
    r"(?:一个|一款|大?(?:语言)?模型|人工智能|助手|名为|叫|做|\s){0,6}"
    rf"|(?:叫我|称我为|称呼我为)\s*){NAME}(?!\w*(?:的|'s)| (?:based|compatible|like|free|who|that|which)\b)"
)
_CLAIMED_AFTER = re.compile(
    rf"{NAME}\w* ?(?:is my name|is answering|is the (?:model|one|assistant) (?:that is |who is |which is )?"
    r"(?:answering|responding|talking|you)|sou eu|é o meu nome|é meu nome|é o modelo que (?:está|lhe|te|você))"
    rf"|(?:我是以|我以)\s*{NAME}\s*(?:这个|的)?名|我是(?:一个|一款)?(?:名为|名叫|叫做|叫){NAME}的"
    rf"|{NAME}\s*(?:就?是我(?=\W*$|的名字)|(?:进行)?(?:对话|聊天|交谈))"
)
_ALONE = re.compile(rf"^\W*(?:(?:the|o|a) )?{ANOTHER}+\W*$")


@dataclass(frozen=True)
class Standing:
    """One name where it stands: what its clause says of it.

    `claimed`: the speaker is said to be it. `negated` and `set_apart` ("another", "different"): words of denial; both
    at once cancel out or do not, so nothing is certain. `quoted`: in a question or a condition. `unsure`: an attitude.
    """

    name: str
    claimed: bool = False
    negated: bool = False
    set_apart: bool = False
    quoted: bool = False
    unsure: bool = False

    @property
    def asserted(self) -> bool:
        """Whether the text gives the name at all, rather than denying or quoting it."""
        return not (self.negated or self.set_apart or self.quoted)

    @property
    def is_it(self) -> bool | None:
        """Whether the text says that the speaker is it: certain, or None."""
        if self.quoted or self.unsure or (self.negated and self.set_apart):
            return None
        if self.negated or self.set_apart:
            return False
        return True if self.claimed else None


@dataclass(frozen=True)
class _Clause:
    start: int
    stop: int
    opener: str
    question: bool


def standings(text: str, names: Sequence[DeclaredName]) -> tuple[Standing, ...]:
    """Every mention of a declared name, in order, with what its clause says of it."""
    text = re.sub(r"\n[^\S\n]*\n", " . ", text).replace("’", "'").replace(NAME, " ").replace(ANOTHER, " ")
    found = mentions(text, names)
    if not found:
        return ()
    body = folded(text)
    pieces, at = [], 0
    for one in found:  # masks of the same length keep places as they are
        pieces += [body[at : one.start], ANOTHER * (one.stop - one.start)]
        at = one.stop
    masked = "".join([*pieces, body[at:]])
    masked = _HARMLESS.sub(lambda match: " " * len(match[0]), masked)
    if len(found) == 1 and _ALONE.match(masked) and not masked.rstrip().endswith(("?", "？")):
        return (Standing(found[0].name, claimed=True),)
    inherited = Standing("")
    answers: list[Standing] = []
    for clause in _clauses(masked):
        words = masked[clause.start : clause.stop]
        alone = clause.opener in _TURNS or bool(_END.fullmatch(clause.opener)) or bool(_OWN.search(words))
        before = Standing("") if alone else inherited
        inside = [one for one in found if clause.start <= one.start < clause.stop]
        for one in inside:
            place, size = one.start - clause.start, one.stop - one.start
            shown = words[max(0, place - REACH) : place] + NAME + words[place + size : place + size + REACH]
            answers.append(_standing(one.name, shown, before, question=clause.question))
        plain = _standing("", words, before, question=False)
        inherited = plain if words.strip() else before
    return tuple(answers)


def _standing(name: str, words: str, before: Standing, *, question: bool) -> Standing:
    claimed = bool(_CLAIMS.search(words) or _CLAIMED_AFTER.search(words))
    ahead = words.partition(NAME)[0]
    looked = ahead if _CLAIMS.search(words) else words  # "I am Nex not Rio": what follows a claim is no part of it
    denied = bool(_NOT.search(_OTHER.sub(" ", looked)))
    return Standing(
        name,
        claimed=claimed,
        negated=before.negated or denied,
        set_apart=(before.set_apart and not denied) or bool(_OTHER.search(looked)),
        quoted=before.quoted or question or bool(_QUOTED.search(words) or _ASKS.search(words)),
        unsure=before.unsure or bool(_UNSURE.search(words)),
    )


def _clauses(text: str) -> list[_Clause]:
    found, at, opener = [], 0, "."
    for match in _CUT.finditer(text):
        found.append(_Clause(at, match.start(), opener, match[0] in "?？"))
        at, opener = match.end(), match[0]
    return [*found, _Clause(at, len(text), opener, False)]


def doubtful(text: str) -> bool:
    """Whether the first sentence after a yes or no holds a denial, a condition or an attitude."""
    first = _END.split(_HARMLESS.sub(" ", folded(text.replace("’", "'"))), maxsplit=1)[0]
    return any(one.search(first) for one in (_NOT, _OTHER, _QUOTED, _UNSURE))


def hedged(text: str) -> bool:
    """Whether the first sentence holds a condition or an attitude."""
    first = _END.split(_HARMLESS.sub(" ", folded(text.replace("’", "'"))), maxsplit=1)[0]
    return any(one.search(first) for one in (_QUOTED, _UNSURE))
