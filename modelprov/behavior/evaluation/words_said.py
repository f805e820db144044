"""The words around an answer in nine languages: what announces, denies or doubts it, or takes it back. No verdicts.

English, Portuguese, Spanish, Chinese, Japanese, Korean, Russian, German, French. Rules, not a model: they can be read,
repeated and contested. Gaps between words are bounded, so that a long text costs time in proportion to its length.
"""

from __future__ import annotations

import re

CJK = "\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff"
"""Characters of scripts that put no space between a word and a number or letter beside it."""

_WIDE = {code: code - 0xFEE0 for code in range(0xFF10, 0xFF5B) if chr(code - 0xFEE0).isalnum()} | str.maketrans(
    {"：": ": ", "。": ". ", "，": ", ", "、": ", ", "；": "; ", "？": "? ", "！": "! ", "（": "(", "）": ")",
     "＝": "=", "．": ".", "－": "-", "＋": "+", "％": "%", "／": "/", "～": "~", "\u3000": " ", "「": '"', "」": '"',
     "』": '"', "『": '"', "【": '"', "】": '"'}
)  # fmt: skip
_THOUSANDS = re.compile(r"(?<=\d)，(?=\d{3}(?!\d))")

MARK = re.compile(
    r"(?i)(?:\banswers?(?:\s(?:to|of|for)\s[^.\n]{0,40}?)?\W{0,4}"
    r"(?:\b(?:is|are|equals|(?:could|can|may|might|must|should|would)\s(?:also\s)?be)\b|:|=)"
    r"|^\W{0,6}(?:final\s)?answer\W{0,4}\n"
    r"|\b(?:resposta|resultado)(?:\s(?:final|corret[ao]|cert[ao]))?\W{0,4}(?:\b(?:é|seria)\b(?:\sde\b)?|:|=)"
    r"|\b(?:respuesta|resultado)(?:\s(?:final|correct[ao]))?\W{0,4}(?:\bes\b(?:\sde\b)?|:|=)"
    r"|\b(?:réponse|résultat)(?:\s(?:finale?|correcte?))?\W{0,4}(?:\best\b(?:\sde\b)?|:|=)"
    r"|\b(?:antwort|ergebnis)\W{0,4}(?:\b(?:ist|sind|lautet|beträgt|wäre)\b|:|=)"
    r"|\bответ(?:ом)?\W{0,4}?(?:\b(?:равен|будет|это|является)\b|[:=\u2014\u2013-])"
    r"|(?:答案|结果|答)(?:应该|应|就)?\s?(?:是|为|等于|[:=])"
    r"|(?:答え|正解|解答|回答|結果)\s?(?:は|[:=])"
    r"|(?:정답|해답|답|결과)\s?(?:은|는|[:=]))",
    re.MULTILINE,
)
"""What announces an answer, up to where it may begin."""

TAKEN_BACK = re.compile(
    r"(?i)(?:\b(?:wait|no[,.:!;]|hmm+|sorry|oops|correction|actually|I made (?:an?|the|some) (?:error|mistake)"
    r"|I was wrong|scratch that|let me (?:re-?check|re-?consider|re-?think|re-?do|correct)"
    r"|espere?|errei|desculpe|na verdade|corrigindo|me enganei|não[,:]"
    r"|espera|perd[oó]n|me equivoqué|en realidad|corrección"
    r"|attend(?:ez|s)|pardon|je me suis tromp|en fait|non[,:]"
    r"|moment[,:]|warte|entschuldigung|korrektur|das war falsch|nein[,:]"
    r"|подожди|ошиб|извин|исправ|нет[,:])"
    r"|等等|等一下|不对|算错|更正|我错了|いや[,\s]|間違え|訂正|待って|아니[,.]|잠깐|틀렸|정정)"
)

