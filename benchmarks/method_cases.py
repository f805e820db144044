"""Suspects made by a merge method with parameters that people type, and suspects that no method made. Judges nothing.

Generated families of two to six finetunes and their base (bf16 and f32, changes of 4e-4 to 2e-3), merged by
`modelprov.recipes.methods` in the arithmetics of mergekit's versions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.forensics.judging.named_method import in_words
from modelprov.forensics.search.methods.remake import Made
from modelprov.recipes.arithmetics import Arithmetic
from tests.forensics.methods.making import LAYERS, merged
from tests.generated import Rng, Size, apply, change, layer_of, merge, model

THREE = ("multislerp", "karcher", "model_stock", "ties", "sce")  # of which some are made of three models
PARTS = ("self_attn", "mlp")


@dataclass(frozen=True)
class Case:
    """Suspect and parents (the reference last), and what it truly is: method, weights, other settings by model.

    `layers` are those of a stack: of each slice the parent (0 ...), its first layer and the one after its last. `words`
    is how a report would say it.
    """

    models: tuple[Weights, ...]
    method: str | None = None
    weights: tuple[float, ...] = ()
    each: dict[str, list[float]] | None = None
    options: dict[str, Any] | None = None
    layers: tuple[tuple[int, int, int], ...] = ()
    words: str = ""


def family(rng: Rng, children: int, hidden: int = 48) -> list[Weights]:
    """Finetunes of one base, and the base."""
    dtype = DType.BF16 if rng.random() < 0.7 else DType.F32
    base = model(rng, Size(LAYERS, hidden, 96, 200), dtype)
    size = float(10 ** rng.uniform(np.log10(4e-4), np.log10(2e-3)))
    return [*(apply(base, change(base, rng, size)) for _ in range(children)), base]


def _gradient(rng: Rng) -> list[float]:
    return [round(float(rng.uniform(0, 1)), 1) for _ in range(3)]


def _stack(rng: Rng) -> Case:
    """Layers of two models behind each other; at least one layer is in it as both have it."""
    *children, base = family(rng, 2)
    until = int(rng.integers(2, LAYERS))
    layers = (0, 0, until), (1, int(rng.integers(1, until)), LAYERS)
    made: Weights = {name: held for name, held in children[0].items() if "embed" in name}
    at = 0
    for parent, first, stop in layers:
        for layer in range(first, stop):
            own = {name: held for name, held in children[parent].items() if layer_of(name) == layer}
            made |= {name.replace(f".{layer}.", f".{at}.", 1): held for name, held in own.items()}
            at += 1
    outside = {name: h for name, h in children[1].items() if layer_of(name) is None and "embed" not in name}
    return Case((made | outside, *children, base), "passthrough", layers=layers)


def _by_place(rng: Rng, by_layer: bool) -> Case:
    """TIES with a density by layer or a weight by part, as in mergekit's examples."""
    *children, base = family(rng, 2, hidden=96)
    low, high = float(rng.choice([0.2, 0.3])), float(rng.choice([0.6, 0.7, 0.8]))
    parts = [{"filter": "self_attn", "value": low}, {"filter": "mlp", "value": high}, {"value": low}]
    weights: list[Any] = [0.6, 0.4] if by_layer else [parts, 0.4]
    densities: list[Any] = [[low, high], 0.5] if by_layer else [0.5, 0.5]
    each = {"weight": weights, "density": densities}
    own = tuple({key: values[place] for key, values in each.items()} for place in range(2))
    words = in_words(Made("ties", (0, 1), 2, own), ["P1", "P2", "P3"])
    return Case((merged("ties", children, base, each=each), *children, base), "ties", each=each, words=words)


BY_HAND = (
    Arithmetic.TORCH_SUM, Arithmetic.TORCH_DELTA, Arithmetic.TORCH_ALPHA_FROM_ZERO, Arithmetic.TORCH_DELTA_ALPHA,
)  # fmt: skip


def _by_hand(rng: Rng) -> Case:
    """A few lines of torch: a mean of three, or two with a weight on no grid."""
    children = family(rng, 3)
    if rng.random() < 0.4:
        weights, arithmetic = (1 / 3,) * 3, Arithmetic.TORCH_MEAN
    else:
        first = float(rng.choice([1 / 7, 1 / 3, 0.6173, 0.618034, 0.37]))
        weights, arithmetic = (first, 1 - first), BY_HAND[int(rng.integers(len(BY_HAND)))]
    parents = children[: len(weights)]
    return Case((merge(parents, weights, arithmetic), *parents), "linear", weights)


ALONE: dict[str, Callable[[Rng], Case]] = {
    "passthrough": _stack,
    "linear by hand": _by_hand,
    "ties by layer": lambda rng: _by_place(rng, True),
    "ties by part": lambda rng: _by_place(rng, False),
}


def _weights(rng: Rng, count: int) -> list[float]:
    if rng.random() < 0.5 or count > 2:
        return [round(float(rng.uniform(0.3, 1.0)), 1) for _ in range(count)]
    first = round(float(rng.uniform(0.2, 0.8)), 2)
    return [first, round(1 - first, 2)]


