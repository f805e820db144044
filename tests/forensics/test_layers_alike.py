"""Layers held against layers of other numbers: what is found at another place, and that strangers share none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.demo.writing import Weights, as_stored, fill_checkpoint
from modelprov.forensics.sampling.blocks import RUN
from modelprov.forensics.search.layers_alike import Layered, alike, elsewhere, relocated
from modelprov.jobs.fingerprint import fingerprint
from tests.generated import Size, model

SIZE = Size(4, 48, 96, 100)
KEY = 1 << 40


def layered(values: np.ndarray) -> Layered:
    """Layers [l, s, RUN] of two kinds of matrices."""
    key = np.array([0, 1, KEY], np.int64)
    return Layered(np.arange(len(values)), key, values.astype(np.float32), np.ones(values.shape[:2], bool))


def held(weights: Weights, folder: Path, *, whole: bool = False) -> Checkpoint:
    fill_checkpoint(folder, as_stored(weights), {}, 1)
    return open_checkpoint(str(folder if whole else fingerprint(folder, folder.with_suffix(".mpf"), size=200_000).file))


def in_order(weights: Weights, order: tuple[int, ...]) -> Weights:
    made = {name: held for name, held in weights.items() if ".layers." not in name}
    for place, taken in enumerate(order):
        for name, values in weights.items():
            if name.startswith(f"model.layers.{taken}."):
                made[name.replace(f".{taken}.", f".{place}.", 1)] = values
    return made


def test_the_correlation_is_that_of_weights_brought_to_one_size() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal((2, 3, 3, RUN))
    second[2] = first[0] + 0.5 * rng.standard_normal((3, RUN))
    found = alike(layered(first), layered(second))
    kinds = [(values[:, :2].reshape(3, -1), values[:, 2]) for values in (first, second)]
    for own in range(3):
        for theirs in range(3):
            expected = sum(
                share * np.corrcoef(kinds[0][kind][own], kinds[1][kind][theirs])[0, 1]
                for kind, share in ((0, 2 / 3), (1, 1 / 3))
            )
            assert found.correlation[own, theirs] == pytest.approx(expected, abs=1e-3)
    assert found.chance[0, 2] < 0.05 < found.chance[0, 1]
    assert found.elements[0, 0] == 3 * RUN


def test_a_layer_counts_as_moved_where_its_own_number_does_not_explain_it() -> None:
    rng = np.random.default_rng(2)
    theirs = rng.standard_normal((3, 3, RUN))
    moved = alike(layered(theirs[[1, 0, 2]]), layered(theirs)).relocated(1)
    assert moved is not None
    assert [(own, other) for own, other, _ in moved.layers] == [(0, 1), (1, 0)]
    same = np.stack([theirs[0], theirs[0], theirs[2]])  # layers that are alike within a model
    assert alike(layered(same), layered(same)).relocated(1) is None


def test_neither_factors_nor_giant_numbers_hide_a_moved_layer() -> None:
    theirs = np.random.default_rng(3).standard_normal((3, 3, RUN))
    own = 7.0 * theirs[[1, 2, 0]]
    own[:, :, 5] = 1e30
    moved = alike(layered(own), layered(theirs)).relocated(1)
    assert moved is not None
    assert len(moved.layers) == 3


def test_strangers_share_no_layer_and_moved_ones_are_found_in_any_mix(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    base, stranger = model(rng, SIZE), model(rng, SIZE)
    suspect = in_order(base, (2, 0, 1))
    one, other = held(base, tmp_path / "base"), held(stranger, tmp_path / "stranger")
    for whole in (False, True):
        opened = held(suspect, tmp_path / f"suspect-{whole}", whole=whole)
        found = relocated(opened, [other, one])
        assert found[0] is None
        assert found[1] is not None
        assert [(own, theirs) for own, theirs, _ in found[1].layers] == [(0, 2), (1, 0), (2, 1)]
    of_whole = elsewhere([held(suspect, tmp_path / "held"), held(base, tmp_path / "whole", whole=True)])
    assert len(of_whole.relocated[0].layers) == 3
    assert of_whole.stack.layers == ({0: 2, 1: 0, 2: 1},)
    assert not elsewhere([other, one]).relocated
