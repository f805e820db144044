"""How a plot becomes SVG text: deterministic, self-contained, in the page's own colours. No statistics, no data.

Matplotlib is imported on first use. Colours are placeholders that become CSS variables, so that a plot follows the
page's light or dark scheme; text stays text.
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Draw = Callable[[], str]
"""What draws a plot when it is called, and gives it as an SVG element."""

INK, QUIET, FAINT, ACCENT, PAPER = "#010101", "#020202", "#030303", "#040404", "#050505"
_VARIABLES = {INK: "--ink", QUIET: "--quiet", FAINT: "--rule", ACCENT: "--accent", PAPER: "--paper"}
TIP, CELLS = "tip-", "cells-"
_WIDTH = 7.6
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_STYLE = {
    "svg.hashsalt": "modelprov",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.facecolor": "none",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "hatch.color": QUIET,
    "hatch.linewidth": 0.5,
}


def svg(draw: Callable[[Figure], None], name: str, description: str, height: float) -> str:
    """Return the drawing as an inline SVG element with a title, without metadata, identifiers or fixed size."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        figure.patch.set_alpha(0)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'(\sid=")', rf"\1{name}-", text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'(xlink:href="#)', rf"\1{name}-", text)
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "var(--sans)", text)
    for placeholder, variable in _VARIABLES.items():
        text = text.replace(placeholder, f"var({variable})")
    text = re.sub(rf'<g id="{name}-{TIP}([^"]*)">', _tipped, text)
    text = re.sub(rf'<g id="{name}-{CELLS}([^"]*)">(.*?)</g>', _celled, text, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', text)
    label = html.escape(description, quote=True)
    head = f'<svg {box.group() if box else ""} role="img" aria-label="{label}"><title>{label}</title>'
    return head + re.sub(r"\n\s*\n", "\n", text[text.index(">") + 1 :]).strip()


def tip(says: str) -> str:
    """What to give an artist as its `gid`, so that a page says this of it: under a pointer, and read aloud on focus."""
    return TIP + says.encode().hex()


def answering(axes: Axes, x: float, y: float, says: str) -> None:
    """An unseen disc over a point, wide enough for a finger, that says what the point is."""
    axes.plot([x], [y], "o", ms=9, color=PAPER, alpha=0.0, mew=0, gid=tip(says))


def cells(says: Sequence[str]) -> str:
    """What to give a mesh as its `gid`, so that a page says this of its cells, row by row, under a pointer.

    A keyboard would have to pass every one of them: a `tip` for each row is for that.
    """
    return CELLS + "\n".join(says).encode().hex()


def _celled(found: re.Match[str]) -> str:
    says = iter(bytes.fromhex(found[1]).decode().split("\n"))
    paths = re.sub(r"(<path\b[^>]*?)/>", lambda path: f"{path[1]}>{_title(next(says, ''))}</path>", found[2])
    return f'<g class="cells">{paths}</g>'


def _title(says: str) -> str:
    return f"<title>{html.escape(says, quote=True)}</title>" if says else ""


def _tipped(found: re.Match[str]) -> str:
    says = html.escape(bytes.fromhex(found[1]).decode(), quote=True)
    return f'<g class="tipped" tabindex="0" role="img" aria-label="{says}"><title>{says}</title>'


def nice_range(values: Sequence[float], whole: tuple[float, float] | None = None) -> tuple[float, float]:
    """Round bounds that hold all values: `whole` where it does, else multiples of a round step."""
    lowest, highest = min(values), max(values)
    if whole and whole[0] <= lowest and highest <= whole[1]:
        return whole
    spread = max(highest - lowest, 1e-3, 1e-6 * max(abs(highest), abs(lowest)))
    step = next((step for step in _STEPS if step * 2 >= spread), 10.0 ** math.ceil(math.log10(spread)))
    low, high = math.floor(lowest / step) * step, math.ceil(highest / step) * step
    return (low, high) if high > low else (low - step, high + step)
