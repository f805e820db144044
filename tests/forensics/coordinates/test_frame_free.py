"""What no coordinates change: overlaps of matrices and embeddings of shared tokens, and whom they tell apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import heads
from benchmarks.cases.coordinates import HEAD_WIDTH
from benchmarks.cases.side_by_side import ANYHOW, ORDERS, SHAPE, Models, _layers, _noise, _of, _stranger, _transplanted
from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.layouts.decoder import Decoder, decoder_of
from modelprov.checkpoints.layouts.tokens import rows_by_text
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import TokenRows
from modelprov.demo.writing import Weights
from modelprov.forensics.search.coordinates.frame_free import FrameFree
from modelprov.forensics.search.coordinates.overlaps import choose, overlaps
from modelprov.forensics.search.coordinates.overlaps_alike import OverlapsAlike, overlaps_alike
from modelprov.forensics.search.coordinates.token_rows import Angles, angles, choose_rows
from tests.factories import write_checkpoint
from tests.memory import checkpoint

Make = Callable[[np.random.Generator], Models]


def decoder(weights: Weights) -> Decoder:
    found = decoder_of(checkpoint("model", weights))
    assert found is not None
    return found


def kept(of: Decoder, size: int = 1 << 17) -> TokenRows:
    rows = choose_rows(of, size, 0)
    assert rows is not None
    values = decode(np.frombuffer(rows.data, np.uint8), rows.dtype).reshape(len(rows.tokens), rows.width)
    return TokenRows(rows.tokens, rows.by, values.astype(np.float32))


def seen(make: Make, seed: int) -> FrameFree:
    """A suspect and its first parent, as fingerprints of both would show them."""
    own, theirs = (decoder(each) for each in make(np.random.default_rng([20261128, seed]))[:2])
    tables = [overlaps(each, choose(each, 0), HEAD_WIDTH) for each in (own, theirs)]
    assert tables[0] is not None
    assert tables[1] is not None
    return FrameFree(angles(kept(own), kept(theirs)), overlaps_alike(*tables))


def test_an_overlap_is_the_sum_of_squared_products_beyond_chance() -> None:
    model = decoder(_stranger()(np.random.default_rng(1))[0])
    names = ("model.layers.0.mlp.gate_proj.weight", "model.layers.1.mlp.up_proj.weight")
    found = overlaps(model, names, 1)
    rows = []
    for name in names:
        place = model.places[name]
        raw = bytearray(place.view.count * place.view.ref.dtype.size)
        model.checkpoint.source.read_into(place.view.ref.shard, place.view.start, memoryview(raw))
        norm = model.places[str(place.norm)].view
        gains = bytearray(norm.count * norm.ref.dtype.size)
        model.checkpoint.source.read_into(norm.ref.shard, norm.start, memoryview(gains))
        values = decode(np.frombuffer(raw, np.uint8), place.view.ref.dtype).reshape(place.shape)
        values = values * decode(np.frombuffer(gains, np.uint8), norm.ref.dtype)
        rows.append(values / np.linalg.norm(values, axis=1, keepdims=True))
    expected = sum((first @ second) ** 2 for first in rows[0] for second in rows[1])
    chance = len(rows[0]) * len(rows[1]) / SHAPE.hidden
    error = np.sqrt(2 / len(rows[0]) / len(rows[1])) * (1 - 1 / SHAPE.hidden)
    assert found is not None
    assert found.table[0, 1] == pytest.approx((expected / chance - 1) / error, rel=1e-3)


@pytest.mark.parametrize("steps", [ORDERS, (*ANYHOW, heads.turn_values), (heads.mix_values, *ANYHOW)])
def test_no_coordinates_change_overlaps(steps: tuple[Callable[..., object], ...]) -> None:
    found = seen(_of("copy", *steps), 1).overlaps  # type: ignore[arg-type]
    assert found is not None
    assert found.correlation > 0.999
    assert found.residual < 0.05


def test_strangers_are_told_from_disguised_relatives() -> None:
    assert [seen(_stranger(), seed).strangers for seed in range(6)].count(True) >= 5
    for noise in (0.0, 0.3, 0.7):
        assert not any(seen(_transplanted(*ANYHOW, changed=_noise(noise)), seed).strangers for seed in range(6))


def test_layers_that_were_moved_are_found_by_what_overlaps_inside_them() -> None:
    moved = _layers(2, 3, 1, 0)
    make = _transplanted(*ORDERS, changed=lambda arrays, rng: _noise(0.3)(moved(arrays, rng), rng))
    found = seen(make, 1)
    assert found.overlaps is not None
    assert found.overlaps.correlation > 0.6
    assert not found.strangers


def test_embeddings_show_the_parent_under_any_noise_and_the_frame_where_there_is_one() -> None:
    noisy = seen(_of("copy", *ANYHOW, changed=_noise(2.0)), 1)
    assert 0.1 < (noisy.angles.correlation or 0) < 0.25  # 1 / (1 + 4)
    assert not noisy.strangers
    assert seen(_of("copy", *ORDERS), 1).angles.frame == "permuted"
    assert seen(_of("copy", *ANYHOW), 1).angles.frame == "rotated"
    assert seen(_stranger(), 1).angles.frame is None


def test_reused_embeddings_clear_nobody() -> None:
    apart = OverlapsAlike(0.0, 400, 30.0, 30.0)
    assert FrameFree(Angles(256, 0.0), apart).strangers
    assert FrameFree(Angles(256, 0.3), apart).strangers
    assert not FrameFree(Angles(256, 0.9), apart).strangers
    assert not FrameFree(Angles(256, 0.0), None).strangers


def test_what_training_leaves_of_large_overlaps_is_no_stranger() -> None:
    trained = OverlapsAlike(0.95, 200, 400.0, 30.0)
    assert not FrameFree(Angles(), trained).strangers
    assert FrameFree(Angles(), replace(trained, residual=100.0)).strangers


def test_tables_that_were_made_otherwise_are_not_compared() -> None:
    model = decoder(_stranger()(np.random.default_rng(1))[0])
    one, other = (overlaps(model, choose(model, 0), width) for width in (1, HEAD_WIDTH))
    assert one is not None
    assert other is not None
    assert overlaps_alike(one, other) is None


def test_the_same_tokens_are_chosen_of_two_vocabularies(tmp_path: Path) -> None:
    rng, words = np.random.default_rng(2), [f"w{number}" for number in range(300)]
    stored = []
    for place, space in ((tmp_path / "a", "\u0120"), (tmp_path / "b", "\u2581")):
        order = rng.permutation(words)
        tensors = {"model.embed_tokens.weight": rng.standard_normal((300, 32)).astype(np.float32)}
        tensors |= {"model.layers.0.mlp.up_proj.weight": rng.standard_normal((64, 32)).astype(np.float32)}
        write_checkpoint(place, tensors)
        vocabulary = {space + word: row for row, word in enumerate(order.tolist())}
        (place / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
        opened = open_checkpoint(str(place))
        found = decoder_of(opened)
        assert found is not None
        rows = choose_rows(found, 64 * 32 * 4, 7)
        assert rows is not None
        assert rows.by == "strings"
        row = rows_by_text(opened, 300)[rows.tokens[0]]
        assert rows.data[: 32 * 4] == tensors["model.embed_tokens.weight"][row].tobytes()
        stored.append(rows.tokens)
    assert stored[0] == stored[1]
    assert len(stored[0]) == 64
    assert stored[0][0].startswith(" w")


def test_a_model_with_few_bytes_for_them_keeps_no_rows() -> None:
    model = decoder(_stranger()(np.random.default_rng(1))[0])
    assert choose_rows(model, 64, 0) is None
