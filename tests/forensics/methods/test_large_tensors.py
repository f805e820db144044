"""Tensors that are larger than what estimates need: some rows are looked at, and whole tensors decide."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.search.methods import arcs, find, whole
from tests.forensics.methods.making import family, merged, search


def test_some_rows_are_those_of_every_checkpoint() -> None:
    values = np.arange(40, dtype=np.float32)
    tensor = whole.Whole(
        3, "w", 0, 0.0, (10, 4), True, values, np.stack([values, -values]), DType.F32, (DType.F32, DType.F32)
    )
    thin = tensor.thinned(12)
    assert (thin.shape, thin.elements) == ((3, 4), 12)
    assert (thin.parents[0] == thin.suspect).all()
    assert (thin.suspect.reshape(3, 4)[:, 0] % 4 == 0).all()
    assert tensor.thinned(40) is tensor


@pytest.mark.parametrize(
    ("method", "models", "base", "each", "options"),
    [
        ("slerp", (1,), 0, {}, {"t": 0.35}),
        ("ties", (0, 1), 2, {"weight": [0.6, 0.4], "density": [0.5, 0.5]}, {}),
        ("dare_ties", (0, 1), 2, {"weight": [0.6, 0.5], "density": [0.5, 0.7]}, {}),
    ],
)
def test_methods_are_named_from_some_rows_of_each_tensor(
    monkeypatch: pytest.MonkeyPatch, method: str, models: tuple[int, ...], base: int, each: dict[str, list[float]],
    options: dict[str, float],
) -> None:  # fmt: skip
    for module in (find, arcs):
        monkeypatch.setattr(module, "THIN", 4096)
    parents = family(hidden=48)
    suspect = merged(method, [parents[model] for model in models], parents[base], each=each, options=options)
    found = search(suspect, *parents)
    assert found is not None
    assert (found.made.method, found.made.models, found.made.base) == (method, models, base)
    assert [own["weight"] for own in found.made.each] == each.get("weight", [])
