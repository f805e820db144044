"""The results of a comparison, as they cross file boundaries: measures, evidence, verdict. Data only.

Every number that could not be measured is None, and the reason stands beside it. Words are those of
`docs/method.md`: the suspect S, its candidate parents P1 ... Pk, the reference P0 (the last parent), deltas u = P - P0
and v = S - P0, mixing coefficient alpha.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from modelprov.records import Frozen


class VerdictClass(StrEnum):
    """The seven things that a comparison can conclude; `docs/adr/0014` says why none of them is an act in time."""

    COPY = "copy"
    MERGE = "merge"
    ON_LINE = "on-line"
    SAME_ORIGIN = "same-origin"
    OTHER_COORDINATES = "other-coordinates"
    UNRELATED = "unrelated"
    INCONCLUSIVE = "inconclusive"


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


class AfterMerge(Frozen):
    """Whether anything happened after the merge.

    `agreement`: share of S == P0 where all parents hold the same bits (1 for a pure merge). `betweenness`: share of
    elements between the parents where those differ. `sigma`: standard deviation of whatever was added on top of
    alpha*P1 + (1-alpha)*P0 before the last rounding (interval-censored maximum likelihood); `sigma_relative` divides
    it by rms(u), the parents' distance. `alpha` is the likelihood's own estimate.
    """

    agreement: float | None = None
    agreement_elements: int = 0
    betweenness: float | None = None
    betweenness_elements: int = 0
    sigma: float | None = None
    sigma_standard_error: float | None = None
    sigma_relative: float | None = None
    alpha: float | None = None
    alpha_standard_error: float | None = None
    reason: str | None = None


class Likeness(Frozen):
    """How what is left beyond the named parents correlates with another model's own part, -1 to 1, freed of rounding.

    The own part is that model minus the reference, less what the named parents explain.
    """

    label: str
    kind: Literal["candidate", "control"]
    correlation: float | None = None
    elements: int = 0
    reason: str | None = None


class LayerShare(Frozen):
    """What is left in one layer, as a share of the parents' distance there."""

    layer: int
    relative: float


class Beyond(Frozen):
    """What the suspect holds beyond the best mixture of the named parents, measured in rows of `matrices` matrices.

    `relative`: its root mean square over that of the parents' deltas (`of` "distance"), with one parent over that of
    its weights (`of` "weights"); `layers` the same layer by layer. `rank` is the largest of the `low_rank` matrices
    among the `changed` ones, whose change has a rank of at most a quarter of the side; `kinds` are the kinds of tensors
    that changed. `named`: the candidates that it is like, far beyond all others. `words` is one sentence for a layman.
    Not measured: `reason` says why.

    `lattice` names the few numbers that its values are in `lattice_matrices` matrices, as in an unpacked quantised
    copy; cells are then those of that lattice, and `same_steps` names the parents whose values are rounded to the same
    numbers (`mixture_same_steps`: those of no parent, but of a mixture of all), `within_steps` those whose values are
    no further away than rounding alone may put them. `as_stored` matrices beside these were not rounded: their values
    are the first such parent's. `factored` names the parents whose values, times a factor for each row and each column,
    differ from the suspect's by no more than rounding in every matrix read, and by clearly more without factors.
    `turned` names those of whom the embeddings, or most matrices that changed, keep the products of their rows, as a
    rotation leaves them.
    """

    relative: float | None = None
    of: Literal["distance", "weights"] = "distance"
    layers: tuple[LayerShare, ...] = ()
    matrices: int = 0
    changed: int = 0
    low_rank: int = 0
    rank: int | None = None
    kinds: tuple[str, ...] = ()
    lattice: str | None = None
    lattice_matrices: int = 0
    same_steps: tuple[str, ...] = ()
    within_steps: tuple[str, ...] = ()
    as_stored: int = 0
    mixture_same_steps: bool = False
    factored: tuple[str, ...] = ()
    turned: tuple[str, ...] = ()
    likenesses: tuple[Likeness, ...] = ()
    named: tuple[str, ...] = ()
    words: str | None = None
    reason: str | None = None


