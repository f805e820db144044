"""What an eighth opposing expert tried: trainings of few numbers, decay of some tensors, zeros, offsets, profiles."""

from __future__ import annotations

import numpy as np

from benchmarks.cases.coordinates import WRITES
from benchmarks.cases.decoders import Decoder, decoder_family, normal, styled
from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import log_uniform
from modelprov.checkpoints.formats.dtypes import DType, Float64, store
from modelprov.demo.writing import Float32, Weights
from tests.generated import Rng, Size, change, model

SIZE = Size(3, 64, 128, 256)


def _stored(values: Float32 | Float64, dtype: DType) -> tuple[Float32, DType]:
    return store(values.astype(np.float32), dtype), dtype


def _turned(numbers: Float64, rng: Rng, share: float) -> Float64:
    """Ternary numbers of which a share was drawn anew."""
    return np.where(rng.random(numbers.shape) < share, rng.integers(-1, 2, numbers.shape), numbers)


@kind(40, "negative", "inconclusive", "same-origin", never=ACCUSATIONS | {"on-line"})
def stages_of_a_ternary_training(rng: Rng) -> Case:
    """-1, 0 and 1 times a scale for each matrix (BitNet): the scales move, and hardly a number turns."""
    dtype = DType.BF16 if rng.random() < 0.8 else DType.F16
    share, early = float(rng.choice([0.0, 1e-5, 1e-4, 1e-3])), float(rng.uniform(0.3, 0.7))
    base = model(rng, SIZE, dtype)
    stages: tuple[Weights, Weights, Weights] = dict(base), dict(base), dict(base)
    for name, (values, _) in base.items():
        if values.ndim < 2:
            continue
        numbers = rng.integers(-1, 2, values.shape).astype(np.float64)
        scale, drift = 0.02 * np.exp(0.2 * rng.standard_normal()), rng.uniform(0.01, 0.1) * rng.choice([-1, 1])
        first = _turned(numbers, rng, share)
        stages[2][name] = _stored(numbers * scale, dtype)
        stages[0][name] = _stored(first * scale * (1 + drift * (early + 0.1 * rng.standard_normal())), dtype)
        stages[1][name] = _stored(_turned(first, rng, share) * scale * (1 + drift), dtype)
    return Case(stages, f"{share:.0e}, {dtype}")


@kind(40, "negative", "inconclusive", "same-origin", "on-line", "other-coordinates", never=ACCUSATIONS)
def stages_of_a_codebook(rng: Rng) -> Case:
    """2 to 64 numbers for each matrix (palettised, XNOR with two means): they move, or run off, and no code turns."""
    dtype = DType.BF16 if rng.random() < 0.8 else DType.F16
    early, noise = float(rng.uniform(0.2, 0.8)), float(rng.choice([0.0, 0.01, 0.1, 0.5]))
    count, size = int(rng.choice([2, 4, 16, 64])), float(rng.choice([0.01, 0.05, 0.2]))
    base = model(rng, SIZE, dtype)
    stages: tuple[Weights, Weights, Weights] = dict(base), dict(base), dict(base)
    for name, (values, _) in base.items():
        if values.ndim == 2:
            codes, (book, drift, own) = rng.integers(0, count, values.shape), 0.02 * rng.standard_normal((3, count))
            moved = early * size * drift + noise * size * np.abs(drift) * own / 0.02
            for stage, numbers in zip(stages, (book + moved, book + size * drift, book), strict=True):
                stage[name] = _stored(numbers[codes], dtype)
    return Case(stages, f"{count}, {size}, {noise}")


@kind(40, "negative", "inconclusive", "same-origin", "on-line", never=ACCUSATIONS)
def decay_beside_trained_embeddings(rng: Rng) -> Case:
    """Two finetunes that trained the embeddings alone, each its own way, while all other matrices decayed."""
    dtype = DType.BF16 if rng.random() < 0.7 else DType.F16
    decay, part = float(rng.uniform(0.005, 0.05)), float(rng.choice([0.3, 0.5, 0.7]))
    size = log_uniform(rng, 1e-5, 1e-3)
    base = model(rng, SIZE, dtype)
    tuned: list[Weights] = []
    for rate in (part * decay, decay):
        own = change(base, rng, size, 0.0, 0.0)
        tuned.append(
            {
                name: (values, dtype)
                if values.ndim < 2
                else _stored(values + own[name] if "layers" not in name else values * (1 - rate), dtype)
                for name, (values, _) in base.items()
            }
        )
    return Case((*tuned, base), f"{decay:.3f} {part}, {size:.1g}")


@kind(40, "positive", "inconclusive", never=frozenset({"unrelated", "same-origin", "merge", "on-line"}))
def copy_that_was_pruned(rng: Rng) -> Case:
    """A copy with zeros: in two places of every four, in its smallest numbers, or anywhere; embeddings stay or not."""
    parent, base = decoder_family(rng, Decoder.draw(rng), 1)
    share, way, all_of_it = log_uniform(rng, 0.01, 0.6), int(rng.integers(3)), rng.random() < 0.3

    def thinned(values: Float32) -> Float32:
        size = np.abs(values)
        if way == 0:
            fours = size.reshape(len(values), -1, 4)
            kept = (fours.argsort(axis=2).argsort(axis=2) >= 2).reshape(values.shape)
        else:
            kept = size >= np.quantile(size, share) if way == 1 else rng.random(values.shape) >= share
        return np.where(kept, values, np.float32(0))

    suspect = {
        name: (thinned(values) if values.ndim == 2 and (all_of_it or "layers" in name) else values, dtype)
        for name, (values, dtype) in parent.items()
    }
    return Case((suspect, parent, base)[: 3 if rng.random() < 0.5 else 2], f"{way} {share:.2f}")


@kind(40, "positive", "inconclusive", never=frozenset({"unrelated", "same-origin", "merge", "on-line"}))
def copy_with_offsets(rng: Rng) -> Case:
    """A number added to each row that reads through LayerNorm, and to each column that writes: it computes the same."""
    parent, base = decoder_family(rng, Decoder.draw(rng), 1)
    size = log_uniform(rng, 0.1, 30)

    def moved(name: str, values: Float32) -> Float32:
        along = (1, values.shape[1]) if name.endswith(WRITES) else (len(values), 1)
        return values + np.float32(size * values.std()) * rng.standard_normal(along, dtype=np.float32)

    suspect = {
        name: _stored(moved(name, values), dtype) if values.ndim == 2 else (values, dtype)
        for name, (values, dtype) in parent.items()
    }
    return Case((suspect, parent, base)[: 3 if rng.random() < 0.5 else 2], f"{size:.2g}")


@kind(40, "negative", "unrelated", "inconclusive", never=ACCUSATIONS | {"same-origin", "on-line"})
def strangers_with_one_profile(rng: Rng) -> Case:
    """Weights that are not negative, each column of its own size: the sizes are the design's, all else is drawn."""
    shape, dtype = Decoder.draw(rng), DType.BF16
    profile = np.exp(float(rng.uniform(0.5, 2)) * rng.standard_normal(shape.hidden))

    def stranger() -> Weights:
        return {
            name: _stored(np.abs(values) * (profile if values.shape[1] == shape.hidden else profile[:, None]), dtype)
            if values.ndim == 2
            else (values, dtype)
            for name, (values, _) in styled(shape, dtype, rng, normal).items()
        }

    return Case((stranger(), stranger()))
