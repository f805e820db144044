"""What the cases are made with: a family, a ratio as people type it, training, directions. Labels nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.cases.kinds import Case
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from tests.generated import Change, Rng, Size, apply, change, combine, distance, layer_of, model

FORMATS = (DType.BF16, DType.F16, DType.F32)
WIDTH = 2e-5, 2e-3  # parents' distance, weight units


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def ratio(rng: Rng, low: float = 0.05, high: float = 0.95) -> float:
    """A ratio as people type it: 0.1, 0.25, 0.565."""
    return float(np.clip(round(rng.uniform(low, high), int(rng.integers(1, 4))), low, high))


def family(rng: Rng, children: int = 1, low: float = WIDTH[0], dtype: DType | None = None) -> list[Weights]:
    """Finetunes of one base, and the base last."""
    stored = dtype or FORMATS[int(rng.choice(3, p=[0.6, 0.2, 0.2]))]
    base = model(rng, Size.draw(rng), stored, float(rng.choice([0.5, 1.0, 2.0])))
    size = log_uniform(rng, low, WIDTH[1])
    return [*(apply(base, training(base, rng, size)) for _ in range(children)), base]


def training(of: Weights, rng: Rng, size: float) -> Change:
    """The change of some training run of this size."""
    return change(of, rng, size, float(rng.choice([0.0, 0.5, 0.95])), float(rng.choice([0.0, 0.5])))


def trained(merged: Weights, parents: Sequence[Weights], rng: Rng, share: float, low_rank: float = 0.0) -> Weights:
    """The stored merge, trained by a share of the parents' distance, equally in all tensors in proportion."""
    extra = change(merged, rng, 1.0, low_rank, 0.0)
    for name in extra:
        apart = parents[0][name][0] - parents[-1][name][0]
        extra[name] = extra[name] * np.float32(share * math.sqrt(float(np.mean(np.square(apart, dtype=np.float64)))))
    return apply(merged, extra)


def difference(one: Weights, other: Weights) -> Change:
    """What was added to `other`."""
    return {name: values - other[name][0] for name, (values, _) in one.items()}


def sharing(rng: Rng, parent: Weights, base: Weights, cosine: float) -> Case:
    """A finetune whose change has this cosine with the parent's, of any relative size."""
    size, common = distance(parent, base), difference(parent, base)
    own = change(base, rng, size, 0.5, 0.0)
    scale = log_uniform(rng, 0.2, 3)
    suspect = apply(base, combine([(scale * cosine, common), (scale * math.sqrt(1 - cosine**2), own)]))
    return Case((suspect, parent, base), f"cosine {cosine:.3f}, {scale:.2f} as far")


def walk(rng: Rng, noise: float, uneven: float, time: float) -> Case:
    """Two stages of a run: drift plus a random walk, of which `noise` is the part; `time` of the first, by layer."""
    base, size = family(rng)[-1], log_uniform(rng, 1e-4, WIDTH[1])
    drift = change(base, rng, size * math.sqrt(1 - noise**2), 0.5, 0.3)
    early, late = (change(base, rng, size * noise, 0.5, 0.3) for _ in range(2))
    pace: dict[str, float] = {}
    for name in base:
        layer = layer_of(name)
        pace[name] = pace.get(f"{layer}", float(np.clip(time + uneven * rng.standard_normal(), 0.02, 0.98)))
        pace[f"{layer}"] = pace[name]
    suspect = apply(base, combine([(pace, drift), ({name: math.sqrt(t) for name, t in pace.items()}, early)]))
    rest = {name: math.sqrt(1 - t) for name, t in pace.items()}
    whole = {name: math.sqrt(t) for name, t in pace.items()}
    parent = apply(base, combine([(1.0, drift), (whole, early), (rest, late)]))
    about = f"noise {noise:.2f}, uneven {uneven:.2f}, time {time:.2f}"
    return Case((suspect, parent, base) if rng.random() < 0.7 else (parent, suspect, base), about)


def shape_of(of: Weights) -> tuple[int, int, int, bool, int]:
    """Hidden width, width of the MLP, vocabulary, whether there is a head, number of experts."""
    vocabulary, hidden = of["model.embed_tokens.weight"][0].shape
    experts = sum("layers.0.mlp.experts" in name and "gate" in name for name in of)
    width = of["model.layers.0.mlp.experts.0.gate_proj.weight" if experts else "model.layers.0.mlp.gate_proj.weight"]
    return hidden, width[0].shape[0], vocabulary, "lm_head.weight" in of, experts
