"""Writes two strangers of real proportions, embeddings included: what nothing but a look at every unit tells apart.

Run: `python benchmarks/strangers.py FOLDER [--hidden 2048 --layers 16 --vocabulary 32768]`. Rows and columns have sizes
of their own, gains of norms a spread and a few giants, and the embeddings of both speak of one language: the same
meaning of each token, in a basis of each model's own, beside what only that model has.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, encode_single, store
from modelprov.demo.writing import Float32, StoredTensor, staged, write_checkpoint

LANGUAGE, MEANINGS, SHARED = 20261128, 256, 0.6
"""The seed of what tokens mean, in how many directions, and how much of an embedding's size that is."""
SPREAD, GIANTS, GIANT = 0.3, 8, 6.0
"""Of a norm's gains: their spread, in e-folds, and how many are so many times as large."""
SHARD_BYTES = 500_000_000


@dataclass(frozen=True)
class Proportions:
    """Those of a decoder like Llama's: heads of 64, a quarter as many of keys and values, MLPs of four widths."""

    hidden: int = 1024
    layers: int = 8
    vocabulary: int = 32_768

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Names and shapes, the embeddings first."""
        hidden = self.hidden
        yield "model.embed_tokens.weight", (self.vocabulary, hidden)
        for layer in range(self.layers):
            block = f"model.layers.{layer}"
            yield f"{block}.input_layernorm.weight", (hidden,)
            yield f"{block}.post_attention_layernorm.weight", (hidden,)
            for name, rows in (("q", hidden), ("k", hidden // 4), ("v", hidden // 4), ("o", hidden)):
                yield f"{block}.self_attn.{name}_proj.weight", (rows, hidden)
            for name in ("gate", "up"):
                yield f"{block}.mlp.{name}_proj.weight", (4 * hidden, hidden)
            yield f"{block}.mlp.down_proj.weight", (hidden, 4 * hidden)
        yield "model.norm.weight", (hidden,)

    @property
    def config(self) -> dict[str, object]:
        """What a config says of it."""
        return {
            "model_type": "llama", "hidden_size": self.hidden, "num_hidden_layers": self.layers,
            "intermediate_size": 4 * self.hidden, "num_attention_heads": self.hidden // 64, "head_dim": 64,
            "num_key_value_heads": self.hidden // 256, "vocab_size": self.vocabulary, "tie_word_embeddings": True,
        }  # fmt: skip


def write_stranger(folder: Path, proportions: Proportions, seed: int) -> Path:
    """Write one model into `folder`, which is its seed's alone. Raises what `staged` raises."""
    rng = np.random.default_rng(seed)
    with staged(folder.parent, [folder.name]) as part:
        stored = [
            StoredTensor(name, DType.BF16, shape, _bytes(rng, name, shape)) for name, shape in proportions.shapes()
        ]
        size = sum(tensor.size for tensor in stored)
        write_checkpoint(part / folder.name, stored, proportions.config, -(-size // SHARD_BYTES))
    return folder


def _bytes(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Iterator[bytes]:
    """Made when they are written, a tensor at a time."""
    if "embed" in name:
        values = _embeddings(rng, *shape)
    elif len(shape) == 1:
        values = np.exp(SPREAD * rng.standard_normal(shape, dtype=np.float32))
        values[rng.choice(shape[0], GIANTS, replace=False)] *= np.float32(GIANT)
    else:
        values = 0.02 * _sized(rng, shape)
    yield bytes(encode_single(store(values.astype(np.float32), DType.BF16), DType.BF16))


def _sized(rng: np.random.Generator, shape: tuple[int, ...]) -> Float32:
    """Normal numbers in rows and columns of unequal size."""
    values = rng.standard_normal(shape, dtype=np.float32)
    rows, columns = (np.exp(0.15 * rng.standard_normal(side, dtype=np.float32)) for side in shape)
    return np.asarray(values * rows[:, None] * columns, np.float32)


def _embeddings(rng: np.random.Generator, tokens: int, hidden: int) -> Float32:
    """What tokens mean, in a basis of this model's own, and what only this model has of them."""
    falling = (1 + np.arange(MEANINGS, dtype=np.float32)) ** -0.5
    meant = np.random.default_rng(LANGUAGE).standard_normal((tokens, MEANINGS), dtype=np.float32) * falling
    basis = np.linalg.qr(rng.standard_normal((hidden, MEANINGS)))[0].astype(np.float32)
    own = _sized(rng, (tokens, hidden))
    spoken = meant @ basis.T
    spoken *= SHARED * np.linalg.norm(own) / np.linalg.norm(spoken)
    common = 0.3 * rng.standard_normal(hidden, dtype=np.float32)
    return np.asarray(0.02 * (spoken + (1 - SHARED) * own + common), np.float32)


def main() -> None:
    """Write two strangers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hidden", type=int, default=Proportions.hidden)
    parser.add_argument("--layers", type=int, default=Proportions.layers)
    parser.add_argument("--vocabulary", type=int, default=Proportions.vocabulary)
    arguments = parser.parse_args()
    proportions = Proportions(arguments.hidden, arguments.layers, arguments.vocabulary)
    for seed, name in enumerate(("suspect", "parent")):
        print(write_stranger(arguments.folder / name, proportions, seed))


if __name__ == "__main__":
    main()
