"""TIES with a density or a weight that differs by layer or by part comes back as it was written."""

from __future__ import annotations

from typing import Any

import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.demo.writing import Weights
from modelprov.forensics.search.methods import voted_by_layer
from modelprov.forensics.search.methods.find import _looks
from modelprov.forensics.search.methods.remake import Made, total
from modelprov.forensics.search.methods.whole import Whole, Wholes
from tests.forensics.methods.making import family, merged, negatives
from tests.memory import checkpoint


def proposed(*models: Weights) -> tuple[list[Made], list[Whole]]:
    wholes = Wholes(align([checkpoint(f"model {number}", one) for number, one in enumerate(models)]), 0, 512 << 20)
    loaded = [whole for row in wholes.decisive if (whole := wholes.load(row)) is not None]
    looks = _looks(wholes)
    return list(voted_by_layer.ties(lambda: iter(loaded), looks)), loaded


@pytest.mark.parametrize(
    ("weights", "densities"),
    [
        ([0.6, 0.4], [[0.3, 0.7], 0.5]),
        ([[0.3, 0.8], 0.4], [0.5, 0.5]),
        ([[{"filter": "mlp", "value": 0.7}, {"value": 0.4}], 0.4], [0.5, 0.5]),
    ],
    ids=["densities by layer", "weights by layer", "weights by part"],
)
def test_settings_by_layer_give_every_bit(weights: list[Any], densities: list[Any]) -> None:
    first, second, base = family(DType.BF16, hidden=96)
    suspect = merged("ties", [first, second], base, each={"weight": weights, "density": densities})
    found, wholes = proposed(suspect, first, second, base)
    best = next(made for made in found if total(made, wholes).missed == 0)
    assert (best.models, best.base) == ((0, 1), 2)
    plain = [each for each in (*weights, *densities) if not (isinstance(each, list) and isinstance(each[0], dict))]
    told = [own[name] for name in ("weight", "density") for own in best.each]
    assert [value for value in told if not (isinstance(value, list) and isinstance(value[0], dict))] == plain


def test_a_density_by_layer_of_one_model_alone_is_found() -> None:
    first, second, base = family(DType.BF16, hidden=96)
    suspect = merged("ties", [first], base, each={"weight": [1.0], "density": [[0.3, 0.7]]})
    found, wholes = proposed(suspect, first, second, base)
    best = next(made for made in found if total(made, wholes).missed == 0)
    assert [own["density"] for own in best.each] == [[0.3, 0.7]]


def test_nothing_is_proposed_where_one_setting_holds_for_all_layers_or_no_merge_made_the_suspect() -> None:
    first, second, base = family(DType.BF16, hidden=96)
    each = {"weight": [0.6, 0.4], "density": [0.5, 0.5]}
    assert proposed(merged("ties", [first, second], base, each=each), first, second, base)[0] == []
    first, second, base = family()
    for name, make in negatives():
        assert proposed(make(), first, second, base)[0] == [], name
