"""Draws house.svg from the import contract in pyproject.toml and the lines in each room; run it after a move.

.venv/bin/python docs/images/house.py
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).parents[2]
PURPOSE = {
    "cli": "parses, calls one job, publishes",
    "demo": "a family of small models with a known history",
    "jobs": "one file a job: arguments in, result out; the public names",
    "reports": "a result told once, rendered as terminal, Markdown and page",
    "check": "claims against measurements",
    "forensics": "sums · sampling · estimators · search · judging",
    "merge": "plans, methods, writing",
    "behavior": "generation · evaluation · probing",
    "serve": "a page in the browser: gate, places, the one run",
    "recipes": "Recipe, its YAML, its words for groups of tensors, exact arithmetics",
    "engines": "work over threads",
    "checkpoints": "sources · formats · layouts: where weights come from and what they are",
    "foreign": "text that others wrote",
    "called": "what messages call an argument",
    "locking": "one writer at a time",
    "native": "C kernels, built where there is a compiler",
    "savable": "results that save and show themselves",
}
INK, QUIET, WALL, FILL = "#1f2937", "#6b7280", "#9ca3af", "#f3f4f6"


def floors() -> list[list[str]]:
    """The rooms from the top floor down, those that never meet side by side."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [[room.strip().removeprefix("modelprov.") for room in floor.split("|")] for floor in contracts[0]["layers"]]


def lines(room: str) -> int:
    """Lines of Python in a room."""
    place = ROOT / "modelprov" / room
    files = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def draw() -> Figure:
    """One floor a row; arrows of import go down only."""
    rows = floors()
    figure = Figure(figsize=(9.6, 0.72 * len(rows) + 0.5))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 100), ylim=(-0.55, len(rows)))
    axes.axis("off")
    for height, rooms in enumerate(reversed(rows)):
        width = 92 / len(rooms)
        for place, room in enumerate(rooms):
            left = 2 + place * width
            box = FancyBboxPatch(
                (left + 0.4, height + 0.1), width - 0.8, 0.78, boxstyle="round,pad=0,rounding_size=0.12"
            )
            box.set(facecolor=FILL, edgecolor=WALL, linewidth=1)
            axes.add_patch(box)
            many = room not in PURPOSE  # the floor of single files, which the first line of each explains
            axes.text(
                left + 1.6, height + 0.62, room, color=INK, weight="bold", fontsize=7 if many else 10, va="center"
            )
            axes.text(
                left + width - 1.6,
                height + (0.31 if many else 0.62),
                f"{lines(room):,}",
                color=QUIET,
                fontsize=8,
                va="center",
                ha="right",
            )
            axes.text(left + 1.6, height + 0.31, PURPOSE.get(room, ""), color=INK, fontsize=8, va="center")
    axes.annotate("", (97, 0.1), (97, len(rows) - 0.1), arrowprops={"arrowstyle": "->", "color": QUIET})
    axes.text(98, len(rows) / 2, "imports go down only", rotation=90, color=QUIET, fontsize=8, va="center")
    axes.text(
        2.4, -0.25, "Lines of Python at the right of each room. Drawn from pyproject.toml.", color=QUIET, fontsize=8
    )
    return figure


if __name__ == "__main__":
    mpl.rcParams |= {"svg.hashsalt": "house", "svg.fonttype": "none", "font.family": "sans-serif"}
    draw().savefig(ROOT / "docs" / "images" / "house.svg", metadata={"Date": None})
