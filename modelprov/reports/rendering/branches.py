"""The lines of a tree as SVG, beside rows of a fixed height: elbows to what a row hangs from, bows to other sources.

Pictures only: a screen reader hears the rows. Sizes are in hundredths of a rem, so that they grow with the text.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from modelprov.reports.trees import Row, Tree

HEIGHT, INDENT, LANE, RADIUS, MARGIN = 350, 120, 130, 30, 40
DEEPEST = 7
"""Rows below this depth are drawn at it: a phone has no room for more."""
FARTHEST = 12
"""Rows that a bow spans when it uses all of its lane."""
MIDDLE = 105
"""From the top of a row to its dot: the middle of its first line of text."""


def width(tree: Tree) -> float:
    """Of the drawing, in rem."""
    return (_lane(tree) + min(max(row.depth for row in tree.rows), DEEPEST) * INDENT + 2 * MARGIN) / 100


def drawn(tree: Tree) -> Markup:
    """The drawing."""
    rows, high = tree.rows, HEIGHT * len(tree.rows)
    wide = width(tree) * 100
    lane = _lane(tree)
    parts = [part for number, row in enumerate(rows) for part in _lines(rows, number, row, lane, tree.mark)]
    dots = [
        f'<circle class="{"made" if row.line == "from" else "dot"}" cx="{_x(row, lane)}" cy="{_y(at)}" r="{RADIUS}"/>'
        for at, row in enumerate(rows)
    ]
    head = (
        f'<svg class="branches" aria-hidden="true" focusable="false" viewBox="0 0 {wide:.0f} {high}" '
        f'style="width: {wide / 100:.2f}rem; height: {high / 100:.2f}rem">'
    )
    arrow = (
        f'<defs><marker id="head-{tree.mark}" viewBox="0 0 10 10" refX="9" refY="5" markerUnits="userSpaceOnUse" '
        'markerWidth="46" markerHeight="46" orient="auto"><path class="head" d="M0 0L10 5L0 10z"/></marker></defs>'
    )
    return Markup(head + arrow + "".join(parts + dots) + "</svg>")


def _lane(tree: Tree) -> int:
    """Room on the left for bows, where there are any."""
    return LANE if any(row.sources or row.loose for row in tree.rows) else 0


def _x(row: Row, lane: int) -> int:
    return lane + MARGIN + min(row.depth, DEEPEST) * INDENT


def _y(number: int) -> int:
    return number * HEIGHT + MIDDLE


def _lines(rows: Sequence[Row], number: int, row: Row, lane: int, mark: str) -> list[str]:
    """What leads to one row."""
    head = f' marker-end="url(#head-{mark})"'
    right, low = _x(row, lane), _y(number)
    found = []
    if row.under is not None:
        left, high = _x(rows[row.under], lane), _y(row.under)
        if left == right:  # both at the greatest depth
            left -= INDENT // 2
        ends = right - RADIUS - (10 if row.line == "from" else 0)
        path = f"M{left} {high + RADIUS}V{low - 40}Q{left} {low} {left + 40} {low}H{ends}"
        if row.line == "same":
            found += [f'<path class="same" d="{path}"/>', f'<path class="between" d="{path}"/>']
        else:
            found.append(f'<path class="{row.line}" d="{path}"{head if row.line == "from" else ""}/>')
    for other in row.sources:
        found.append(f'<path class="from" d="{_bow(rows, other, number, lane)}"{head}/>')
    for other in row.loose:
        found.append(f'<path class="loose" d="{_bow(rows, other, number, lane)}"/>')
    return found


def _bow(rows: Sequence[Row], start: int, end: int, lane: int) -> str:
    """A curve to the left of both rows, the further the longer it is."""
    x, y, right, low = _x(rows[start], lane), _y(start), _x(rows[end], lane), _y(end)
    reach = MARGIN // 2 + (lane - MARGIN) * max(0.0, 1 - abs(end - start) / FARTHEST)  # where the curve is to be
    gap, left = RADIUS + 6, min(x, right)
    out = left - (left - reach) / 0.75  # three quarters of the way to its control points is as far as it gets
    return f"M{x - gap} {y}C{out:.0f} {y} {out:.0f} {low} {right - gap} {low}"
