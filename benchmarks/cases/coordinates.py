"""The same function in other coordinates: permuted, signed, rotated, rescaled decoders. Exact in float64; no rounding.

Every function takes a decoder's arrays by name and returns new ones that compute the same function of the tokens, for
y = W (g * x / rms(x)) with x in the residual stream, softmax(q k / sqrt(d)) v per head, and silu(gate) * up.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.cases.decoders import HEAD_WIDTH, Decoder
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights
from tests.generated import Rng

Float64 = npt.NDArray[np.float64]
Arrays = dict[str, Float64]
Step = Callable[[Arrays, Decoder, Rng], Arrays]

EMBEDDINGS, HEAD, LAST_NORM = "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"
READS = ("q_proj.weight", "k_proj.weight", "v_proj.weight", "gate_proj.weight", "up_proj.weight", "mlp.gate.weight")
WRITES = ("o_proj.weight", "down_proj.weight")


def disguised(model: Weights, shape: Decoder, rng: Rng, steps: tuple[Step, ...], dtype: DType | None = None) -> Weights:
    """The model after all steps, rounded once to its own format or to `dtype`."""
    arrays = {name: values.astype(np.float64) for name, (values, _) in model.items()}
    own = next(iter(model.values()))[1]
    for step in steps:
        arrays = step(arrays, shape, rng)
    return {name: (store(values.astype(np.float32), dtype or own), dtype or own) for name, values in arrays.items()}


def permute_residual(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """The dimensions of the residual stream in another order."""
    return turned(arrays, np.eye(shape.hidden)[:, rng.permutation(shape.hidden)])


def permute_residual_with_signs(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """The same, half of them negated."""
    signs = rng.choice([-1.0, 1.0], shape.hidden)
    return turned(arrays, np.eye(shape.hidden)[:, rng.permutation(shape.hidden)] * signs)


def rotate_residual(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """A random orthogonal basis, after the norms' gains were folded into what reads them (a tied head is untied)."""
    q, r = np.linalg.qr(rng.standard_normal((shape.hidden, shape.hidden)))
    return turned(fold_norms(arrays, shape, rng), q * np.sign(np.diag(r)))


def turn_a_little(arrays: Arrays, shape: Decoder, rng: Rng, size: float) -> Arrays:
    """The same in an orthogonal basis near the old one: Cayley's of a random skew matrix of this deviation."""
    drawn = rng.standard_normal((shape.hidden, shape.hidden))
    skew = size * (drawn - drawn.T) / np.sqrt(8)
    basis = np.linalg.solve(np.eye(shape.hidden) - skew, np.eye(shape.hidden) + skew)
    return turned(fold_norms(arrays, shape, rng), basis)


