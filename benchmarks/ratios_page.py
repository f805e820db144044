"""One self-contained page of ratios: no script, nothing fetched. Computes no ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby

from benchmarks.ratios import Ratio

STYLE = """
:root { color-scheme: light dark; --ink: #1f2937; --paper: #fff; --line: #d1d5db; --quiet: #4b5563; --bar: #3b6fb6;
  --met: #166534; --missed: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --paper: #111827; --line: #374151; --quiet: #9ca3af;
  --bar: #7aa2e3; --met: #86efac; --missed: #fca5a5; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
ol, ul { list-style: none; padding: 0; margin: 0; }
li { border-top: 1px solid var(--line); padding: .5rem 0; display: grid; gap: .1rem 1rem;
  grid-template-columns: minmax(0, 1fr) 6rem 13rem; align-items: baseline; }
.value { text-align: right; font-variant-numeric: tabular-nums; font-weight: 600; }
.against { grid-column: 1 / -1; color: var(--quiet); font-size: .875rem; }
.bar { grid-column: 1 / -1; position: relative; height: .5rem; background: var(--line); border-radius: .25rem; }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--bar); border-radius: .25rem; }
.bar b { position: absolute; top: -.2rem; bottom: -.2rem; width: 2px; background: var(--ink); }
.met { color: var(--met); } .missed { color: var(--missed); font-weight: 600; } .none { color: var(--quiet); }
.skipped li { display: block; }
@media (max-width: 40rem) { li { grid-template-columns: minmax(0, 1fr) max-content; }
  li .state { grid-column: 1 / -1; grid-row: 2; }
  dl { grid-template-columns: minmax(0, 1fr); } dd { margin-bottom: .3rem; } }
"""


def page(facts: Mapping[str, str], ratios: Sequence[Ratio], skipped: Sequence[tuple[str, str]]) -> str:
    """The page: the machine, what was reached, every ratio by subject, and what was not measured and why."""
    with_target = [ratio for ratio in ratios if ratio.met is not None]
    reached = sum(bool(ratio.met) for ratio in with_target)
    told = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    groups = groupby(ratios, key=lambda ratio: ratio.about)
    parts = "".join(f"<h2>{escape(about)}</h2><ol>{''.join(map(_row, rows))}</ol>" for about, rows in groups)
    left = "".join(f"<li><strong>{escape(name)}</strong>: {escape(why)}</li>" for name, why in skipped)
    unmeasured = f'<h2>Not measured</h2><ul class="skipped">{left}</ul>' if skipped else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>modelprov: ratios to the ceilings</title><style>{STYLE}</style></head><body>"
        f"<h1>Ratios to the ceilings of this machine</h1><p>{reached} of {len(with_target)} targets reached; "
        f"{len(ratios) - len(with_target)} figures without a target. What a figure is measured against was measured in "
        "the same run. The mark on a bar is the target.</p>"
        f"<dl>{told}</dl>{parts}{unmeasured}</body></html>\n"
    )


def _row(ratio: Ratio) -> str:
    scale = max(1.0 if not ratio.unit else 0.0, ratio.value, 1.1 * (ratio.target or 0.0)) or 1.0
    mark = "" if ratio.target is None else f'<b style="left:{100 * ratio.target / scale:.1f}%"></b>'
    bar = f'<div class="bar" aria-hidden="true"><i style="width:{100 * ratio.value / scale:.1f}%"></i>{mark}</div>'
    state, kind = {True: ("reached", "met"), False: ("missed", "missed"), None: ("no target", "none")}[ratio.met]
    wanted = f"{state}: {ratio.wanted}" if ratio.target is not None else state
    return (
        f'<li><span>{escape(ratio.name)}</span><span class="value">{ratio.value:.3g}{escape(ratio.unit)}</span>'
        f'<span class="state {kind}">{escape(wanted)}</span>'
        f"{bar if mark or not ratio.unit else ''}"  # without a target a figure with a unit has nothing to be a share of
        f'<span class="against">against: {escape(ratio.ceiling)}</span></li>'
    )
