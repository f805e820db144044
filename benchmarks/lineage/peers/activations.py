"""Runs a decoder of gated MLPs on random tokens in numpy, for statistics of activations. Compares nothing."""

from __future__ import annotations

import numpy as np

from benchmarks.cases.decoders import HEAD_WIDTH
from benchmarks.lineage.peers.interface import Float64, in_layers, table_of
from modelprov.demo.writing import Weights

SEQUENCES, LENGTH = 8, 32
Sides = dict[int, tuple[Float64, Float64]]


def gates_and_ups(suspect: Weights, parent: Weights) -> tuple[Sides, Sides]:
    """Pre-activations of gates and ups by layer, [tokens, units], of both models on the same tokens.

    Empty where a model has no table or no gated MLP. Layers without plain attention add nothing in its place.
    """
    tables = [table_of(model) for model in (suspect, parent)]
    if tables[0] is None or tables[1] is None:
        return {}, {}
    tokens = np.random.default_rng(0).integers(0, min(map(len, tables)), (SEQUENCES, LENGTH))  # type: ignore[arg-type]
    return _sides(suspect, tokens), _sides(parent, tokens)


def _sides(model: Weights, tokens: np.ndarray) -> Sides:
    parts = {
        name: in_layers(model, f"{name}.weight")
        for name in (
            *(f"self_attn.{letter}_proj" for letter in "qkvo"), "input_layernorm", "post_attention_layernorm",
            *(f"mlp.{name}_proj" for name in ("gate", "up", "down")),
        )
    }  # fmt: skip
    stream, found = table_of(model)[tokens], {}  # type: ignore[index]
    stream = np.nan_to_num(stream)
    layers = sorted(parts["mlp.gate_proj"].keys() & parts["mlp.up_proj"].keys() & parts["mlp.down_proj"].keys())
    for layer in layers:
        held = {name: by_layer[layer] for name, by_layer in parts.items() if layer in by_layer}
        if all(f"self_attn.{letter}_proj" in held for letter in "qkvo"):
            stream = stream + _attention(_normed(stream, held.get("input_layernorm")), held)
        x = _normed(stream, held.get("post_attention_layernorm"))
        gate, up = x @ held["mlp.gate_proj"].T, x @ held["mlp.up_proj"].T
        found[layer] = gate.reshape(-1, gate.shape[-1]), up.reshape(-1, up.shape[-1])
        stream = stream + (gate / (1 + np.exp(-np.clip(gate, -60, 60))) * up) @ held["mlp.down_proj"].T
    return found


def _normed(x: Float64, gain: Float64 | None) -> Float64:
    made = x / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-6)
    return made if gain is None else made * gain


def _attention(x: Float64, held: dict[str, Float64]) -> Float64:
    q, k, v = (x @ held[f"self_attn.{letter}_proj"].T for letter in "qkv")
    q, k, v = (y.reshape(*y.shape[:2], -1, HEAD_WIDTH).transpose(0, 2, 1, 3) for y in (q, k, v))
    k, v = (np.repeat(y, q.shape[1] // y.shape[1], axis=1) for y in (k, v))
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(HEAD_WIDTH)
    scores = np.where(np.tri(LENGTH, dtype=bool), scores, -np.inf)
    chances = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = (chances / chances.sum(-1, keepdims=True)) @ v
    return mixed.transpose(0, 2, 1, 3).reshape(*x.shape[:2], -1) @ held["self_attn.o_proj"].T
