"""Sizes of rows and columns, layer by layer: what moved layers and factors leave, and when nothing can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.demo.writing import Weights
from modelprov.forensics.search.sizes import OwnSizes
from modelprov.forensics.search.sizes_by_layer import LayerSizes, layer_sizes, matched
from tests.generated import Size, model
from tests.memory import checkpoint

SIZE = Size(4, 48, 96, 100)


def sizes(weights: Weights) -> LayerSizes:
    opened = checkpoint("model", weights)
    model = OwnSizes(opened)
    rows = [row for row, tensor in enumerate(model.alignment.tensors) if tensor.decisive and tensor.layer is not None]
    return layer_sizes(opened, model.by_name(rows))


def with_ups(weights: Weights, rng: np.random.Generator) -> Weights:
    """The model with up projections, which the generated ones lack."""
    dtype = weights["model.embed_tokens.weight"][1]
    ups = {f"model.layers.{layer}.mlp.up_proj.weight": 0.02 * rng.standard_normal((96, 48)) for layer in range(4)}
    return weights | {name: (values.astype(np.float32), dtype) for name, values in ups.items()}


def disguised(weights: Weights, rng: np.random.Generator) -> Weights:
    """Layers and units in another order, factors moved between what units read and write; the rest is new."""
    made = dict(weights)
    for place, taken in enumerate((3, 2, 0, 1)):
        order, by = rng.permutation(96), np.exp(rng.uniform(-1, 1, 96)).astype(np.float32)
        for name, (values, dtype) in weights.items():
            if not name.startswith(f"model.layers.{taken}."):
                continue
            if ".up_proj." in name:
                changed = values[order] * by[:, None]
            elif ".down_proj." in name:
                changed = values[:, order] / by
            elif values.ndim < 2:  # gains belong to what reads through them
                changed = values
            else:
                changed = rng.permutation(values.ravel()).reshape(values.shape) * np.float32(rng.uniform(0.5, 2))
            made[name.replace(f".{taken}.", f".{place}.", 1)] = changed, dtype
    return made


def test_moved_layers_are_known_by_products_that_moved_factors_leave_alone() -> None:
    rng = np.random.default_rng(1)
    base, stranger = (with_ups(model(rng, SIZE), rng) for _ in range(2))
    suspect = sizes(disguised(base, rng))
    assert matched(suspect, sizes(base)).matching
    assert not matched(suspect, sizes(stranger)).matching
    assert not matched(sizes(stranger), sizes(base)).matching


def test_strangers_do_not_match_by_chance() -> None:
    rng = np.random.default_rng(3)
    models = [sizes(model(rng, SIZE)) for _ in range(6)]
    found = [matched(first, second).matching for first in models for second in models if first is not second]
    assert sum(found) == 0


@pytest.mark.parametrize(("own", "theirs", "read", "covered"), [(4, 4, False, True), (1, 1, False, False),
                                                               (4, 1, True, True), (1, 4, True, False)])  # fmt: skip
def test_an_all_clear_needs_nearly_all_layers_of_a_whole_model_or_of_both(
    own: int, theirs: int, read: bool, covered: bool
) -> None:
    rng = np.random.default_rng(5)

    def held(count: int, *, whole: bool) -> LayerSizes:
        profiles = {
            (kind, "rows"): {layer: np.sort(rng.uniform(1, 2, 50)) for layer in range(count)} for kind in ("a", "b")
        }
        return LayerSizes(frozenset(range(4)), profiles, whole)

    assert matched(held(own, whole=read), held(theirs, whole=False)).covered is covered


def test_layers_that_nothing_is_held_against_match_nothing() -> None:
    rng = np.random.default_rng(6)
    own = sizes(model(rng, SIZE))
    for other in (LayerSizes(own.layers, {}, False), LayerSizes(frozenset(), {}, True)):
        assert not matched(own, other).matching
        assert not matched(other, own).matching
