"""Negatives: every negative and limit of the calibration by its own label; strangers and siblings as whole decoders.

The kinds of `benchmarks/cases/` bring siblings, stages, sweeps, averages, adapters, strangers, grafts and frame-ups.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import benchmarks.cases  # noqa: F401  (fills the list of kinds)
from benchmarks.cases.coordinates import EMBEDDINGS, HEAD
from benchmarks.cases.decoders import STYLES, Decoder, decoder_family, styled
from benchmarks.cases.kinds import KINDS, Kind
from benchmarks.cases.making import training
from benchmarks.lineage.labels import ACCUSATIONS, COPY, KIN, NOTHING, OPEN, RELATION, STRANGER, Label, Made
from benchmarks.lineage.layouts import DENSE, heads_of
from benchmarks.lineage.merged import OTHER_HISTORIES, family
from benchmarks.lineage.sorts import add, sort
from modelprov.checkpoints.formats.dtypes import DType, store
from tests.generated import Rng, apply, change

GROUPS = {
    "siblings": "siblings and stages", "altered": "siblings and stages", "reversals": "siblings and stages",
    "strangers": "strangers", "headlines": "siblings and stages", "limits": "siblings and stages",
    "opponent": "sweeps, averages, adapters", "opponent-again": "sweeps, averages, adapters",
}  # fmt: skip
"""Themes of the calibration; all others are frame-ups."""
UNASKED = frozenset({"siblings of two parents", "many parents", "strangers parent"})


def label_of(kind: Kind) -> Label:
    """What is true of a kind's cases: strangers, relatives without an act, or what nobody can tell.

    Whether they are related is not asked where a kind holds both, and where embeddings alone were taken over.
    """
    said = kind.expected - {"inconclusive"}
    if kind.name == "rounded to integers":  # of a named parent, as packed copies are
        return Label(True, COPY | KIN, direction=OPEN, afterwards=("rounded or pruned",))
    if not said:
        return Label(None, STRANGER, settled_by="where the embeddings came from")
    if said == {"unrelated"}:
        if "inconclusive" in kind.expected and kind.theme != "strangers":
            return Label(None, STRANGER)
        return Label(False, STRANGER)
    relation = KIN | (said & ACCUSATIONS)
    related = None if "unrelated" in said or kind.name in UNASKED else True
    if related is None:
        relation |= STRANGER
    made_to_fit = kind.truth == "limit" or kind.theme.startswith("frame-ups")
    return Label(
        related, relation, direction=OPEN, settled_by=OTHER_HISTORIES, doubted=RELATION if made_to_fit else NOTHING
    )


def _of_kind(rng: Rng, kind: Kind) -> Made:
    case = kind.make(rng)
    return Made(case.models, label_of(kind), case.about)


LATER = {
    "sibling at another rate beside another",
    "opponent-third",
    "opponent-fourth",
    "opponent-fifth",
    "opponent-sixth",
    "opponent-seventh",
    "opponent-eighth",
    "opponent-ninth",
    "opponent-tenth",
}
"""Kinds, and themes of kinds, that came after version 1 of the set: the next version takes them in."""

for _kind in KINDS:
    if _kind.truth in ("negative", "limit") and _kind.theme != "trained" and not LATER & {_kind.theme, _kind.name}:
        _group = GROUPS.get(_kind.theme, "frame-ups")
        add(_group, f"{_kind.theme}: {_kind.name}", lambda rng, _, _kind=_kind: _of_kind(rng, _kind), 1, _kind.cases)  # type: ignore[misc]


@sort("strangers", len(STYLES), 210)
def decoders_of_one_config(rng: Rng, number: int) -> Made:
    """Two models from nothing, of one shape and one style of initialising: whole decoders, for tools that need them."""
    style = STYLES[number % len(STYLES)]
    models = (styled(DENSE, DType.BF16, rng, style), styled(DENSE, DType.BF16, rng, style))
    return Made(models, Label(False, STRANGER), style.__name__, heads=heads_of(DENSE))


@sort("strangers", 2, 100)
def decoders_of_another_family(rng: Rng, _: int) -> Made:
    """A finetune of another base of the same config, beside a finetune and its base."""
    other, first, base = (*decoder_family(rng, DENSE, 1, DType.BF16)[:1], *family(rng, 1, DENSE, DType.BF16))
    return Made((other, first, base), Label(False, STRANGER), heads=heads_of(DENSE))


@sort("strangers", 2, 100)
def decoders_with_grafted_embeddings(rng: Rng, number: int) -> Made:
    """A stranger whose embeddings and head are the parent's, whole or by a third."""
    share = (1.0, 0.3)[number % 2]
    other, first = decoder_family(rng, DENSE, 1, DType.BF16)[0], family(rng, 1, DENSE, DType.BF16)[0]
    suspect = dict(other)
    for name in (EMBEDDINGS, HEAD):
        mixed = share * first[name][0] + (1 - share) * other[name][0]
        suspect[name] = store(mixed.astype(np.float32), DType.BF16), DType.BF16
    label = Label(None, STRANGER, settled_by="where the embeddings came from")
    return Made((suspect, first), label, f"{share}", heads=heads_of(DENSE))


@sort("siblings and stages", 3, 150)
def decoders_that_are_siblings(rng: Rng, number: int) -> Made:
    """Two finetunes of one base as whole decoders; with the base, without, or with a LoRA in place of one."""
    first, second, base = family(rng, 2, DENSE)
    label = Label(True, KIN, direction=OPEN, settled_by=OTHER_HISTORIES)
    if number % 3 == 2:
        second = apply(base, change(base, rng, 5e-4, 1.0, 0.0, only=lambda name: "self_attn" in name))
    models = (second, first) if number % 3 == 1 else (second, first, base)
    return Made(models, label, heads=heads_of(DENSE))


@sort("siblings and stages", 2, 100)
def decoders_trained_further(rng: Rng, number: int) -> Made:
    """The parent trained on, by a tenth or by as much again; nothing in the files says which came first."""
    shape = Decoder(**{**vars(DENSE), "layers": 2 + number % 3})
    first, base = family(rng, 1, shape)
    suspect = apply(first, training(first, rng, (1e-4, 1e-3)[number % 2]))
    label = replace(Label(True, KIN, direction=OPEN), settled_by=OTHER_HISTORIES)
    return Made((suspect, first, base), label, heads=heads_of(shape))
