"""What a seventh opposing expert tried: a merge named beside its finetune, two roundings, new tokens, decay, sines."""

from __future__ import annotations

import numpy as np

from benchmarks.cases.decoders import Decoder, decoder_family, normal, styled
from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import family, log_uniform, ratio, training, walk
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights
from tests.generated import Rng, Size, apply, cast, change, merge, model

FALSE = ACCUSATIONS | {"unrelated"}


def _short(rng: Rng) -> DType:
    return DType.BF16 if rng.random() < 0.6 else DType.F16


@kind(40, "positive", "inconclusive", never=FALSE | {"same-origin"})
def finetune_of_a_merge_beside_it(rng: Rng) -> Case:
    """A finetune of a merge of two others, which is named beside them: without it, nobody would be cleared."""
    first, second, _ = family(rng, 2, 1e-4, _short(rng))
    share = ratio(rng, 0.2, 0.8)
    merged = merge((first, second), (share, 1 - share))
    return Case((apply(merged, training(merged, rng, log_uniform(rng, 1e-4, 1e-3))), merged, first, second), f"{share}")


@kind(40, "negative", "same-origin", "inconclusive", unsaid=(r"a mixture of two others",))
def finetune_of_a_stage_beside_other_stages(rng: Rng) -> Case:
    """A finetune of a stage of a run whose base and end are named too: that stage lies near their line, not on it."""
    stage, late, base = walk(rng, float(rng.uniform(0.1, 0.5)), 0.02, float(rng.uniform(0.3, 0.7))).models
    return Case((apply(stage, training(stage, rng, log_uniform(rng, 1e-5, 1e-3))), stage, late, base))


@kind(40, "positive", "copy", "inconclusive", never=frozenset({"merge", "unrelated", "same-origin"}))
def copy_in_both_formats_of_16_bits(rng: Rng) -> Case:
    """A parent of float32, rounded to bf16 and then to F16, or the other way."""
    parent, base = decoder_family(rng, Decoder.draw(rng), 1, DType.F32)
    formats = (DType.BF16, DType.F16)[:: 1 if rng.random() < 0.7 else -1]
    suspect = cast(cast(parent, formats[0]), formats[1])
    return Case((suspect, parent, base)[: 3 if rng.random() < 0.5 else 2], f"{formats[0]} first")


def _with_new_tokens(of: Weights, rng: Rng, rows: int) -> Weights:
    """Some rows of embeddings and head drawn anew, put elsewhere, or set to the mean of all."""
    made, way = dict(of), int(rng.integers(3))
    for name in of:
        if "embed_tokens" in name or "lm_head" in name:
            values, dtype = of[name]
            chosen = rng.choice(len(values), rows, replace=False)
            drawn = values.std() * rng.standard_normal((rows, values.shape[1]))
            new = (drawn, values[np.roll(chosen, 1)], values.mean(axis=0) + 0.05 * drawn)[way]
            changed = values.copy()
            changed[chosen] = new
            made[name] = store(changed.astype(np.float32), dtype), dtype
    return made


@kind(40, "negative", "same-origin", unsaid=(r"rotation",))
def finetune_with_new_tokens(rng: Rng) -> Case:
    """Attention trained, embeddings frozen but for a few tokens that are new: no rotation, in wide models either."""
    shape = Decoder(layers=2, hidden=512, width=128, vocabulary=int(rng.choice([150, 400])), heads=64, groups=8)
    base = decoder_family(rng, shape, 1, DType.BF16)[-1]
    trained = change(base, rng, log_uniform(rng, 1e-4, 1e-3), 1.0, 0.0, only=lambda name: "self_attn" in name)
    rows = int(rng.choice([4, 16, 50]))
    return Case((_with_new_tokens(apply(base, trained), rng, rows), base), f"{rows} of {shape.vocabulary}")


@kind(40, "negative", "inconclusive", "on-line", never=ACCUSATIONS)
def decay_by_steps(rng: Rng) -> Case:
    """A model whose weights only decayed, rounded at every step, after some steps and after more."""
    dtype = _short(rng)
    rate, steps = float(rng.choice([0.004, 0.01, 0.02, 0.05])), int(rng.integers(2, 9))
    run = [model(rng, Size(), dtype)]
    for _ in range(steps):
        run.append(apply(run[-1], {name: np.float32(-rate) * values for name, (values, _) in run[-1].items()}))
    middle = int(rng.integers(1, steps))
    return Case((run[middle], run[-1], run[0]) if rng.random() < 0.6 else (run[-1], run[middle], run[0]), f"{rate}")


@kind(40, "negative", "unrelated", never=ACCUSATIONS)
def strangers_with_tables_of_sines_in_every_layer(rng: Rng) -> Case:
    """Two models from nothing that store what their positions turn by: every model of that design has these numbers."""
    shape, dtype = Decoder.draw(rng), _short(rng)
    angles = np.arange(128)[:, None] / 10_000 ** (np.arange(16) / 16)
    tables = {
        "rotary_emb.cos_cached": np.cos(angles), "rotary_emb.sin_cached": np.sin(angles),
        "pe": np.concatenate([np.sin(angles), np.cos(angles)], axis=1),
    }  # fmt: skip
    name, leading = str(rng.choice([*tables])), (1,) * int(rng.integers(3))
    table = tables[name].reshape(*leading, 128, -1).astype(np.float32)
    held = {f"model.layers.{layer}.self_attn.{name}": (table, DType.F32) for layer in range(shape.layers)}
    models = (styled(shape, dtype, rng, normal) | held, styled(shape, dtype, rng, normal) | held)
    return Case(models, f"{name} {table.shape}")