class Measures(Frozen):
    """The numbers of one row: a tensor, an expert, a layer, a component, or a layer x component cell.

    `equal` gives, by parent label, the share of elements whose bits equal that parent's; `raw_correlation` the
    mean-centred correlation of raw weights by parent label. `alpha`, `low`, `high`, `coverage` are rounding-aware and
    come from the sampled blocks; everything else from all elements read. `note` says what could not be judged.
    """

    name: str
    layer: int | None = None
    component: str | None = None
    expert: int | None = None
    elements: int = 0
    decisive: bool = True
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    coverage: float | None = None
    least_squares: LeastSquares = LeastSquares()
    equal: dict[str, float] = Field(default_factory=dict)
    raw_correlation: dict[str, float | None] = Field(default_factory=dict)
    agreement: float | None = None
    betweenness: float | None = None
    bit_equal: float | None = None
    sigma_relative: float | None = None
    nonfinite: int = 0
    guessed: bool = False
    note: str | None = None


class Evidence(Frozen):
    """One measure a verdict rests on: its value, its uncertainty, how many elements, and what chance would give."""

    measure: str
    value: str
    uncertainty: str | None = None
    elements: int | None = None
    null: str | None = None


class Control(Frozen):
    """The same numbers for a checkpoint nobody suspects (or the theoretical null, named as such)."""

    label: str
    kind: Literal["checkpoint", "theoretical null", "shuffled suspect"]
    alpha: float | None = None
    collinearity: float | None = None
    coverage: float | None = None
    agreement: float | None = None
    betweenness: float | None = None
    verdict: str | None = None
    note: str | None = None


class LayerPair(Frozen):
    """A layer of the suspect, the parent's layer that it was paired with, and the test of their units.

    `agreeing` of `units` units are paired alike by two kinds of their weights; by chance `expected` would be, and so
    many or more with probability `chance` (all pairs that were tried counted in).
    """

    layer: int
    parent_layer: int
    agreeing: int
    units: int
    expected: float
    chance: float
    related: bool


class Coordinates(Frozen):
    """Whether the suspect is a parent in other coordinates, what was undone, and which layer is which.

    `frame` is how residual dimensions belong together, `given_by` what says so: embeddings, or units of layers that
    were not tested. `embedding_cosine` is the mean cosine of the embeddings of the same tokens in it; embeddings decide
    nothing. `tokens` says how rows of the vocabulary were paired. `undone` are sentences; none where all is at its
    place or nothing is related; `left` says which matrices stay apart all the same. `exact` says whether undoing kept
    every bit, `null` what chance is.
    """

    parent: str
    related: bool
    frame: Literal["same", "permuted", "rotated"]
    embedding_cosine: float | None = None
    given_by: Literal["embeddings", "units"] = "embeddings"
    tokens: Literal["strings", "numbers", "content"] = "numbers"
    layers: tuple[LayerPair, ...] = ()
    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    exact: bool = True
    null: str


class History(Frozen):
    """A history that fits what was found, in words, and what would settle whether it is the true one."""

    history: str
    settled_by: str


class Verdict(Frozen):
    """What the comparison concludes.

    `class_` is serialised as "class". `summary` is one or two sentences for a layman. `rule` names the rule of
    `forensics/judging/verdict.py` that decided. `share` is the share of the suspect's weights that the class is about,
    0 to 1: those compared, and where it holds in a part of them only, that part; null in reports of schema versions
    before 2.0. `histories` are those that fit, with what would settle each. `roles` is set when another argument lies
    between the rest. `formerly` is the class that an older report gave, where classes have changed since; null
    otherwise.
    """

    class_: VerdictClass = Field(alias="class")
    summary: str
    rule: str
    share: float | None = None
    parent: str | None = None
    reason: str | None = None
    histories: tuple[History, ...] = ()
    rests_on: tuple[Evidence, ...] = ()
    controls: tuple[Control, ...] = ()
    does_not_show: tuple[str, ...] = ()
    roles: str | None = None
    formerly: str | None = None
