"""What was mixed, as it crosses file boundaries: coefficients, and the recipe or method that gives the bits. Data only.

Words and missing numbers are as in `results.py`, which holds the rest of a comparison's results.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from modelprov.records import Frozen


class LeastSquares(Frozen):
    """What the field does today: alpha = <u,v>/<u,u>, collinearity = cosine of u and v.

    `z` is collinearity times the square root of the number of elements (the null is independence);
    `standard_error` is alpha's, by block jackknife over runs of 4,096 elements. Biased where rounding is coarse.
    """

    alpha: float | None = None
    collinearity: float | None = None
    z: float | None = None
    standard_error: float | None = None


class Coefficient(Frozen):
    """The mixing coefficient of one parent: the hard bounds [low, high], and what least squares says of it."""

    parent: str
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    least_squares: float | None = None
    simplex: float | None = None
    standard_error: float | None = None


class CurvePoint(Frozen):
    """At this alpha, this share of the elements' intervals hold it."""

    alpha: float
    share: float


class Mixing(Frozen):
    """How much of each parent is in the suspect.

    `alpha`, `low`, `high` are those of the first parent that is not the reference. `method` names the estimator they
    come from: "rounding interval" (every rounding cell respected), "likelihood" (training on top) or "least squares".
    `coverage` is the share of informative elements whose interval holds alpha; `null_coverage` the same after the
    suspect's deltas were shuffled (what chance alone gives). `coefficient_sum` is that of an unconstrained fit on the
    raw weights: 1 unless the merging program rounded its weights. `assumes` is what weights cannot show and the
    interval therefore takes for granted, if it is to hold what was mixed; where on the line the suspect lies now it
    holds in any case. Could not be measured: `reason` says why.
    """

    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    method: Literal["same bits", "rounding interval", "likelihood", "least squares"] | None = None
    assumes: str | None = None
    coverage: float | None = None
    null_coverage: float | None = None
    informative_elements: int = 0
    least_squares: LeastSquares = LeastSquares()
    coefficients: tuple[Coefficient, ...] = ()
    coefficient_sum: float | None = None
    r_squared: float | None = None
    condition_number: float | None = None
    coverage_curve: tuple[CurvePoint, ...] = ()
    reason: str | None = None


class RecipeGroup(Frozen):
    """Tensors that share coefficients: `tensors` is a readable pattern, `weights` one number per parent by label."""

    tensors: str
    weights: dict[str, float]
    elements: int


class CandidateRecipe(Frozen):
    """One exact recipe that was tried on every element read, and the share of bits that it reproduces."""

    description: str
    arithmetic: str
    groups: tuple[RecipeGroup, ...]
    bit_equal: float
    elements: int


class Reproduction(Frozen):
    """Which exact recipe reproduces the weights bit for bit.

    `recipe` is one line in words, `yaml` a merge config that can be run, `bit_equal` the share of elements of
    `elements` that come out identical. `programs` names known programs that compute so, unless another arithmetic
    reproduces as much. `candidates` holds all that were tried, best first.
    """

    recipe: str | None = None
    arithmetic: str | None = None
    programs: str | None = None
    bit_equal: float | None = None
    elements: int = 0
    groups: tuple[RecipeGroup, ...] = ()
    yaml: str | None = None
    candidates: tuple[CandidateRecipe, ...] = ()
    reason: str | None = None


class NamedMethod(Frozen):
    """The merge method, no weighted sum, that gives the suspect's bits.

    `words` is one line; `parents` in the recipe's order without the `base`; `parameters` by parent and `options` are as
    a recipe writes them. `bit_equal` is the share of the `elements` that were computed again and come out identical, in
    `tensors` of `recomputed` whole tensors but for single bits; these hold the `share` of the weights that may carry a
    verdict, and `stacks` of them are several tensors that were merged as one. Of the `small` tensors that carry none
    (norms and the like) `small_whole` come out to the last bit. `alternatives` give as many bits. `yaml` is a merge
    config that can be run.

    Of a method with random masks `elements` are those that changed and tell which models took part, `bit_equal` the
    share of them that some mask explains, to within the rounding of its steps, and `by_chance` the same after
    shuffling; no run of `yaml` draws the same mask. `by_chance` is None for all other methods.
    """

    name: str
    words: str
    parents: tuple[str, ...]
    base: str | None = None
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    arithmetic: str
    bit_equal: float
    elements: int
    tensors: int
    recomputed: int
    share: float
    stacks: int = 0
    small: int = 0
    small_whole: int = 0
    by_chance: float | None = None
    alternatives: tuple[str, ...] = ()
    yaml: str
