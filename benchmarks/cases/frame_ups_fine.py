"""Frame-ups of suspects with full F32 values: no lattice gives them away. All negatives.

S is honest as in `frame_ups`. P = w S + (1 - w) B in F32 was rounded once, from S: it comes out of S to its last bit,
and S comes out of P only where P's rounding, divided by w, allows it. In a true merge it is the other way round.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases.frame_ups import ALLOWED
from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import family
from benchmarks.cases.planting import BEYOND, beyond, honest, in_f32, mixture
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from tests.generated import Rng, cast, merge


def _fine(rng: Rng) -> list[Weights]:
    """A finetune and its base with F32 values throughout."""
    return family(rng, 1, 1e-4, DType.F32)


@kind(80, "negative", *ALLOWED)
def planted_beyond_full_precision(rng: Rng) -> Case:
    """S and B have F32 values throughout; P = w S + (1 - w) B in F32, with the base or with a sibling for B."""
    suspect, *others = family(rng, 2, 1e-4, DType.F32)
    other, w = others[int(rng.integers(2))], beyond(rng)
    return Case((suspect, mixture([(w, suspect), (1 - w, other)], DType.F32), other), f"w {w:.3f}")


@kind(60, "negative", *ALLOWED)
def planted_beyond_mixed_precision(rng: Rng) -> Case:
    """Some of S's tensors hold 16-bit values (they were frozen or loaded so), the others F32 values; B likewise."""
    suspect, base = _fine(rng)
    share = float(rng.choice([0.2, 0.5, 0.8, 0.95]))
    for name in base:
        if rng.random() < share:
            values = cast({name: suspect[name]}, DType.BF16)[name][0]
            suspect[name] = values, DType.F32
            if rng.random() < 0.5:
                base[name] = cast({name: base[name]}, DType.BF16)[name][0], DType.F32
    w = float(rng.choice(BEYOND))
    return Case((suspect, mixture([(w, suspect), (1 - w, base)], DType.F32), base), f"w {w} narrow {share}")


@kind(60, "negative", *ALLOWED)
def planted_beyond_scaled_lattice(rng: Rng) -> Case:
    """S holds 16-bit values times a factor for each row, in F32, as after unpacking or folding a norm."""
    suspect, base = in_f32(honest(rng)[1])
    made: Weights = {}
    for name, (values, dtype) in suspect.items():
        rows = np.exp(rng.normal(0, 1e-3, (values.shape[0], *[1] * (values.ndim - 1)))).astype(np.float32)
        made[name] = values * rows, dtype
    w = beyond(rng)
    return Case((made, mixture([(w, made), (1 - w, base)], DType.F32), base), f"w {w:.3f}")


@kind(60, "negative", *ALLOWED)
def accused_by_a_merge_of_it(rng: Rng) -> Case:
    """P = a S + (1 - a) Y in F32 with F32 values; alleged: P and Y, or P, Y and the base."""
    suspect, sibling, base = family(rng, 2, 1e-4, DType.F32)
    a = float(rng.choice([0.5, 0.25, 0.75, round(rng.uniform(0.2, 0.8), 2)]))
    planted = mixture([(a, suspect), (1 - a, sibling)], DType.F32)
    models = [suspect, planted, sibling, base]
    return Case(tuple(models if rng.random() < 0.4 else models[:3]), f"a {a}")


@kind(40, "negative", *ALLOWED)
def planted_and_ground(rng: Rng) -> Case:
    """P was ground: of its neighbouring F32 values those were taken from which S comes out to the bit, where one does.

    95 to 99.8 % of the bits come out so (more the larger w is); the rest has no P in F32 at all.
    """
    suspect, base = _fine(rng)
    w = float(rng.choice(BEYOND))
    planted = mixture([(w, suspect), (1 - w, base)], DType.F32)
    for step in (0, 1, -1, 2, -2):
        tried = {
            name: ((values.view(np.int32) + np.int32(step)).view(np.float32), dtype)
            for name, (values, dtype) in planted.items()
        }
        for name, (values, _) in merge([tried, base], [1 / w, 1 - 1 / w]).items():
            fits = values == suspect[name][0]
            before = merge([{name: planted[name]}, {name: base[name]}], [1 / w, 1 - 1 / w])[name][0]
            better = fits & (before != suspect[name][0])
            planted[name] = np.where(better, tried[name][0], planted[name][0]), DType.F32
    again = merge([planted, base], [1 / w, 1 - 1 / w])
    same = np.mean([np.mean(again[name][0] == suspect[name][0]) for name in base])
    return Case((suspect, planted, base), f"w {w}, {same:.4f} of the bits")
