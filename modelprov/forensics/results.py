"""The results of a comparison, as they cross file boundaries: measures, evidence, verdict. Data only.

What was mixed, and by which recipe or method, is in `mixing.py`.

Every number that could not be measured is None, and the reason stands beside it. Words are those of
`docs/method.md`: the suspect S, its candidate parents P1 ... Pk, the reference P0 (the last parent), deltas u = P - P0
and v = S - P0, mixing coefficient alpha.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from modelprov.forensics.mixing import LeastSquares
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
    rotation leaves them. `offset` names those that a number for each row and each column makes the suspect of, and
    `profiled` those with whom most matrices share hardly more than the means of rows and columns. `projected` names
    those of whom what changed are the sizes of directions, as with a lower rank, and `layered` those whose next layers
    account for half of what differs.
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
    offset: tuple[str, ...] = ()
    profiled: tuple[str, ...] = ()
    projected: tuple[str, ...] = ()
    layered: tuple[str, ...] = ()
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
    place or nothing is related; `left` says which matrices stay apart all the same, `renamed` how many tensors were
    paired with one of another name. `exact` says whether undoing kept every bit, `null` what chance is.
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
    renamed: int = 0
    exact: bool = True
    null: str

    @property
    def paired(self) -> bool:
        """Whether the numbers were measured between tensors that the test paired, not those of the same place."""
        return bool(self.undone or self.renamed)


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