BEFORE_DENIED = (
    r"(?:(?:not|n['’]t|\bnever|\bneither|\bnor|\b(?:any|every)thing (?:but|except)|≠|\\neq?|!=)[^\w.!?;:\n]{0,4}"
    r"(?:(?:be|equal to|equals?)[^\w\n]{0,3})?"
    r"|\b(?:não|nem)[\s*\"“«($]{1,4}(?:(?:é|são|pode ser|igual a)[\s*\"“«($]{1,4})?"
    r"|\bno[\s*\"“«($]{1,4}(?:(?:es|son|puede ser|igual a)[\s*\"“«($]{1,4})?"
    r"|\b(?:pas|et non|ni)[\s*\"“«($]{1,4}(?:(?:être|égale? à)[\s*\"“«($]{1,4})?"
    r"|\b(?:nicht|weder|kein(?:e[nmrs]?)?)[\s*\"“«($]{1,4}"
    r"|\b(?:не|ни)[\s*\"“«($]{1,4}(?:(?:равен|равно)[\s*\"“«($]{1,4})?"
    r"|(?:不(?:是|为|等于|可能是|会是|应该是|选)?|并非|非)[\s*\"“«($]{0,4})"
)
"""Denies what stands right after it."""

AFTER_DENIED = (
    r"[\s*\"”»)$.]{0,4}(?:[^\s,.!?A-Za-z0-9]{0,3}?(?:では|じゃ)(?:な[いくか]|あり)"
    r"|[^\s,.!?A-Za-z0-9]{0,3}?(?:이|가|은|는)?\s?아(?:니|닙|닌|님)"
    r"|(?:是|选项是|选项)?(?:错误?的|错的|不对|不正确|不是)|(?:が|は)間違|(?:은|는|이|가)\s?틀"
    r"|(?:is|was|are|would be|looks|isn['’]t|cannot be|can['’]t be)\s(?:\w+\s)?"
    r"(?:not\b|wrong|incorrect|false|mistaken|right|correct|ruled out)(?<!is right)(?<!is correct)"
    r"|can be (?:ruled out|excluded)|was (?:only |just )?my (?:first|initial) (?:guess|thought|idea)"
    r"|(?:não é|está errad|é incorret|no es\b|es incorrect|n['’]est pas|est (?:faux|incorrect|fausse)"
    r"|ist (?:nicht|falsch)|(?:\u2014\s)?не(?:верн|правильн|\sподход|\sявляется)))"
)
"""Denies what stands right before it."""

