"""How numbers and foreign text look in every report. Formats only: no statistics, no layout, no input or output.

Three promises hold everywhere. A share that is not exactly one never reads "100 %" and one that is not exactly zero
never reads "0 %". Bounds are rounded outwards, so a printed interval always holds the measured one. Whatever was not
measured (None, or a number that is not finite) reads as a dash. A half is rounded up, as people round what they read.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from modelprov.foreign.shown import clean as clean  # noqa: PLC0414  (reports say n.clean)

MISSING = "–"

_COUNT_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
_BYTE_UNITS = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_ASCII = str.maketrans(
    {
        "α": "alpha",
        "σ": "sigma",
        "Σ": "sum",
        "±": "+/-",
        "×": "x",
        "·": "*",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "√": "sqrt ",
        "²": "^2",
        "–": "-",
        "—": "-",
        "−": "-",
        "…": "...",
        "→": "->",
        "•": "*",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "\u00a0": " ",
    }
)


def finite(value: float | None) -> float | None:
    """Return the value if it is a finite number, else None."""
    return value if value is not None and math.isfinite(value) else None


def _decimals(value: float, places: int, rounding: str) -> str:
    if abs(value) >= 1e15:  # beyond what decimal places can say
        return f"{value:.6g}"
    text = f"{Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), rounding=rounding):f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def share(value: float | None, places: int = 2, rounding: str = ROUND_HALF_UP) -> str:
    """Return a share between 0 and 1 as a percentage; 0.99996 is ">99.99 %", never "100 %"."""
    value = finite(value)
    if value is None:
        return MISSING
    if value in {0.0, 1.0}:
        return f"{value:.0%}".replace("%", " %")
    text = _decimals(100 * value, places, rounding)
    smallest = 10.0**-places
    if 100 - smallest < 100 * value < 100:
        return f">{100 - smallest:.{places}f} %"
    if value > 0 and float(text) <= 0:
        return f"<{smallest:.{places}f} %"
    return f"{text} %"


def at_least(value: float | None) -> str:
    """Return a share of weights as a percentage, rounded down as in every headline."""
    return share(value, rounding=ROUND_FLOOR)


def cosine(value: float | None, places: int = 4) -> str:
    """Return a cosine or correlation; 0.99996 is ">0.9999", and only exactly 1 is "1"."""
    value = finite(value)
    if value is None:
        return MISSING
    if abs(value) == 1:
        return f"{value:.0f}"
    text = _decimals(value, places, ROUND_HALF_UP)
    if abs(value) < 1 and abs(float(text)) >= 1:
        edge = f"{1 - 10.0**-places:.{places}f}"
        return f">{edge}" if value > 0 else f"<-{edge}"
    return text


def number(value: float | None, places: int = 4) -> str:
    """Return a plain number with fixed decimals."""
    value = finite(value)
    return MISSING if value is None else _decimals(value, places, ROUND_HALF_UP)


def _places(spread: float, fewest: int = 3, most: int = 8) -> int:
    """So many decimals that the spread shows in the last one or two."""
    if spread <= 0:
        return 7
    return min(most, max(fewest, math.ceil(-math.log10(max(spread / 3, 1e-300)))))


def interval(low: float | None, high: float | None) -> str:
    """Hard bounds, rounded outwards: "[0.564997, 0.565003]"."""
    low, high = finite(low), finite(high)
    if low is None or high is None:
        return MISSING
    places = _places(high - low)
    return f"[{_decimals(low, places, ROUND_FLOOR)}, {_decimals(high, places, ROUND_CEILING)}]"


def coefficient(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Return a mixing coefficient with as many decimals as its interval carries; three where it has none."""
    value, low, high = finite(value), finite(low), finite(high)
    if value is None:
        return MISSING
    places = 3 if low is None or high is None else _places(high - low)
    return _decimals(value, places, ROUND_HALF_UP)


def tolerance(value: float | None, low: float | None, high: float | None) -> str:
    """Return the larger distance from the value to its bounds, rounded up to one digit: "±3e-6"."""
    value, low, high = finite(value), finite(low), finite(high)
    if value is None or low is None or high is None:
        return ""
    distance = max(value - low, high - value)
    if distance <= 0:
        return "±0"
    exponent = math.floor(math.log10(distance))
    digit = math.ceil(distance / 10.0**exponent - 1e-9)
    if digit == 10:
        digit, exponent = 1, exponent + 1
    if exponent >= -3:
        return f"±{_decimals(digit * 10.0**exponent, max(0, -exponent), ROUND_HALF_UP)}"
    return f"±{digit}e{exponent}"


def with_error(value: float | None, error: float | None) -> str:
    """Return an estimate with its standard error, rounded up: "0.5984 ± 0.0004"."""
    value, error = finite(value), finite(error)
    if value is None:
        return MISSING
    if error is None or error <= 0:
        return _decimals(value, 4, ROUND_HALF_UP)
    places = _places(error, fewest=0)
    return f"{_decimals(value, places, ROUND_HALF_UP)} ± {_decimals(error, places, ROUND_CEILING)}"


def scientific(value: float | None) -> str:
    """Return a small quantity such as sigma: "1.96e-05"."""
    value = finite(value)
    if value is None:
        return MISSING
    return "0" if value == 0 else f"{value:.3g}"


def count(value: float | None) -> str:
    """Return a whole number with thousands separators."""
    value = finite(value)
    return MISSING if value is None else f"{value:,.0f}"


def _scaled(value: float, units: tuple[tuple[float, str], ...], gap: str) -> str | None:
    for size, unit in units:
        if value >= size * 0.9995:
            scaled = value / size
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}{gap}{unit}"
    return None


def compact(value: float | None) -> str:
    """Return a count as people say it of models: "397B", "12.3M", "4,096"."""
    value = finite(value)
    if value is None:
        return MISSING
    return count(value) if value < 10_000 else _scaled(value, _COUNT_UNITS, "") or count(value)


def size(value: float | None) -> str:
    """Bytes in decimal units: "807 GB"."""
    value = finite(value)
    if value is None:
        return MISSING
    return _scaled(value, _BYTE_UNITS, " ") or f"{count(value)} bytes"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: "42.0 s", "12 min 5 s", "3 h 2 min"."""
    seconds = finite(seconds)
    if seconds is None:
        return MISSING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def plural(value: int, singular: str, several: str | None = None) -> str:
    """Return a count with its noun: "1 tensor", "1,083 tensors"."""
    return f"{count(value)} {singular if value == 1 else several or singular + 's'}"


def ascii_only(text: str) -> str:
    """Return the text in ASCII: our own symbols in words, anything else as an escape."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
