"""What the facts are gathered from. Data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelprov.checkpoints.types import Packing
from modelprov.forensics.judging.part_alphas import PartAlpha
from modelprov.forensics.judging.rows import Table
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.sampling.scout import Strata
from modelprov.forensics.search.fits import Fits
from modelprov.forensics.search.weighted_sum import WeightedSum

Parts = Mapping[str, Mapping[object, PartAlpha]]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the facts are drawn from: sums, fits, swept recipes, the coefficients of parts, the shares compared.

    Those are the shares of all the suspect's weights, and of those that may carry a verdict. `sample` is the decisive
    part of the sample, also where a single parent leaves nothing to fit. `packed`: how each argument is packed.
    """

    table: Table
    strata: Strata
    fits: Fits | None
    recipes: Sequence[WeightedSum]
    parts: Parts
    seed: int
    compared: tuple[float, float] = (1.0, 1.0)
    sample: Sample | None = None
    packed: tuple[Packing | None, ...] = ()
