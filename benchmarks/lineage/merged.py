"""Merges of generated families: arithmetics, parents, methods, later training, hidden parents, layouts, packing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.cases.decoders import Decoder, decoder_family
from benchmarks.cases.making import FORMATS, difference, ratio, trained
from benchmarks.cases.methods import merged
from benchmarks.lineage.labels import COPY, KIN, MERGE, NOTHING, OPEN, RELATION, Label, Made
from benchmarks.lineage.layouts import DENSE, EXPERTS, HYBRID, MULTIMODAL, SHARED, heads_of, shape_of
from benchmarks.lineage.sorts import add, sort
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.recipes.arithmetics import Arithmetic
from tests.generated import Rng, apply, cast, change, combine, distance, layer_of, merge

LINEAR = frozenset({"linear", "task_arithmetic"})
"""A weighted sum by either name: with a base, or a parent in its place, the one is the other."""
FORMS = ("Q8_0", "Q4_0", "FP8 row", "int8 bitsandbytes", "NF4", "GPTQ")
"""How files are packed; those that `tests.packing.FORMS` or `tests.gguf_files` name are used."""
CORRECTED = "GPTQ"
"""Its corrections hang on the texts it was calibrated with."""
FAR = 3e-4
OTHER_HISTORIES = "a checkpoint between the parents and the suspect, a log, or an unsuspected finetune as a control"


def family(rng: Rng, children: int, shape: Decoder | None = None, dtype: DType | None = None) -> list[Weights]:
    """Finetunes of one base, and the base last; any format, changes of 3e-4 to 2e-3."""
    stored = dtype or FORMATS[int(rng.choice(3, p=[0.6, 0.2, 0.2]))]
    return decoder_family(rng, shape or shape_of(rng), children, stored, FAR)


def exact(shares: Sequence[float], method: frozenset[str] = LINEAR, **parameters: object) -> Label:
    """A merge that nothing happened to afterwards."""
    told = dict(enumerate(shares, 1))
    return Label(True, MERGE, told, method, False, "suspect", dict(parameters), merged=True)


@sort("linear merges", 6, 400)
def two_parents(rng: Rng, number: int) -> Made:
    """Two finetunes, any ratio, every arithmetic in turn; the base is given or not."""
    first, second, base = family(rng, 2)
    alpha, arithmetic = ratio(rng, 0.1, 0.9), Arithmetic(number % 9)
    suspect = merge([first, second], [alpha, 1 - alpha], arithmetic)
    label = exact((alpha, 1 - alpha), arithmetic=arithmetic.name)
    models = (suspect, first, second) if number % 2 else (suspect, first, second, base)
    return Made(models, label, f"{alpha} {arithmetic.name}")


@sort("linear merges", 3, 200)
def with_the_base(rng: Rng, number: int) -> Made:
    """A finetune and its base."""
    first, base = family(rng, 1)
    alpha, arithmetic = ratio(rng, 0.1, 0.9), Arithmetic((number + 4) % 9)
    suspect = merge([first, base], [alpha, 1 - alpha], arithmetic)
    return Made((suspect, first, base), exact((alpha, 1 - alpha), arithmetic=arithmetic.name), f"{alpha}")


@sort("linear merges", 3, 200)
def three_or_four_parents(rng: Rng, number: int) -> Made:
    """Three or four finetunes; without their base."""
    count = 3 + number % 2
    parents = family(rng, count)[:count]
    shares = _parts(rng, count)
    return Made((merge(parents, shares), *parents), exact(shares), f"{shares}")


@sort("linear merges", 2, 100)
def stored_in_another_format(rng: Rng, number: int) -> Made:
    """Parents in F32, the merge in bf16 or F16; or the other way round."""
    first, stored = ((DType.F32, DType.BF16), (DType.BF16, DType.F32), (DType.F32, DType.F16))[number % 3]
    parents = family(rng, 2, dtype=first)[:2]
    alpha = ratio(rng, 0.2, 0.8)
    suspect = merge(parents, [alpha, 1 - alpha], dtype=stored)
    return Made((suspect, *parents), exact((alpha, 1 - alpha)), f"{alpha} {first} to {stored}")


@sort("linear merges", 2, 100)
def a_gradient(rng: Rng, _: int) -> Made:
    """Every layer its own ratio; the overall share is not asked."""
    first, second, base = family(rng, 2, DENSE)
    steps = [round(float(x), 2) for x in np.linspace(0.2, 0.8, DENSE.layers)]

    def weights(name: str) -> Sequence[float]:
        layer = layer_of(name)
        alpha = 0.5 if layer is None else steps[layer]
        return (alpha, 1 - alpha)

    label = Label(True, MERGE, None, LINEAR, False, "suspect", {"by layer": steps}, merged=True)
    return Made((merge([first, second], weights), first, second, base), label, f"{steps}")


@sort("linear merges", 2, 100)
def a_bystander_is_named(rng: Rng, _: int) -> Made:
    """A merge of the first and the base; a second finetune is named and is not in it."""
    first, second, base = family(rng, 2)
    alpha = ratio(rng, 0.2, 0.8)
    label = exact((alpha, 0.0, 1 - alpha))
    return Made((merge([first, base], [alpha, 1 - alpha]), first, second, base), label, f"{alpha}")


def _parts(rng: Rng, count: int) -> list[float]:
    """Shares in hundredths that sum to 1, none below 0.1."""
    left = 100 - 10 * count
    cuts = np.sort(rng.integers(0, left + 1, count - 1))
    return [round(0.1 + float(part) / 100, 2) for part in np.diff([0, *cuts, left])]


SLERP_AT = 0.4
METHODS: dict[str, tuple[dict[str, object], dict[str, object], bool]] = {
    "task_arithmetic": ({"weight": [0.8, 0.7]}, {}, True),
    "ties": ({"weight": [0.6, 0.4], "density": 0.5}, {}, True),
    "dare_linear": ({"weight": [0.6, 0.4], "density": 0.5}, {}, True),
    "dare_ties": ({"weight": [0.6, 0.4], "density": 0.6}, {}, True),
    "della": ({"weight": [0.6, 0.4], "density": 0.6, "epsilon": 0.08}, {}, True),
    "della_linear": ({"weight": [0.6, 0.4], "density": 0.6, "epsilon": 0.08}, {}, True),
    "breadcrumbs": ({"weight": [0.6, 0.4], "density": 0.7}, {}, True),
    "breadcrumbs_ties": ({"weight": [0.6, 0.4], "density": 0.7}, {}, True),
    "sce": ({}, {"select_topk": 0.5}, True),
    "model_stock": ({}, {}, True),
    "slerp": ({}, {"t": SLERP_AT}, False),
    "nuslerp": ({"weight": [0.6, 0.4]}, {}, False),
    "multislerp": ({"weight": [0.6, 0.4]}, {}, False),
    "karcher": ({}, {}, False),
    "nearswap": ({}, {"t": 1e-4}, False),
    "arcee_fusion": ({}, {}, False),
}
"""Settings by model, settings of all, and whether the method takes the base; the method's own defaults else."""
AROUND_THE_FIRST = ("slerp", "nearswap", "arcee_fusion")
PICKED = frozenset({"nearswap", "arcee_fusion"})
"""Hardly a number is mixed: a parent made from the suspect gives its bits as well (the frame-ups by picking)."""
ALSO = {
    "task_arithmetic": {"linear"}, "dare_linear": {"dare_ties"}, "dare_ties": {"dare_linear"},
    "slerp": {"nuslerp"}, "nuslerp": {"slerp"},
}  # fmt: skip
"""Names that are as right: a linear combination is one; of random masks only the kind is asked; of two models NuSLERP
is SLERP, in 99.9 to 100 % of the bits."""
PERHAPS = {"slerp": "linear", "karcher": "multislerp"}
"""Names that are as right where they give the same bits: SLERP of nearly parallel tensors is a line, by its definition,
and of two models with one weight the means of an arc are one point."""
AS_GOOD = 0.9999
"""Of the matrices' bits."""


