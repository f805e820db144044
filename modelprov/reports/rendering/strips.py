"""Small plots made of characters: one dot per layer, in braille or in ASCII. Knows numbers, not reports or colours."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def _row(value: float, low: float, high: float, rows: int) -> int:
    """Return the row from the top, 0 to rows - 1."""
    place = (min(max(value, low), high) - low) / (high - low)
    return rows - 1 - min(rows - 1, int(place * rows))


def braille(values: Sequence[float | None], low: float, high: float, height: int = 3) -> list[str]:
    """`height` lines of text, two values to a character, four dots to a line; missing values leave a gap."""
    cells = [[0] * math.ceil(len(values) / 2) for _ in range(height)]
    for i, value in enumerate(values):
        if value is not None:
            line, dot = divmod(_row(value, low, high, 4 * height), 4)
            cells[line][i // 2] |= _DOTS[dot][i % 2]
    return ["".join(chr(_BRAILLE + cell) if cell else " " for cell in line) for line in cells]


def letters(values: Sequence[float | None], low: float, high: float, height: int = 5) -> list[str]:
    """Return the same in ASCII: one value to a character, one to a line."""
    cells = [[" "] * len(values) for _ in range(height)]
    for i, value in enumerate(values):
        if value is not None:
            cells[_row(value, low, high, height)][i] = "*"
    return ["".join(line) for line in cells]


def strip(values: Sequence[float | None], width: int, bounds: tuple[float, float], plain: bool) -> list[str]:
    """Lines with an axis on the left, at most `width` wide; long models are cut into strips one above the other."""
    low, high = bounds
    axis = [f"{end:.3f} " if abs(end) < 1e6 else f"{end:.3g} " for end in (high, low)]
    margin = max(map(len, axis)) + 1
    per_strip = max(2, (width - margin) * (1 if plain else 2))
    lines: list[str] = []
    for start in range(0, len(values), per_strip):
        part = values[start : start + per_strip]
        body = letters(part, low, high) if plain else braille(part, low, high)
        edge = "|" if plain else "│"
        for i, line in enumerate(body):
            label = axis[0] if i == 0 else axis[1] if i == len(body) - 1 else ""
            lines.append(f"{label:>{margin - 1}}{edge}{line}".rstrip())
    return lines
