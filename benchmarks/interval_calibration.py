"""How often an interval holds the truth: merges in every arithmetic and format, as made and changed later at any angle.

Run from the repository: `python -m benchmarks.interval_calibration [--cases 4]`. Each case is a small generated family
in memory, put through the whole pipeline; case i of a cell is made from the seed (SEED, arithmetic, format, change, i)
and from nothing else. Prints the tables and writes `benchmarks/results/interval_calibration.json`.

A later change of so many degrees has that angle to the line between the parents: 90 is sideways, 0 along it. Two truths
are asked for. `mixed` is the weight that was mixed, which the interval of alpha claims for changes of 45 degrees or
more. `place` is where on the line the suspect lies now, which the likelihood claims for every change.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: the matrices are small

import argparse
import json
import math
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.forensics.compare import Options
from modelprov.forensics.judging.findings import Findings
from modelprov.recipes.arithmetics import DESCRIPTIONS, Arithmetic
from modelprov.shares import wilson
from tests.generated import Change, Rng, Size, apply, change, combine, merge, model
from tests.memory import run

SEED = 20261128
RESULTS = Path(__file__).parent / "results" / "interval_calibration.json"
OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 17)
SIZE = Size(layers=3, hidden=32, width=64, vocabulary=100)
FORMATS = (DType.BF16, DType.F16, DType.F32)
CHANGES: dict[str, float | None] = {"none": None, "90": 90.0, "60": 60.0, "45": 45.0, "30": 30.0, "0": 0.0}
"""The later change by name: its angle to the line between the parents in degrees, None for none."""
SIZES = (0.01, 0.03, 0.1)
"""Of the later change, as shares of the parents' distance; drawn."""


@dataclass(frozen=True)
class Outcome:
    """One case: what was mixed and what was said, with the rows (layers, components, cells) that print an interval.

    `contradicting` counts the rows whose interval does not even meet that of the whole.
    """

    arithmetic: str
    format: str
    change: str
    number: int
    size: float
    alpha: float
    place: float
    low: float | None
    high: float | None
    method: str | None
    class_: str
    mixed_inside: bool | None
    place_inside: bool | None
    rows: int
    rows_inside: int
    contradicting: int
    said_open: bool


def case(arithmetic: Arithmetic, dtype: DType, name: str, number: int) -> Outcome:
    """Make one merge, change it, ask for its interval."""
    rng = np.random.default_rng([SEED, int(arithmetic), dtype.code, list(CHANGES).index(name), number])
    base = model(rng, SIZE, dtype)
    distance = 10 ** rng.uniform(-4, -2.7)
    parent = apply(base, change(base, rng, distance))
    alpha = round(float(rng.uniform(0.1, 0.9)), int(rng.integers(1, 4)))
    suspect, place, size = merge([parent, base], [alpha, 1 - alpha], arithmetic), alpha, 0.0
    if (angle := CHANGES[name]) is not None:
        size = float(rng.choice(SIZES))
        along = size * math.cos(math.radians(angle)) * (1 if rng.random() < 0.5 else -1)
        place = alpha + along
        suspect = apply(suspect, later(rng, parent, base, along, size * math.sin(math.radians(angle))))
    return outcome(
        run((suspect, parent, base), (), OPTIONS).findings, arithmetic, dtype, name, number, size, alpha, place
    )


def later(rng: Rng, parent: Weights, base: Weights, along: float, beside: float) -> Change:
    """A change with `along` of the parents' difference and `beside` of its length at a right angle to it."""
    u = {name: parent[name][0] - base[name][0] for name in base}
    kept = {name: (values != 0).any(axis=-1, keepdims=True) for name, (values, _) in base.items()}  # padding stays 0
    aside = {name: values * kept[name] for name, values in change(base, rng, 1.0).items()}
    aside = combine([(1.0, aside), (-_dot(aside, u) / _dot(u, u), u)])
    return combine([(along, u), (beside * math.sqrt(_dot(u, u) / _dot(aside, aside)), aside)])


