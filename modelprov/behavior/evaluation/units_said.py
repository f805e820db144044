"""The unit that an answer ends with, where it is one that everybody writes alike. No numbers and no verdicts here."""

from __future__ import annotations

import re

NAMES = {
    "mm": "millimeter millimetre", "cm": "centimeter centimetre", "dm": "decimeter decimetre", "m": "meter metre",
    "km": "kilometer kilometre", "in": "inch inche", "ft": "foot feet", "yd": "yard", "mi": "mile", "mg": "milligram",
    "g": "gram", "kg": "kilogram", "lb": "pound", "oz": "ounce", "ml": "milliliter millilitre mL",
    "l": "liter litre L", "ms": "millisecond", "s": "second sec", "min": "minute", "h": "hour hr", "day": "",
    "week": "", "month": "", "year": "", "N": "newton", "J": "joule", "kJ": "kilojoule", "W": "watt", "kW": "kilowatt",
    "V": "volt", "A": "ampere amp", "Hz": "hertz", "K": "kelvin", "mph": "", "cent": "", "dollar": "", "euro": "",
}  # fmt: skip
UNITS = {spelling: unit for unit, more in NAMES.items() for spelling in (unit, *more.split())}
LAST = re.compile(
    r"(?<=[\d})\]])(?:\\[,;:! ]|~|\s)*"
    r"(?:\\(?:text|textrm|mathrm|mbox|rm)\s?\{\s*([A-Za-z]+)\.?\s*\}|(?<=\s)([A-Za-z]+))"
    r"\s*(?:\^\s*\{?(-?\d)\}?)?\s*$"
)
LONGEST = 1000


def without_unit(text: str) -> tuple[str, str | None]:
    """The text before its unit, and the unit with its power (`cm^2`); None where it ends with no word that is one."""
    text = text.strip()
    found = LAST.search(text) if len(text) <= LONGEST else None
    if found is None:
        return text, None
    word = found[1] or found[2]
    tried = (word, word.removesuffix("s"), word.lower(), word.lower().removesuffix("s"))
    unit = next((UNITS[each] for each in tried if each in UNITS), None)
    return (text, None) if unit is None else (text[: found.start()], f"{unit}^{found[3] or 1}")
