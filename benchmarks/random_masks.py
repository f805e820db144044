"""What the thresholds of random masks (DARE, DELLA) are held against, on generated merges and on what none made.

Run from the repository: `python -m benchmarks.random_masks [--cases 30]`. Case i of a kind is made from (SEED, kind,
i); even numbers set the thresholds, odd ones report. Families are those of `method_cases`. Measures are those of
the true base and models; a suspect of which fewer than three tensors are explained to 60 % has none. Survivors are
computed again where what does not need their bits passes, as in the search.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from benchmarks.cases.opponent_third import part_of_a_training_at_another_rate, sign_steps_at_another_rate
from benchmarks.method_cases import Case, case_of, child, family, noisy, picked, sibling
from benchmarks.methods import RANDOM
from modelprov.checkpoints.layouts.alignment import align
from modelprov.forensics import thresholds
from modelprov.forensics.search.methods import masked, random_masks
from modelprov.forensics.search.methods.masked import Masked
from modelprov.forensics.search.methods.random_masks import TENSORS, Consistency, consistency
from modelprov.forensics.search.methods.survivors import Remade
from modelprov.forensics.search.methods.whole import Wholes
from tests.forensics.methods.making import merged
from tests.generated import Rng, apply, change, sparse
from tests.memory import checkpoint

SEED = 20261127
LOOSE = 0.9  # in place of MASKED while measuring, so that what misses it is seen too


@dataclass(frozen=True)
class Measured(Consistency):
    """The measures of a case, and what came out of its survivors, None where that is not asked."""

    remade: Remade | None

    @property
    def passes(self) -> bool:
        """Whether all thresholds but `SHUFFLED` do."""
        return self.remade is not None and self.remade.computed


Measure = tuple[str, str, bool, Callable[[Measured], float | None]]


def _sparse(rng: Rng) -> Case:
    """A run that changed a random share of the weights, and a part of it at another size."""
    *_, base = family(rng, 1)
    whole = change(base, rng, 1e-3)
    first = apply(base, whole)
    part = sparse(whole, rng, float(rng.uniform(0.3, 0.8)))
    grown = {name: values * np.float32(rng.uniform(0.5, 2)) for name, values in part.items()}
    return Case((apply(base, grown), first, base))


def _thinned(rng: Rng) -> Case:
    """TIES or breadcrumbs: elements dropped by their size, not by chance."""
    *children, base = family(rng, 2)
    method = str(rng.choice(["ties", "breadcrumbs"]))
    each = {"weight": [0.6, 0.4], "density": [float(rng.choice([0.3, 0.5, 0.7]))] * 2}
    return Case((merged(method, list(children), base, each=each), *children, base))


NEGATIVES: dict[str, Callable[[Rng], Case]] = {
    "a sibling": sibling, "a child of one": child, "a noisy copy": noisy, "picked elements": picked,
    "a part of a run, at other sizes": _sparse, "thinned by size": _thinned,
    "a random part, at another rate": lambda rng: Case(part_of_a_training_at_another_rate(rng).models),
    "sign steps": lambda rng: Case(sign_steps_at_another_rate(rng).models),
}  # fmt: skip
MEASURES: tuple[Measure, ...] = (
    ("MASKED", "explained by some mask", True, lambda seen: seen.explained),
    ("REMADE", "survivors that come out to the bit", True, lambda seen: seen.remade and seen.remade.share),
    ("SURVIVORS", "survivors that tell", True, lambda seen: seen.remade and float(seen.remade.told)),
    ("ENLARGED", "factor's distance from 1", True, lambda seen: seen.enlarged),
    ("STEADY", "tensors alike in share and weight", True, lambda seen: min(seen.alike, seen.steady)),
    ("IMPROBABLE", "chances below 0 or above 1", True, lambda seen: seen.beyond),
    ("RANKED", "slope of the kept share", False, lambda seen: seen.slope),
    ("VOTED", "of chance, at opposite signs", False, lambda seen: seen.voted),
)


def measured(case: Case) -> Measured | None:
    """The measures of a case with its last model as the base and all others as models; None where nothing is said."""
    labels = ["S", *(f"P{number}" for number in range(1, len(case.models)))]
    opened = [checkpoint(label, weights) for label, weights in zip(labels, case.models, strict=True)]
    wholes = Wholes(align(opened), 0, 512 << 20)
    base = len(case.models) - 2
    models = tuple(range(base))
    loaded = [whole for row in wholes.decisive if (whole := wholes.load(row)) is not None]
    found: list[Masked] = []
    for whole in loaded:
        for limit in (thresholds.MASKED, LOOSE):
            masked.MASKED = limit  # type: ignore[attr-defined]
            seen = masked.masked(whole, base, models)
            if seen is not None:
                found.append(seen)
                break
    if len(found) < TENSORS:
        return None
    measures = consistency(found)
    likely = random_masks._likely(measures)
    remade = random_masks._remade(lambda: loaded, loaded[0].stored, base, models, found) if likely else None
    return Measured(**vars(measures), remade=remade)


def _cases(kind: str, make: Callable[[Rng], Case], count: int) -> list[Measured | None]:
    return [measured(make(np.random.default_rng([SEED, crc32(kind.encode()), number]))) for number in range(count)]


def _ends(values: Sequence[float]) -> str:
    return f"{min(values):.4f} to {max(values):.4f} ({len(values)})" if values else "none"


def main() -> None:
    """Make, measure, print a table of both halves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="these only")
    parser.add_argument("--cases", type=int, default=30)
    arguments = parser.parse_args()
    count, wanted = arguments.cases, arguments.kinds or [*RANDOM, *NEGATIVES]
    made = {
        method: _cases(method, lambda rng, own=method: case_of(own, rng), count)
        for method in RANDOM
        if method in wanted
    }  # type: ignore[misc]
    none = {kind: _cases(kind, make, count) for kind, make in NEGATIVES.items() if kind in wanted}
    print(f"seed {SEED}, {count} cases a kind\n")
    for name, words, by_method, measure in MEASURES:
        value = getattr(thresholds, name)
        print(f"{name} {value:g}: {words}")
        for half, start in (("sets", 0), ("reports", 1)):
            for kind, found in (made | none if by_method else made).items():
                measures = [measure(one) for one in found[start::2] if one is not None]
                print(f"  {half:8} {kind:32} {_ends([value for value in measures if value is not None])}")
    for half, start in (("sets", 0), ("reports", 1)):
        for kind, found in (made | none).items():
            passed = sum(one is not None and one.passes for one in found[start::2])
            print(f"  {half:8} {kind:32} pass all: {passed} of {len(found[start::2])}")


if __name__ == "__main__":
    main()