def _dot(one: Change, other: Change) -> float:
    """The product over the matrices."""
    return sum(float(np.vdot(one[name].astype(np.float64), other[name])) for name in one if one[name].ndim == 2)


def outcome(
    found: Findings,
    arithmetic: Arithmetic,
    dtype: DType,
    name: str,
    number: int,
    size: float,
    truths: tuple[float, float],
) -> Outcome:
    """What the findings say of the two truths, `mixed` and `place`."""
    mixing, (alpha, place) = found.mixing, truths
    rows = [row for row in (*found.components, *found.layers, *found.cells) if row.low is not None]
    low, high = mixing.low, mixing.high
    known = low is not None and high is not None
    return Outcome(
        arithmetic=DESCRIPTIONS[arithmetic].name,
        format=str(dtype),
        change=name,
        number=number,
        size=size,
        alpha=alpha,
        place=place,
        low=low,
        high=high,
        method=mixing.method,
        class_=str(found.verdict.class_),
        mixed_inside=bool(low <= alpha <= high) if known else None,
        place_inside=bool(low <= place <= high) if known else None,
        rows=len(rows),
        rows_inside=sum(row.low <= alpha <= row.high for row in rows),
        contradicting=sum(row.low > high or row.high < low for row in rows) if known else 0,
        said_open=mixing.assumes is not None,
    )


def _case(task: tuple[Arithmetic, DType, str, int]) -> Outcome:
    return case(*task)


def table(outcomes: list[Outcome], of: str) -> list[dict[str, object]]:
    """Shares by one field of the outcomes, and by the later change: one row for each pair."""
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[str(getattr(one, of)), one.change].append(one)
    rows = []
    for (name, changed), own in groups.items():
        known = [one for one in own if one.low is not None]
        rows.append(
            {
                of: name,
                "change": changed,
                "merges": len(own),
                "without interval": len(own) - len(known),
                "mixed": _share(sum(one.mixed_inside or False for one in known), len(known)),
                "place": _share(sum(one.place_inside or False for one in known), len(known)),
                "says what it assumes": sum(one.said_open for one in known),
                "rows": _share(sum(one.rows_inside for one in own), sum(one.rows for one in own)),
                "contradicting rows": sum(one.contradicting for one in own),
            }
        )
    return rows


def _share(count: int, of: int) -> dict[str, float | int | None]:
    bounds = wilson(count, of)
    return {"count": count, "of": of, "low": bounds.low, "high": bounds.high}


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cases", type=int, default=4, help="of each arithmetic, format and change; fewer writes nothing"
    )
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    start = time.perf_counter()
    tasks = list(product(Arithmetic, FORMATS, CHANGES, range(arguments.cases)))
    with ProcessPoolExecutor(arguments.workers) as pool:
        outcomes = list(pool.map(_case, tasks))
    result = {
        "seed": SEED,
        "merges": len(outcomes),
        "sizes": SIZES,
        "by arithmetic": table(outcomes, "arithmetic"),
        "by format": table(outcomes, "format"),
        "by method": table(outcomes, "method"),
        "misses": [asdict(one) for one in outcomes if one.mixed_inside is False and (CHANGES[one.change] or 90) >= 45],
        "places missed": [asdict(one) for one in outcomes if one.place_inside is False],
    }
    print(f"{'':28} {'change':>6} {'merges':>6} {'mixed':>9} {'place':>9} {'rows':>11} {'contradicting':>13}")
    for key in ("by arithmetic", "by format", "by method"):
        for row in result[key]:
            mixed, place, rows = (f"{row[name]['count']}/{row[name]['of']}" for name in ("mixed", "place", "rows"))
            label = next(iter(row.values()))
            print(f"{label:28} {row['change']:>6} {row['merges']:6} {mixed:>9} {place:>9} {rows:>11} "
                  f"{row['contradicting rows']:13}")  # fmt: skip
    print(f"{time.perf_counter() - start:.0f} s")
    if arguments.cases >= 4:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
        print(f"wrote {RESULTS}")


if __name__ == "__main__":
    main()
