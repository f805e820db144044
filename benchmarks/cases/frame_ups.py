"""Frame-ups: the suspect is honest, and the alleged parent was made out of it. Negatives; no accusation is ever right.

The suspect S is a finetune of B, made without any of the parents that are alleged. Somebody publishes a P from which
S can be computed. Both files came after S, so "S is a merge of P" is false in each case, however many bits fit.
"""

from __future__ import annotations

from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import family, log_uniform, ratio
from benchmarks.cases.planting import BEYOND, beyond, dressed, honest, in_f32, mixture, rest
from modelprov.checkpoints.formats.dtypes import DType
from tests.generated import Rng, cast, layer_of, quantised

ALLOWED = ("inconclusive", "on-line", "same-origin")


@kind(120, "negative", *ALLOWED)
def planted_beyond_in_f32(rng: Rng) -> Case:
    """P = w S + (1 - w) B in F32; S and B hold 16-bit values in F32 files.

    S lies at 1/w between P and B and every bit comes out again. But S has its 16-bit values from a rounding that no
    merge into an F32 file does: P was made of S.
    """
    _, (suspect, base) = honest(rng)
    w = beyond(rng)
    suspect, base = in_f32([suspect, base])
    return Case((suspect, mixture([(w, suspect), (1 - w, base)], DType.F32), base), f"w {w:.3f}")


@kind(80, "negative", *ALLOWED)
def planted_beyond_suspect_in_16_bits(rng: Rng) -> Case:
    """The same with S in a 16-bit file, B in 16 bits or F32: P alone is F32.

    Unrounded, the alleged mixture lies on S itself and not anywhere in its rounding cell, as a real one would.
    """
    _, (suspect, base) = honest(rng)
    w = beyond(rng)
    planted = mixture([(w, suspect), (1 - w, base)], DType.F32)
    return Case((suspect, planted, base if rng.random() < 0.5 else cast(base, DType.F32)), f"w {w:.3f}")


@kind(100, "negative", *ALLOWED)
def planted_beyond_dressed_up(rng: Rng) -> Case:
    """The same, and the accuser hides the lattice: P has noise of 0.1 % to 20 % of S's rounding cell in its low digits.

    S still is the rounding of the alleged mixture, but that lies near the middle of S's cells: a real one fills them.
    """
    dtype, (suspect, base) = honest(rng)
    w, share = beyond(rng), log_uniform(rng, 1e-3, 0.2)
    blurred = dressed(suspect, dtype, rng, share)
    planted = mixture([(w, blurred), (1 - w, base)], DType.F32)
    models = (suspect, planted, base)
    return Case(tuple(in_f32(models)) if rng.random() < 0.5 else models, f"w {w:.3f} noise {share:.2g} of the cell")


@kind(60, "limit", *ALLOWED)
def planted_beyond_filling_the_cells(rng: Rng) -> Case:
    """The same with noise that fills S's rounding cells evenly: then nothing in the weights is different from a merge.

    P was made of S all the same. What may be said is that S lies on the line; who made which file is open. The twin of
    this kind is `one_parent_of_full_precision`, a true merge with the same bits to the eye: both may be called on-line.
    """
    dtype, (suspect, base) = honest(rng)
    w = beyond(rng)
    planted = mixture([(w, dressed(suspect, dtype, rng, 1.0, uniform=True)), (1 - w, base)], DType.F32)
    return Case((suspect, planted, base), f"w {w:.3f}")


@kind(100, "negative", *ALLOWED)
def planted_merge_of_the_suspect(rng: Rng) -> Case:
    """P = a S + (1 - a) Y, a real merge made from S, in 16 bits or F32; Y a sibling or the base. Alleged: P and Y.

    S = P/a - (1 - a)/a Y, with a weight above 1. P is the child here, and S its parent.
    """
    dtype, (suspect, sibling, base) = honest(rng, 2)
    if rng.random() < 0.5:
        suspect, sibling, base = in_f32([suspect, sibling, base])
    other = sibling if rng.random() < 0.6 else base
    a = float(rng.choice([0.5, 0.5, 0.25, 0.75, ratio(rng, 0.2, 0.8)]))
    stored = DType.F32 if rng.random() < 0.5 else dtype
    planted = mixture([(a, suspect), (1 - a, other)], stored)
    parents = (planted, other) if rng.random() < 0.5 else (other, planted)
    with_base = other is sibling and rng.random() < 0.3
    return Case((suspect, *parents, base) if with_base else (suspect, *parents), f"a {a} {stored}")


