"""Really trained models: the triples of `benchmarks/trained/`, and merges that were really trained afterwards.

Needs a pool (`python -m benchmarks.lineage.train --pool DIR`); without one these sorts hold no case, which is told.
Case `number` of a sort is triple `number // families` of the kind, of one family after the other.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from benchmarks.lineage.labels import COPY, KIN, MERGE, NOTHING, OPEN, RELATION, STRANGER, Label, Made
from benchmarks.lineage.layouts import heads_of
from benchmarks.lineage.merged import LINEAR, OTHER_HISTORIES
from benchmarks.lineage.sorts import add
from benchmarks.trained.cases import KINDS, Kind
from benchmarks.trained.merging import FIRST, SECOND
from benchmarks.trained.pool import Pool, load
from benchmarks.trained.run import weights_of
from benchmarks.trained.settings import Family
from modelprov.demo.writing import Weights
from tests.generated import merge

POOL = "MODELPROV_LINEAGE_POOL"
"""Where the pool lies, as the command says; its workers read it from their environment."""
GROUP = "really trained"
SHARES = (0.6, 0.4)
LATER = ("merge then all weights", "merge then an adapter", "merge then distilled")
"""What `train` adds to a family: the merge of the first two finetunes, trained on in three ways."""
FEWER_BITS = re.compile(r"rounded to \d bits")
"""A finetune's weights with fewer bits: a copy of it, as packed ones are."""
SMALL = {"siblings": 3, "other learning rates": 3, "stages of a run": 3, "averages of a run": 2, "trained further": 2,
         "altered": 2, "distilled": 2, "the base accused": 1, "strangers": 3, "one start, trained apart": 1,
         "adapter scales": 2, "almost the same training": 2, "another optimiser": 1, "third siblings": 1}  # fmt: skip


@cache
def families() -> tuple[int, ...]:
    """The families that are in the pool."""
    folder = os.environ.get(POOL, "")
    return tuple(sorted(int(path.stem[-2:]) for path in Path(folder).glob("family-*.npz"))) if folder else ()


@cache
def _pool(number: int) -> Pool:
    return load(Path(os.environ[POOL]), number)


def _model(pool: Pool, name: str, family: Family) -> Weights:
    return weights_of(pool, name, family)


def _merged(pool: Pool, family: Family) -> tuple[Weights, ...]:
    parents = [_model(pool, name, family) for name in (FIRST, SECOND)]
    return (merge(parents, SHARES), *parents)


def label_of(kind: Kind) -> Label:
    """Strangers, relatives without an act, or those on a line by another history: the act stays open."""
    said = set(kind.expected) - {"inconclusive"}
    if said == {"unrelated"}:
        return Label(False, STRANGER)
    if "unrelated" in said:
        return Label(None, KIN | STRANGER, direction=OPEN)
    relation = KIN | (MERGE if "merge" in said else frozenset())
    return Label(
        True,
        relation,
        direction=OPEN,
        settled_by=OTHER_HISTORIES,
        doubted=RELATION if kind.truth == "limit" else NOTHING,
    )


def _triple(number: int, kind: str) -> Made:
    told, there = KINDS[kind], families()
    family = Family(there[number % len(there)])
    names = told.cases[number // len(there)]
    pool = _pool(family.number)
    models = tuple(_model(pool, name, family) for name in names)
    label = label_of(told)
    if names[0] == names[1]:
        label = Label(True, COPY)
    elif FEWER_BITS.search(names[0]) and FIRST in names[1:]:
        label = replace(label, relation=COPY | KIN)
    return Made(models, label, f"family {family.number}: {' | '.join(names)}", heads=heads_of(family.shape))


def _later(number: int) -> Made:
    there = families()
    family, name = Family(there[number % len(there)]), LATER[number // len(there)]
    pool = _pool(family.number)
    _, first, second = _merged(pool, family)
    suspect = {key: (values, first[key][1]) for key, values in pool[name].items()}
    shares = None if "distilled" in name else dict(enumerate(SHARES, 1))
    label = Label(
        True, OPEN, shares, None, OPEN, OPEN, {"shares": SHARES}, (name,), settled_by=OTHER_HISTORIES, merged=True
    )
    base = _model(pool, "base", family)
    return Made((suspect, first, second, base), label, f"family {family.number}: {name}", heads=heads_of(family.shape))


def _exact(number: int) -> Made:
    there = families()
    family = Family(there[number % len(there)])
    models = _merged(_pool(family.number), family)
    label = Label(True, MERGE, dict(enumerate(SHARES, 1)), LINEAR, False, "suspect", merged=True)
    if number // len(there):
        models = (*models, _model(_pool(family.number), "base", family))
    return Made(models, label, f"family {family.number}: merge of two", heads=heads_of(family.shape))


def _held(kind: Kind) -> int:
    """Triples of a kind whose models are in a pool without mergekit's outputs, which come first in the set."""
    return sum(not any(name.startswith(("merge: ", "linear trained", "dare_ties")) for name in c) for c in kind.cases)


def register() -> None:
    """Put the sorts on the list, as large as the pool is."""
    count = len(families())
    for name, told in KINDS.items():
        if told.truth == "positive" or not (held := _held(told)) or name == "a parent of its merge":
            continue
        small = min(SMALL.get(name, 0), held) * bool(count)
        add(GROUP, f"trained: {name}", lambda _, number, name=name: _triple(number, name), small, held * count)  # type: ignore[misc]
    add(GROUP, "trained: merges", lambda _, number: _exact(number), 2 * bool(count), 2 * count)
    add(GROUP, "trained: merges trained on", lambda _, number: _later(number), 3 * bool(count), 3 * count)