def permute_units(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """The units of every MLP or expert in another order."""
    made = dict(arrays)
    for place in _places(shape):
        order = rng.permutation(shape.width)
        for name in ("gate", "up"):
            made[f"{place}.{name}_proj.weight"] = made[f"{place}.{name}_proj.weight"][order]
        made[f"{place}.down_proj.weight"] = made[f"{place}.down_proj.weight"][:, order]
    return made


def permute_heads(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """Groups of heads in another order, and the query heads within each."""
    made, per_group = dict(arrays), shape.heads // shape.groups
    for layer in range(shape.layers):
        attention = f"model.layers.{layer}.self_attn."
        groups = rng.permutation(shape.groups)
        heads = np.concatenate([group * per_group + rng.permutation(per_group) for group in groups])
        for name, order in (("q", heads), ("k", groups), ("v", groups)):
            made[f"{attention}{name}_proj.weight"] = made[f"{attention}{name}_proj.weight"][_rows(order)]
        made[f"{attention}o_proj.weight"] = made[f"{attention}o_proj.weight"][:, _rows(heads)]
    return made


def reorder_experts(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """The experts under other numbers, the router's rows with them."""
    made = dict(arrays)
    for layer in range(shape.layers):
        mlp, order = f"model.layers.{layer}.mlp.", rng.permutation(shape.experts)
        made[f"{mlp}gate.weight"] = arrays[f"{mlp}gate.weight"][order]
        for number, source in enumerate(order):
            for name in ("gate", "up", "down"):
                made[f"{mlp}experts.{number}.{name}_proj.weight"] = arrays[f"{mlp}experts.{source}.{name}_proj.weight"]
    return made


def scale_by_powers_of_two(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """Factors of 1/4 to 4 moved between what undoes each other: no bit of a mantissa changes."""
    return _scaled(arrays, shape, lambda count: 2.0 ** rng.integers(-2, 3, count))


def scale_anyhow(arrays: Arrays, shape: Decoder, rng: Rng) -> Arrays:
    """Any factors of 1/3 to 3, moved likewise."""
    return _scaled(arrays, shape, lambda count: np.exp(rng.uniform(-np.log(3), np.log(3), count)))


def scale_a_little(arrays: Arrays, shape: Decoder, rng: Rng, size: float) -> Arrays:
    """The same factors as near 1 as `size` says, the deviation of their logarithms."""
    return _scaled(arrays, shape, lambda count: np.exp(size * rng.standard_normal(count)))


def _scaled(arrays: Arrays, shape: Decoder, factors: Callable[[int], Float64]) -> Arrays:
    """Between norm and reader by dimension; values and output, up and down by unit; queries and keys by group."""
    made, per_group = dict(arrays), shape.heads // shape.groups
    for norm, readers in _norms(shape):
        if norm == LAST_NORM and HEAD not in arrays:
            continue
        by = factors(shape.hidden)
        made[norm] = made[norm] / by
        made |= {name: made[name] * by for name in readers}
    for layer in range(shape.layers):
        attention = f"model.layers.{layer}.self_attn."
        by = factors(shape.groups * HEAD_WIDTH)
        made[f"{attention}v_proj.weight"] = made[f"{attention}v_proj.weight"] * by[:, None]
        spread = by.reshape(shape.groups, 1, HEAD_WIDTH).repeat(per_group, 1).ravel()
        made[f"{attention}o_proj.weight"] = made[f"{attention}o_proj.weight"] / spread
        by = factors(shape.groups)
        made[f"{attention}k_proj.weight"] = made[f"{attention}k_proj.weight"] * by.repeat(HEAD_WIDTH)[:, None]
        spread = by.repeat(per_group * HEAD_WIDTH)[:, None]
        made[f"{attention}q_proj.weight"] = made[f"{attention}q_proj.weight"] / spread
    for place in _places(shape):
        by = factors(shape.width)
        made[f"{place}.up_proj.weight"] = made[f"{place}.up_proj.weight"] * by[:, None]
        made[f"{place}.down_proj.weight"] = made[f"{place}.down_proj.weight"] / by
    return made


def turned(arrays: Arrays, basis: Float64) -> Arrays:
    """The residual stream x as x @ basis: orthogonal, and a signed permutation unless all gains are 1."""
    made = {}
    if (np.count_nonzero(basis, axis=0) == 1).all():  # an order: kept to the sign of zeros, which a product loses
        order = np.abs(basis).argmax(axis=0)
        signs = basis[order, np.arange(len(order))]
        for name, values in arrays.items():
            if values.ndim == 1:
                made[name] = values[order]
            else:
                made[name] = values[order] * signs[:, None] if name.endswith(WRITES) else values[:, order] * signs
        return made
    for name, values in arrays.items():
        if values.ndim == 1:
            made[name] = values @ np.abs(basis) if np.ptp(values) else values
        elif name.endswith(WRITES):
            made[name] = basis.T @ values
        else:
            made[name] = values @ basis
    return made


def fold_norms(arrays: Arrays, shape: Decoder, _: Rng) -> Arrays:
    """All gains of norms 1, multiplied into what reads them (a tied head is untied)."""
    made = {**arrays, HEAD: arrays.get(HEAD, arrays[EMBEDDINGS])}
    for norm, readers in _norms(shape):
        made |= {name: made[name] * made[norm] for name in readers}
        made[norm] = np.ones_like(made[norm])
    return made


def _norms(shape: Decoder) -> list[tuple[str, list[str]]]:
    """Every norm with the matrices that read it."""
    found = []
    for layer in range(shape.layers):
        block = f"model.layers.{layer}."
        found.append((f"{block}input_layernorm.weight", [f"{block}self_attn.{name}_proj.weight" for name in "qkv"]))
        readers = [f"{place}.{name}_proj.weight" for place in shape.places(layer) for name in ("gate", "up")]
        router = [f"{block}mlp.gate.weight"] if shape.experts else []
        router += [f"{block}mlp.shared_expert_gate.weight"] if shape.shared else []
        found.append((f"{block}post_attention_layernorm.weight", router + readers))
    return [*found, (LAST_NORM, [HEAD])]


def _places(shape: Decoder) -> list[str]:
    return [place for layer in range(shape.layers) for place in shape.places(layer)]


def _rows(blocks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The rows of whole heads in this order."""
    return (blocks[:, None] * HEAD_WIDTH + np.arange(HEAD_WIDTH)).ravel()