@kind(100, "negative", *ALLOWED)
def base_of_finetune_and_negated_vector(rng: Rng) -> Case:
    """The base B is accused; the parents: its finetune F and N = B - t (F - B), in 16 bits or in F32.

    B = t/(1 + t) F + 1/(1 + t) N. But F was trained from B, and N is a task vector taken off.
    """
    dtype, (finetune, base) = honest(rng)
    t = float(rng.choice([1.0, 0.5, 2.0, 0.25, round(rng.uniform(0.1, 3), 2)]))
    if rng.random() < 0.5:
        finetune, base = in_f32([finetune, base])
    stored = DType.F32 if rng.random() < 0.4 else dtype
    negated = mixture([(1 + t, base), (-t, finetune)], stored)
    return Case((base, finetune, negated) if rng.random() < 0.5 else (base, negated, finetune), f"t {t} {stored}")


@kind(60, "negative", *ALLOWED)
def planted_by_tensor(rng: Rng) -> Case:
    """P = w S + (1 - w) B in F32 or 16 bits, with a weight of its own for every tensor or every layer."""
    dtype, (suspect, base) = honest(rng, low=3e-4)
    weights: dict[object, float] = {}
    by_layer = rng.random() < 0.5
    for name in base:
        weights.setdefault(layer_of(name) if by_layer else name, beyond(rng))
    stored = DType.F32 if rng.random() < 0.7 else dtype
    if rng.random() < 0.5:
        suspect, base = in_f32([suspect, base])

    def share(name: str) -> float:
        return weights[layer_of(name) if by_layer else name]

    planted = mixture([(share, suspect), (rest(share), base)], stored)
    return Case((suspect, planted, base), f"{'layer' if by_layer else 'tensor'} {stored}")


@kind(80, "negative", *ALLOWED)
def planted_among_three(rng: Rng) -> Case:
    """Three parents: P = w S + a Y + (1 - w - a) B is planted, the sibling Y and the base B are real."""
    dtype, (suspect, sibling, base) = honest(rng, 2)
    if rng.random() < 0.6:
        suspect, sibling, base = in_f32([suspect, sibling, base])
    w, a = beyond(rng), float(rng.choice([0.0, -0.5, -0.25, 0.5]))
    stored = DType.F32 if rng.random() < 0.7 else dtype
    planted = mixture([(w, suspect), (a, sibling), (1 - w - a, base)], stored)
    parents = [planted, sibling]
    rng.shuffle(parents)
    return Case((suspect, *parents, base), f"w {w:.3f} a {a} {stored}")


@kind(80, "negative", *ALLOWED)
def accused_parent_in_f32(rng: Rng) -> Case:
    """Roles exchanged in F32: the real merge c = a P + (1 - a) B is handed in as a parent of P.

    P's values are full F32 or 16-bit ones in an F32 file; the merge's file is F32. P = c/a - (1 - a)/a B.
    """
    models = family(rng, 1, 1e-4, DType.F32) if rng.random() < 0.5 else in_f32(honest(rng)[1])
    parent, base = models
    a = float(rng.choice([0.5, 0.25, 0.75, ratio(rng, 0.2, 0.8)]))
    child = mixture([(a, parent), (1 - a, base)], DType.F32)
    return Case((parent, child, base) if rng.random() < 0.5 else (parent, base, child), f"{a}")


@kind(60, "negative", *ALLOWED)
def planted_beyond_rounded_integers(rng: Rng) -> Case:
    """S was rounded to int8 or int4 and back; P = w S + (1 - w) B in F32."""
    dtype, (suspect, base) = honest(rng)
    bits, w = int(rng.choice([8, 4])), beyond(rng)
    suspect = quantised(suspect if rng.random() < 0.5 else cast(suspect, DType.F32), bits)
    stored = DType.F32 if rng.random() < 0.8 else dtype
    return Case((suspect, mixture([(w, suspect), (1 - w, base)], stored), base), f"int{bits} w {w:.3f}")


@kind(60, "negative", *ALLOWED)
def planted_beyond_other_formats(rng: Rng) -> Case:
    """S holds bf16 values in an F16 file, or F16 values in an F32 file, or bf16 in F32 while B is F32 throughout."""
    values, file = ((DType.BF16, DType.F16), (DType.F16, DType.F32), (DType.BF16, DType.F32))[int(rng.integers(3))]
    if file is DType.F32:
        suspect, base = family(rng, 1, 1e-4, DType.F32)
        suspect = cast(cast(suspect, values), file)
    else:
        suspect, base = (cast(model, file) for model in family(rng, 1, 1e-4, values))
    w = float(rng.choice(BEYOND))
    stored = DType.F32 if rng.random() < 0.7 else file
    return Case((suspect, mixture([(w, suspect), (1 - w, base)], stored), base), f"{values} in {file}, w {w} {stored}")
