"""TIES and breadcrumbs are named with weights and densities, in the arithmetics of programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov import compare, verify
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import as_stored, write_checkpoint
from modelprov.forensics.search.methods.subsets import Factor, Vectors, taken
from modelprov.forensics.search.methods.voted import typed
from tests.forensics.methods.making import family, merged, search


@pytest.mark.parametrize(
    ("stored", "arithmetic", "computed"),
    [
        (DType.BF16, "mergekit-0.1.5", None),
        (DType.BF16, "mergekit-0.1.4", DType.F32),
        (DType.F32, "mergekit-0.1.5", None),
        (DType.BF16, "float32", DType.F32),
    ],
)
@pytest.mark.parametrize(
    ("method", "each"),
    [
        ("ties", {"weight": [0.6, 0.4], "density": [0.5, 0.5]}),
        ("ties", {"weight": [0.5, 0.8], "density": [0.3, 0.7]}),
        ("breadcrumbs", {"weight": [0.6, 0.5], "density": [0.9, 0.9], "gamma": [0.01, 0.01]}),
        ("breadcrumbs_ties", {"weight": [0.6, 0.5], "density": [0.7, 0.7], "gamma": [0.01, 0.01]}),
    ],
)
def test_thinned_task_vectors_are_named_with_weights_and_densities(
    method: str, each: dict[str, list[float]], stored: DType, arithmetic: str, computed: DType | None
) -> None:
    first, second, base = family(stored, hidden=48)
    found = search(
        merged(method, [first, second], base, each=each, arithmetic=arithmetic, dtype=computed), first, second, base
    )
    assert found is not None
    assert (found.made.method, found.made.base) == (method, 2)
    for name, values in each.items():
        assert [own[name] for own in found.made.each] == values
    assert found.bits.equal == found.bits.elements


@pytest.mark.parametrize("base_at", [0, 1])
def test_a_base_that_is_not_named_last_is_found(base_at: int) -> None:
    """Of two thinned finetunes one may have more of its numbers in the suspect than their base."""
    first, second, base = family(hidden=48)
    suspect = merged("ties", [first, second], base, each={"weight": [0.6, 0.4], "density": [0.5, 0.5]})
    named = [first, second]
    named.insert(base_at, base)
    found = search(suspect, *named)
    assert found is not None
    assert (found.made.method, found.made.base) == ("ties", base_at)
    assert found.bits.equal == found.bits.elements


def test_the_program_is_the_one_that_gives_the_small_tensors_too() -> None:
    """Where no outlier is to be dropped mergekit 0.1.4 keeps nothing: matrices are the same in both, norms are not."""
    first, second, base = family()
    each = {"weight": [0.6, 0.5], "density": [0.9, 0.9], "gamma": [0.02, 0.02]}
    program: dict[str, Any] = {"arithmetic": "mergekit-0.1.4", "dtype": DType.F32}
    found = search(merged("breadcrumbs", [first, second], base, each=each, **program), first, second, base)
    assert found is not None
    assert found.made.arithmetic == "mergekit-0.1.4"
    assert found.small_whole == found.small > 0


@pytest.mark.parametrize("weight", [1.0, 0.6])
def test_one_thinned_task_vector_needs_one_model(weight: float) -> None:
    """A weight that is divided by itself is in the last bits."""
    first, second, base = family()
    suspect = merged("ties", [first], base, each={"weight": [weight], "density": [0.3]})
    found = search(suspect, first, second, base)
    assert found is not None
    assert (found.made.method, found.made.models) == ("ties", (0,))
    assert found.made.each == ({"weight": weight, "density": 0.3},)
    assert found.bits.equal == found.bits.elements


def test_the_recipe_of_ties_makes_the_same_bits(tmp_path: Path) -> None:
    first, second, base = family(hidden=48)
    suspect = merged("ties", [first, second], base, each={"weight": [0.6, 0.4], "density": [0.5, 0.5]})
    models = {"s": suspect, "a": first, "b": second, "base": base}
    places = {name: str(tmp_path / name) for name in models}
    for name, weights in models.items():
        write_checkpoint(tmp_path / name, as_stored(weights), {"model_type": "llama"})
    report = compare(*places.values(), device="cpu")
    assert report.verdict.rule == "method"
    assert report.method is not None
    (tmp_path / "found.yml").write_text(report.method.yaml)
    assert verify(places["s"], tmp_path / "found.yml").reproduced


def test_weights_are_those_that_people_type() -> None:
    assert typed([Factor(0.6, 0.599, 0.601)])[0] == (0.6, 0.4)
    assert (0.5, 0.8) in typed([Factor(0.5 / 1.3, 0.38, 0.39)])[:4]
    assert (0.62, 0.38) in typed([Factor(0.6201, 0.619, 0.621)])[:6]


def test_factors_and_who_took_part_come_from_single_elements() -> None:
    """Against an oracle that knows the masks: three of four elements took one model or both, the rest none."""
    rng = np.random.default_rng(1)
    models = rng.standard_normal((2, 4000))
    masks = rng.random((2, 4000)) < 0.5
    factors = np.array([1.3, 0.7])
    vectors = Vectors((factors[:, None] * models * masks).sum(axis=0), models, np.full(4000, 1e-4), 2.0**-21)
    found = [vectors.factor(model) for model in range(2)]
    assert [one.typed for one in found if one is not None] == [1.3, 0.7]
    seen = taken(vectors, factors)
    kept, told = seen.kept
    assert seen.explained == 1
    assert told.mean() > 0.8
    assert (kept == masks[:, told]).all()
