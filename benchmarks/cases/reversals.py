"""Families read in the wrong direction: an honest model compared with what somebody made out of it. All negatives."""

from __future__ import annotations

from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import WIDTH, family, log_uniform
from modelprov.checkpoints.formats.dtypes import DType
from tests.generated import Rng, apply, change, layer_of, merge


@kind(120, "negative", "on-line", "inconclusive", "same-origin")
def carried_on_beyond(rng: Rng) -> Case:
    """The suspect is a finetune; the parent is the suspect carried on beyond it by 5 % to 300 %, in 16 bits or F32."""
    honest, base = family(rng, 1, low=1e-4)
    beyond = float(1 + log_uniform(rng, 0.05, 3.0))
    made = merge([honest, base], (beyond, 1 - beyond), dtype=DType.F32 if rng.random() < 0.25 else None)
    return Case((honest, made, base), f"{beyond:.3f}")


@kind(60, "negative", "on-line", "inconclusive", "same-origin")
def carried_on_beside_another(rng: Rng) -> Case:
    """The same with another finetune of the base among the parents."""
    honest, other, base = family(rng, 2, low=1e-4)
    beyond = float(1 + log_uniform(rng, 0.1, 2.0))
    return Case((honest, merge([honest, base], (beyond, 1 - beyond)), other, base), f"{beyond:.3f}")


@kind(60, "negative", "on-line", "inconclusive", "same-origin")
def first_of_two_stages(rng: Rng) -> Case:
    """The suspect trained one part of the base; the parent is the suspect with all but that part trained."""
    base = family(rng)[-1]
    chosen = None if rng.random() < 0.5 else 1

    def first(name: str) -> bool:
        return layer_of(name) == chosen

    honest = apply(base, change(base, rng, log_uniform(rng, *WIDTH), only=first))
    later = apply(honest, change(base, rng, log_uniform(rng, *WIDTH), only=lambda name: not first(name)))
    return Case((honest, later, base), f"part {chosen}")
