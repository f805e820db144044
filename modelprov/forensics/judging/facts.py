"""The facts that the rules of the verdict look at. Data only: `gathering.py` measures them, `verdict.py` judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelprov.checkpoints.types import Packing
from modelprov.forensics.estimators.precision import Precision
from modelprov.forensics.estimators.scaled import Scaled
from modelprov.forensics.judging.roles import Between
from modelprov.forensics.judging.trace import Trace
from modelprov.forensics.thresholds import MINIMUM_ELEMENTS

if TYPE_CHECKING:
    from modelprov.forensics.search.coordinates.frame_free import FrameFree
    from modelprov.forensics.search.coordinates.head_spectra import HeadsAlike
    from modelprov.forensics.search.layers_alike import Relocated
    from modelprov.forensics.search.matrices_alike import Displaced


@dataclass(frozen=True)
class PairedUnits:
    """What the test of units says of argument number `parent` (`search/coordinates/kinship.py`).

    Of `units`, `agreeing` are paired alike by two kinds of their weights, `expected` by chance; `kin` of the `layers`
    looked at are the parent's beyond chance, which for the weakest of them is `chance`; `rarest` is the smallest chance
    of any layer, related or not. `undone` says in words what was undone before all other facts were measured, nothing
    if they speak of the weights at their places; `exact` whether that kept every bit. `doubts` names controls,
    strangers at their places, whose units agree as well.
    """

    parent: int
    agreeing: int
    units: int
    expected: float
    kin: int
    layers: int
    chance: float
    undone: tuple[str, ...] = ()
    exact: bool = True
    doubts: tuple[str, ...] = ()
    rarest: float = 1.0


@dataclass(frozen=True)
class Stacked:
    """Every layer of the suspect is, bit for bit, one of a parent's (`stacked.py`).

    `parents` are the arguments that it takes, the fewest; `moved` whether layers stand elsewhere, or are more or fewer,
    than in the parents; `scaled` whether some tensors are a parent's times a factor. `versions`: the elements in which
    two related parents differ, in a layer that the suspect holds both as the one has it and as the other has it.
    """

    parents: tuple[int, ...]
    moved: bool = False
    scaled: bool = False
    versions: int = 0


@dataclass(frozen=True)
class Facts:
    """What the rules look at; parents are numbered 1 ... k as arguments, the reference last.

    `finite` is the share of decisive elements that are finite everywhere; `compared` that of the suspect's weights
    which could be compared, `compared_decisive` that of those which may carry a verdict. `identical`: the parents
    whose bits every decisive element holds, the most alike first; `beneath` those of them whose finer numbers lie
    nearer the suspect's than numbers that were rounded to these do; `alike` the share of all elements, vectors too,
    in which that first one has the suspect's bits; `equal` by parent the share of decisive elements in which it has
    them, and `same_matrices` in how many of the decisive tensors, the `matrices`, it has all.
    `correlations`: mean-centred raw correlation by parent (None: no variance); `kin_tensors` the share of
    decisive elements in tensors where one of them exceeds 0.5; `signs` the same as `correlations` by signs
    (`at_their_places.py`), `beyond_chance` by parent, where raw correlations show no kinship, the share of equal bits
    less what chance gives. `proportional`: of the nearest parent, how much more its small weights changed than its
    large ones, over their size, and the change of the large ones. `elsewhere`: the parent whose rows and columns have
    the suspect's sizes in another order (`profiles.py`); `untested` where too few could be compared; of so many
    `profiles`, `rare` by parent are closer than chance makes one in a thousand, which `by_chance` would be of
    independent models; `heads` by parent those of attention that are its own by their singular values
    (`search/coordinates/head_spectra.py`); `displaced` by parent its matrices that the suspect has at other places
    (`search/matrices_alike.py`).

    Where all that is there of a model is the blocks of a fingerprint: `relocated`, layers that are a parent's under
    other numbers (`search/layers_alike.py`); `scattered`, kinds of matrices that are not a parent's at their places, or
    of another size.

    `paired`: what the units say, where they were asked. `patched`: whether every decisive tensor holds all bits of some
    parent, though no parent holds all; `stacked` what that is, where it is so layer by layer.

    `extrapolated`: a parent that is exactly the suspect carried on beyond it (`reversal.py`); `centred`: one whose
    mixture lies nearer the middle of the suspect's cells than rounding puts it, both among the parents of the recipe
    that gives the bits, if any; `made_from` another parent that is the suspect carried on; `short`: whether the suspect
    holds 16-bit numbers, where a recipe that gives every bit does not tell these apart from a merge; `precision` of
    every argument, the suspect first: the formats that most of its weights are stored in and show.
    `ties`: sampled elements whose mixture falls on a border, `ties_even` the share of even numbers there, `ties_firm`
    whether every arithmetic keeps such ties, `slight` whether nothing but ties could tell a mixture from a change that
    was scaled; `roomy`: elements with another number between the parents, `strictly` how
    many lie strictly between, of those that the mixture would put there; `towards` by parent: the share of what differs
    from the heaviest parent that moved its way (`sides.py`).

    `packed`: of every argument, the suspect first, how it is packed, if its matrices are decoded when they are read;
    `falls_back`: of a suspect that is, the parent whose mixture with another falls back upon numbers of 16 bits, as
    where it was made from the suspect before that was quantised (`before_quantising.py`).

    `bit_equal`: the best recipe's share where parents differ, at worst; `mixes` whether that recipe, or else the exact
    weighting, uses more than one parent, in `pieces` pieces, and `blends` whether any piece by itself does; `interior`
    whether none of its weights is negative.
    `exact`: whether one weighting fits every rounding cell. It does so in the share `explained` of the decisive
    elements, and `bit_equal`, `agreement`, `betweenness` are measured there, as are `missed`, elements that the recipe
    does not reproduce, and `distinct`, elements that do not hold a parent's bits (fewest over the parents).

    `weights` by parent (likelihood, else least squares), with `weight_errors` and the largest of these `weight_error`;
    `straightness`: minus the cosine of the angle at the suspect, freed of rounding. `spread`: standard deviation of a
    weight over layers or components beyond its own error. `boundary`: nothing beyond rounding was added. `trace`:
    whose rounding it has, where a recipe's is telling (`trace.py`). `whole` by parent: the components of which every
    bit is its, where that is not so of every parent; `follows` a parent and a component that is mostly that parent's,
    though another is the heaviest over all (`components.py`). `may_differ`: of a sample, the share of all weights that
    may differ from a parent's, with 95 % confidence, though nothing that was read does (`sampling/closer.py`).
    `scaled`: a parent that the suspect is a multiple of, to rounding (`estimators/scaled.py`). `recoded`: if a recipe
    or its trace would decide, the share of what differs that is in tensors in which all arguments hold one's numbers
    under values of their own (`estimators/recoded.py`). `pruned`: a parent that the
    suspect is to the bit but for numbers set to zero, and their share. Of a suspect near one parent, `rounded_twice`
    whether it is that one in both 16-bit formats, one after the other, and `near_mixture` whether that one is by itself
    an exact mixture of two others.
    """

    elements: int
    parents: int
    finite: float = 1.0
    compared: float = 1.0
    compared_decisive: float = 1.0
    identical: tuple[int, ...] = ()
    beneath: tuple[int, ...] = ()
    alike: float = 1.0
    equal: tuple[float, ...] = ()
    same_matrices: tuple[int, ...] = ()
    matrices: int = 0
    correlations: tuple[float | None, ...] = ()
    kin_tensors: float = 0.0
    signs: tuple[float | None, ...] = ()
    beyond_chance: tuple[float, ...] = ()
    proportional: tuple[float, float] | None = None
    elsewhere: int | None = None
    untested: bool = False
    paired: PairedUnits | None = None
    patched: bool = False
    stacked: Stacked | None = None
    profiles: int = 0
    rare: tuple[int, ...] = ()
    by_chance: float = 0.0
    heads: tuple[HeadsAlike, ...] = ()
    displaced: tuple[Displaced, ...] = ()
    frame_free: tuple[FrameFree | None, ...] = ()
    relocated: Relocated | None = None
    scattered: tuple[str, ...] = ()
    between: tuple[Between, ...] = ()
    other_exact: int | None = None
    extrapolated: int | None = None
    centred: int | None = None
    made_from: int | None = None
    short: bool = True
    precision: tuple[Precision, ...] = ()
    packed: tuple[Packing | None, ...] = ()
    falls_back: int | None = None
    ties: int = 0
    ties_even: float | None = None
    ties_firm: bool = False
    slight: bool = False
    roomy: int = MINIMUM_ELEMENTS
    strictly: float | None = 1.0
    towards: tuple[float | None, ...] = ()
    bit_equal: float | None = None
    mixes: bool = False
    blends: bool = True
    pieces: int = 1
    missed: int = 0
    distinct: int = 0
    interior: bool = True
    exact: bool = False
    explained: float = 1.0
    agreement: float | None = None
    betweenness: float | None = None
    weights: tuple[float, ...] | None = None
    weight_error: float | None = None
    weight_errors: tuple[float, ...] | None = None
    collinearity: float | None = None
    straightness: float | None = None
    spread: float | None = None
    boundary: bool = False
    trace: Trace | None = None
    whole: tuple[tuple[str, ...], ...] = ()
    follows: tuple[int, str] | None = None
    may_differ: float = 0.0
    scaled: Scaled | None = None
    recoded: float | None = None
    rounded_twice: bool = False
    pruned: tuple[int, float] | None = None
    near_mixture: bool = False