def same_bits(suspect: Weights, other: Weights) -> float:
    """Share of the matrices' numbers that are the same."""
    equal = [(values == other[name][0]).ravel() for name, (values, _) in suspect.items() if values.ndim == 2]
    return float(np.concatenate(equal).mean())


def _by_method(rng: Rng, _: int, name: str) -> Made:
    each, options, based = METHODS[name]
    first, second, base = family(rng, 2, DENSE)
    if name == "model_stock":  # of changes that have nothing in common it gives the base
        part = change(base, rng, distance(first, base), 0.5, 0.0)
        second = apply(base, combine([(0.6, difference(first, base)), (0.8, part)]))
    models, around = ([second], first) if name in AROUND_THE_FIRST else ([first, second], base if based else None)
    suspect = merged(name, models, around, rng, dict(each), dict(options))
    names = {name, *ALSO.get(name, ())}
    if other := PERHAPS.get(name):
        second_share = SLERP_AT if name == "slerp" else 0.5
        weighted = merged(other, [first, second], None, rng, {"weight": [1 - second_share, second_share]})
        if same_bits(suspect, weighted) >= AS_GOOD:
            names.add(other)
    label = Label(True, MERGE, None, frozenset(names), False, "suspect", {**each, **options}, merged=True)
    if name in PICKED:
        label = replace(label, relation=OPEN, trained=None, direction=OPEN, settled_by="an older copy of the parents")
    return Made((suspect, first, second, base), label, name)


for _name in METHODS:
    add("other methods", _name, lambda rng, number, _name=_name: _by_method(rng, number, _name), 1, 40)  # type: ignore[misc]