def case_of(method: str, rng: Rng) -> Case:
    """A merge by this method; words after its name say of what kind."""
    if method in ALONE:
        return ALONE[method](rng)
    three = method in THREE and rng.random() < 0.3
    *children, base = family(rng, 6 if "six" in method else 3 if three else 2)
    arithmetic, computed = [("mergekit-0.1.5", None), ("mergekit-0.1.4", None), ("mergekit-0.1.4", DType.F32)][
        int(rng.integers(3))
    ]
    each: dict[str, list[float]] = {}
    options: dict[str, Any] = {}
    models, origin = children, None
    if method.startswith("slerp"):
        t: Any = round(float(rng.uniform(0.2, 0.8)), 2)
        if "layer" in method:
            t = _gradient(rng)
        elif "part" in method:  # as in the example of mergekit's documentation
            t = [*({"filter": part, "value": _gradient(rng)} for part in PARTS), {"value": t}]
        options["t"], models, origin = t, children[1:], children[0]
    elif method in ("nearswap", "arcee_fusion"):
        options |= {"t": float(rng.choice([1e-4, 2e-4, 5e-4]))} if method == "nearswap" else {}
        models, origin = children[1:], children[0]
    elif method == "sce":
        options["select_topk"], origin = float(rng.choice([0.1, 0.3, 0.5, 0.7])), base
    elif method == "model_stock":
        origin = base
    elif method in ("nuslerp", "multislerp"):
        each["weight"] = _weights(rng, len(children))
        total = sum(each["weight"])
        each["weight"] = [*(round(w / total, 2) for w in each["weight"][:-1])]
        each["weight"].append(round(1 - sum(each["weight"]), 2))
        origin = base if rng.random() < 0.5 else None
    elif method != "karcher":
        origin, each["weight"] = base, _weights(rng, len(children))
        if not method.startswith("task_arithmetic"):
            kept = [0.7, 0.8, 0.9] if "bread" in method else [0.3, 0.4, 0.5, 0.6, 0.7]
            each["density"] = [float(rng.choice(kept)) for _ in children]
        if "bread" in method:
            each["gamma"] = [float(rng.choice([0.01, 0.02]))] * len(children)
        if "della" in method:
            each["epsilon"] = [0.1] * len(children)
    name = method.split(" ", maxsplit=1)[0]
    suspect = merged(
        name, models, origin, each=each, options=options, arithmetic=arithmetic, dtype=computed,
        seed=int(rng.integers(1 << 30)),
    )  # fmt: skip
    labels = [f"P{place}" for place in range(1, len(children) + 2)]
    at = [place for place, child in enumerate((*children, base)) if any(child is one for one in models)]
    own = tuple({key: values[place] for key, values in each.items()} for place in range(len(models)))
    given = None if origin is None else len(children) if origin is base else 0
    words = in_words(Made(name, tuple(at), given, own if each else (), options), labels)
    return Case((suspect, *children, base), name, tuple(each.get("weight", ())), each, options, words=words)


def sibling(rng: Rng) -> Case:
    """Another finetune of the same base."""
    *children, base = family(rng, 3)
    return Case((*children, base))


def child(rng: Rng) -> Case:
    """One of them, trained on a little."""
    first, second, base = family(rng, 2)
    return Case((apply(first, change(first, rng, float(10 ** rng.uniform(-4.5, -3.2)))), first, second, base))


def noisy(rng: Rng) -> Case:
    """One of them, with a little noise."""
    first, second, base = family(rng, 2)
    noise = change(first, rng, float(10 ** rng.uniform(-5, -3.5)), low_rank=0, uneven=0)
    return Case((apply(first, noise), first, second, base))


def picked(rng: Rng) -> Case:
    """Each number picked from one of two."""
    first, second, base = family(rng, 2)
    other, share = (second if rng.random() < 0.5 else base), float(rng.uniform(0.2, 0.9))
    made: Weights = {
        name: (np.where(rng.random(values.shape) < share, values, other[name][0]), dtype)
        for name, (values, dtype) in first.items()
    }
    return Case((made, first, second, base))


def _rounded(rng: Rng) -> Case:
    first, second, base = family(rng, 2)
    made: Weights = {}
    for name, (values, dtype) in first.items():
        step = np.float32(np.abs(values).max() / 127)
        made[name] = (np.round(values / step) * step).astype(np.float32), dtype
    return Case((apply(made, {name: np.zeros_like(v) for name, (v, _) in made.items()}), first, second, base))


def _merge_trained(rng: Rng) -> Case:
    case = case_of("slerp", rng)
    made = case.models[0]
    return Case((apply(made, change(made, rng, 1e-4)), *case.models[1:]))


METHODS = (
    "linear by hand", "task_arithmetic", "task_arithmetic of six", "slerp", "slerp by layer", "slerp by part",
    "nuslerp", "karcher", "multislerp", "model_stock", "nearswap", "arcee_fusion", "passthrough", "sce", "ties",
    "ties by layer", "ties by part", "breadcrumbs", "breadcrumbs_ties", "dare_linear", "dare_ties", "della",
    "della_linear",
)  # fmt: skip
NEGATIVES: dict[str, Callable[[Rng], Case]] = {
    "a sibling": sibling, "a child of one": child, "a noisy copy": noisy, "picked elements": picked,
    "an int8 copy": _rounded, "slerp, then trained": _merge_trained,
}  # fmt: skip