UNSURE = re.compile(
    r"(?i)(?:\b(?:do(?:n['’]t| not)|did(?:n['’]t| not))\s(?:\w+\s)?know\b|\bno idea\b|\bnot enough information\b"
    r"|\bdo(?:n['’]t| not) (?:think|believe)\b|\bdoubt\b"
    r"|\b(?:wrong|incorrect|false|a mistake) to (?:say|claim|think|answer)\b"
    r"|\bno creo\b|\bnão (?:acho|acredito|creio)\b|\bne (?:crois|pense) pas\b|\bglaube (?:\w+\s)?nicht\b|\bbezweifle\b"
    r"|\bне думаю\b|\bсомнева|不(?:认为|觉得|相信)|とは思(?:いません|わない)|생각하지 않"
    r"|\b(?:can(?:not|['’]t| not)|could(?:n['’]t| not)|(?:un|not )able to|impossible to)\s(?:\w+\s)?"
    r"(?:say|tell|determine|decide|choose|answer|solve|help|assist|comply|provide|confirm|verify"
    r"|be (?:determined|known))"
    r"|\bnot (?:sure|certain|clear) (?:if|whether|that|which)\b|\bunclear (?:if|whether|which)\b"
    r"|\bnão (?:sei|posso|consigo|tenho como|é possível|há informaç)"
    r"|\bno (?:sé|puedo|se puede|es posible|hay (?:suficiente )?informaci)"
    r"|\b(?:ne |n['’])(?:sais|peux|puis|peut|suis)\b[^.,;:!?\n]{0,12}\bpas\b"
    r"|\bne sais pas\b|\bweiß (?:\w+\s)?nicht\b|\b(?:kann|können|lässt)\b[^.;:!?\n]{0,40}\bnicht\b"
    r"|\bне (?:знаю|могу|уверен|можем|ясно)\b|\bневозможно\b"
    r"|不知道|不清楚|不确定|(?:无法|不能|没法)(?:回答|确定|判断|解答|提供|帮|告诉|说|选)|无法"
    r"|(?:わか|分か|判)(?:りません|らない)|(?:お答え|回答|解答|判断)[^.,\n]{0,4}(?:でき|いたしかね)|答えられ(?:ません|ない)"
    r"|모르겠|모릅니다|알 수 없|수 없습니다"
    r"|\b(?:mere|pure|wild|(?:only|just|be) a)\s(?:\w+\s)?guess\b|\b(?:mero|puro|um) (?:palpite|chute)\b"
    r"|\b(?:mera|pura|simple) (?:suposición|supposition|conjetura|conjecture)\b"
    r"|\b(?:reine|bloße|nur eine) Vermutung\b|\b(?:лишь|просто|чистая) (?:догадка|предположение)\b"
    r"|只是猜|只能猜|(?:推測|憶測)に(?:過|す)ぎ|추측일 뿐"
    r"|\b(?:insufficient|not enough|(?:doesn['’]t|does not) \w+ enough) (?:data|information|detail)"
    r"|\bfalta[nm]? (?:dados|datos|informaç|informaci)|\b(?:dados|datos) insu?ficientes\b"
    r"|\bzu wenige? (?:Angaben|Inform|Daten)|\b(?:données|informations) insuffisantes\b"
    r"|\bpas assez (?:de données|d['’]information)|\bнедостаточно (?:данных|информ)"
    r"|(?:数据|信息|条件)不足|情報が(?:足り|不足)|정보가 부족"
    r"|\b(?:torn|hesitate|hesitating) between\b|\bdudo\b|\b(?:em dúvida|hesito) entre\b|\bhésite\b"
    r"|\bschwanke\b|\bколеблюсь\b"
    r"|犹豫|迷って|迷います|고민)"
)
"""Says of a sentence that it answers nothing: it refuses, or does not know."""

_TURN = re.compile(
    r"(?i)(?:,\s?(?:but|mas|pero|mais|aber|doch|но|а|so)\b|\b(?:but|however)\b|但是?|(?:が|けど|ですが),|지만|す?が, )"
)
"""After this, the same sentence says something else."""

_SENTENCE = re.compile(r"[^\n]*?(?:[.!?](?=[\s\"*)]|$)|\n|$)")
TWO = re.compile(
    r"(?i)(?:\b(?:or|ou|oder|или|либо)\b|或者?|还是|也可能|也许|または|もしくは|あるいは|또는|혹은|거나)"
    r"|^\W{0,3}(?:\w{1,12}\s)?[ou]\s[\W]{0,3}$|^[^\s,.]{0,2}か(?![らなりもけど])[^\s\d]{0,2}$|^[^\s,.]{0,2}이?나\s"
)
"""Between two answers: the text offers both."""

LISTED = (
    r"(?:[,;&/~\u2013]|\b(?:and|or|to|e|y|o|u|ou|et|und|oder|bis|и|или)\b|或者?|和|与|还是|到|至|および|または|か|と"
    r"|또는|와|과|이나|에서)"
)
"""Joins two answers that stand side by side."""


def usual_width(text: str) -> str:
    """The text with full-width letters, digits and punctuation as everybody else writes them."""
    return _THOUSANDS.sub(",", text).translate(_WIDE)


def without_doubts(text: str) -> tuple[str, bool]:
    """The text without what refuses or does not know, and whether there was any of that.

    A sentence is left out up to a "but": "I don't know, but it is 17" says 17.
    """
    if UNSURE.search(text) is None:
        return text, False
    kept = []
    for found in _SENTENCE.finditer(text):
        sentence = found[0]
        doubt = UNSURE.search(sentence)
        if doubt is not None:
            turn = _TURN.search(sentence, doubt.end())
            sentence = "\n" if turn is None else sentence[turn.end() :]
        kept.append(sentence)
    return "".join(kept), True