def _then(label: Label, *afterwards: str) -> Label:
    """A merge of which weights cannot show any more that it is one: the same three files fit other histories."""
    return replace(
        label, relation=OPEN, method=None, trained=OPEN, direction=OPEN, afterwards=afterwards,
        settled_by=OTHER_HISTORIES,
    )  # fmt: skip


@sort("trained or packed afterwards", 3, 150)
def merged_then_trained(rng: Rng, number: int) -> Made:
    """Trained in all weights, by 3 %, 10 % or 30 % of the parents' distance, sideways."""
    first, second, base = family(rng, 2)
    alpha, by = ratio(rng, 0.2, 0.8), (0.03, 0.1, 0.3)[number % 3]
    suspect = trained(merge([first, second], [alpha, 1 - alpha]), (first, second), rng, by)
    label = _then(exact((alpha, 1 - alpha)), f"all weights trained by {by} of the parents' distance")
    return Made((suspect, first, second, base), label, f"{alpha}, {by}")


@sort("trained or packed afterwards", 2, 100)
def merged_then_an_adapter(rng: Rng, number: int) -> Made:
    """A LoRA of rank 4 of the attention's projections merged into it afterwards: the rest still shows the merge."""
    first, second, base = family(rng, 2)
    alpha = ratio(rng, 0.2, 0.8)
    plain = merge([first, second], [alpha, 1 - alpha])
    size = (1e-4, 4e-4)[number % 2]
    suspect = apply(plain, change(plain, rng, size, 1.0, 0.0, only=lambda name: "self_attn" in name))
    label = replace(_then(exact((alpha, 1 - alpha)), f"LoRA of attention, {size}"), relation=MERGE, direction=None)
    return Made((suspect, first, second, base), label, f"{alpha}, {size}")


@sort("trained or packed afterwards", 6, 120)
def a_packed_copy(rng: Rng, number: int) -> Made:
    """A finetune in the files of a quantiser."""
    first, base = family(rng, 1, DENSE, DType.BF16)
    form = FORMS[number % len(FORMS)]
    again = COPY if form != CORRECTED else COPY | KIN  # no rounding that can be recomputed: training is as small
    label = Label(
        True,
        again,
        afterwards=(form,),
        doubted=RELATION if form == CORRECTED else NOTHING,
        settled_by="the unpacked file",
    )
    return Made((first, first, base), label, form, form, heads_of(DENSE))


@sort("trained or packed afterwards", 3, 120)
def a_packed_merge(rng: Rng, number: int) -> Made:
    """A merge in the files of a quantiser: a stage of a run has the same steps, so only shares are decided."""
    first, second, base = family(rng, 2, DENSE, DType.BF16)
    alpha, form = ratio(rng, 0.2, 0.8), FORMS[number % len(FORMS)]
    suspect = merge([first, second], [alpha, 1 - alpha])
    label = replace(_then(exact((alpha, 1 - alpha)), form), trained=None, direction=None)
    return Made((suspect, first, second, base), label, f"{alpha} {form}", form, heads_of(DENSE))


@sort("hidden parents", 3, 150)
def a_parent_is_hidden(rng: Rng, number: int) -> Made:
    """A merge of two finetunes and the base; only the first and the base are named. It was not trained."""
    first, second, base = family(rng, 2)
    a, b = ratio(rng, 0.3, 0.6), (0.05, 0.15, 0.3)[number % 3]
    suspect = merge([first, second, base], [a, b, round(1 - a - b, 3)])
    label = replace(
        _then(exact((a,))), shares=None, parameters={"named": a, "hidden": b}, settled_by="the hidden parent itself"
    )
    return Made((suspect, first, base), label, f"{a} and {b} hidden")


def _in_layout(rng: Rng, number: int, shape: Decoder) -> Made:
    first, second, base = family(rng, 2, shape, DType.BF16)
    alpha = ratio(rng, 0.2, 0.8)
    if number % 2:
        return Made((second, first, base), Label(True, KIN, direction=OPEN, settled_by=OTHER_HISTORIES), "siblings")
    label = exact((alpha, 1 - alpha))
    return Made((merge([first, second], [alpha, 1 - alpha]), first, second, base), label, f"{alpha}")


for _name, _shape in (("experts", EXPERTS), ("shared experts", SHARED), ("hybrid", HYBRID), ("multimodal", MULTIMODAL)):
    add("layouts", _name, lambda rng, number, _shape=_shape: _in_layout(rng, number, _shape), 2, 60)  # type: ignore[misc]


@sort("copies", 3, 60)
def a_copy(rng: Rng, number: int) -> Made:
    """A finetune's own bits, or its weights in a coarser format."""
    first, base = family(rng, 1, dtype=DType.F32)
    stored = (DType.F32, DType.BF16, DType.F16)[number % 3]
    return Made((cast(first, stored), first, base), Label(True, COPY), str(stored))
