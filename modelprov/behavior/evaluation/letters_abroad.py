"""What is said of a letter in Portuguese, Spanish, Chinese, Japanese, Korean, Russian, German, French. No verdicts.

`letters_said.py` knows English and decides.
"""

from __future__ import annotations

import re
from functools import cache

from modelprov.behavior.evaluation.words_said import AFTER_DENIED, MARK

OPTION = (
    r"(?:(?:a|la|l['’]|le|die|o|el)\s?)?"
    r"(?:(?i:letra|alternativa|opção|opción|option|lettre|réponse|antwort|buchstabe|вариант|буква|选项|選択肢|보기)\s?)?"
)
BEFORE = (
    r"(?i:\b(?:alternativa|opção|letra)\s(?:corret[ao]|cert[ao])\W{0,3}(?:é|:)"
    r"|\b(?:opción|alternativa)\s(?:correcta)\W{0,3}(?:es|:)|\boption\scorrecte\W{0,3}(?:est|:)"
    r"|\b(?:richtig|korrekt)\W{0,3}(?:ist|wäre)\b|\b(?:richtige|korrekte)\s(?:option|lösung)\W{0,3}(?:ist|:)"
    r"|\b(?:верн|правильн)\w{2,4}\s(?:вариант|ответ)\W{0,4}(?:это\b)?"
    r"|\b(?:escolh(?:o|eria)|seleciono|marco|fico com|elijo|elegiría|escojo|selecciono|me quedo con)\b"
    r"|\bje\s(?:choisi(?:s|rais)|sélectionne|prends)\b|\bich\s(?:wähle|nehme|entscheide mich für)\b|\bвыбираю\b"
    r"|\b(?:sondern|sino|mas|mais)\b(?:\sque)?(?:\s(?:sim|bien))?|,\sа\b|(?<!不)选(?:择)?|而是|应该是|应为|就是)"
)
AFTER = (
    r"[)*\"”]{0,3}(?:\s?(?:番|选项|번))?(?:(?:是|为|才是|最)?(?:正确|对的|对(?![于比])|合适)|(?:が|は)(?:最も)?(?:正し|正解|適切)"
    r"|です(?!か)|だ(?:と思|。|\.)|を選|(?:이|가)?\s?(?:맞|정답|옳)|입니다|를 (?:선택|고르)"
    r"|\s(?:está|é)\s(?:a\s)?(?:corret|cert[ao]|resposta)|\s(?:es|está)\s(?:la\s)?(?:correct|respuesta)"
    r"|\sest\s(?:la\s)?(?:correct|juste|bonne|vrai)|\sist\s(?:die\s)?(?:richtig|korrekt)"
    r"|\W{1,4}(?:верн|правильн)(?:ый|о|а|ая|ое)\b)"
)
DENIED_BEFORE = (
    r"(?:\b(?:não|no|pas|nicht|не|nem|ni|weder)\s(?:(?:é|seria|es|est|ist)\s)?"
    r"|(?:不(?:是|选|应选|应该选|能选)|并非|除了)"
    r"|\b(?i:tudo|todo|todas?|alles|tout|tous|всё|все)\s(?:menos|exceto|excepto|außer|sauf|кроме)\s)" + OPTION
)
HEDGE = r"(?:かどうか|か(?:は|が)?(?:わか|分か)|는지|인지|(?:이|가)?\s?맞는지)"
FREE, ENDS = r"(?<![A-Za-z0-9'’])", r"(?![A-Za-z0-9'’])"


def without_denials(text: str, letters: str) -> str:
    """The text without the letters that it denies ("não é B", "Bではない", "不是B")."""
    return _denied(letters).sub(" ", text)


def claims_abroad(text: str, letters: str) -> list[tuple[int, int]]:
    """Where each letter stands that is said to be the answer, and where what says it ends."""
    found = []
    for claim in _claims(letters).finditer(text):
        name = next(name for name in claim.groupdict() if claim[name])
        found.append((claim.start(name), claim.end()))
    return found


@cache
def _denied(letters: str) -> re.Pattern[str]:
    one = rf"{FREE}\(?[{letters}]{ENDS}\)?"
    return re.compile(
        rf"{DENIED_BEFORE}[\s*\"“]{{0,2}}{one}|{one}(?:번|選択肢|选项)?(?:{AFTER_DENIED}|[^\s,.]{{0,6}}{HEDGE})"
    )


@cache
def _claims(letters: str) -> re.Pattern[str]:
    alike = "".join(other for other, latin in zip("АВСЕ", "ABCE", strict=True) if latin in letters)
    one = rf"[{letters}]{ENDS}"
    look_alike = rf"(?<=ответ)\W{{1,4}}(?P<cyrillic>[{alike}])(?!\w)" if alike else r"(?P<cyrillic>(?!))"
    mark = MARK.pattern.removeprefix("(?i)")
    return re.compile(
        rf"(?i:{mark})\W{{0,6}}(?i:{OPTION})\W{{0,3}}(?P<mark>{one})"
        rf"|{BEFORE}\W{{0,4}}(?i:{OPTION})\W{{0,3}}(?P<before>{one})"
        rf"|{FREE}\(?(?P<after>{one}){AFTER}"
        rf"|(?i:{look_alike})",
        re.MULTILINE,
    )
