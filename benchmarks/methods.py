"""How often a merge method is named, with its parameters, and whether any is named for what no merge made.

Run from the repository: `python -m benchmarks.methods [--cases 6] [METHOD ...]`. Cases are generated families of two or
three finetunes and their base (bf16 and f32, changes of 4e-4 to 2e-3), merged by `modelprov.recipes.methods` in the
arithmetics of mergekit's versions, and put through the whole pipeline; case i of a kind is made from (SEED, kind, i).
`method`: named, or among those that give as much. `bits` is the smallest share that was reproduced (of random methods:
explained by some mask).
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.forensics.compare import Options
from modelprov.forensics.results import NamedMethod
from modelprov.shares import wilson
from tests.forensics.methods.making import LAYERS, merged
from tests.generated import Rng, Size, apply, change, model
from tests.memory import run

SEED = 20261128
OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 15)
NEAR = 0.03  # how far estimates of random methods may be off
RANDOM = ("dare_linear", "dare_ties", "della", "della_linear")


@dataclass(frozen=True)
class Case:
    """Suspect and parents (the reference last), and what it truly is: method, weights, other settings by model."""

    models: tuple[Weights, ...]
    method: str | None = None
    weights: tuple[float, ...] = ()
    each: dict[str, list[float]] | None = None
    options: dict[str, Any] | None = None


def family(rng: Rng, children: int) -> list[Weights]:
    """Finetunes of one base, and the base."""
    dtype = DType.BF16 if rng.random() < 0.7 else DType.F32
    base = model(rng, Size(LAYERS, 48, 96, 200), dtype)
    size = float(10 ** rng.uniform(np.log10(4e-4), np.log10(2e-3)))
    return [*(apply(base, change(base, rng, size)) for _ in range(children)), base]


def _weights(rng: Rng, count: int) -> list[float]:
    if rng.random() < 0.5 or count > 2:
        return [round(float(rng.uniform(0.3, 1.0)), 1) for _ in range(count)]
    first = round(float(rng.uniform(0.2, 0.8)), 2)
    return [first, round(1 - first, 2)]


def _case(method: str, rng: Rng) -> Case:
    """A merge by this method with parameters that people type."""
    three = method in ("multislerp", "karcher", "model_stock", "ties") and rng.random() < 0.3
    *children, base = family(rng, 3 if three else 2)
    arithmetic, computed = [("mergekit-0.1.5", None), ("mergekit-0.1.4", None), ("mergekit-0.1.4", DType.F32)][
        int(rng.integers(3))
    ]
    each: dict[str, list[float]] = {}
    options: dict[str, Any] = {}
    models, origin = children, None
    if method in ("slerp", "slerp by layer"):
        t: Any = round(float(rng.uniform(0.2, 0.8)), 2)
        options["t"] = [round(float(rng.uniform(0, 1)), 1) for _ in range(3)] if "layer" in method else t
        models, origin = children[1:], children[0]
    elif method == "nearswap":
        options["t"] = float(rng.choice([1e-4, 2e-4, 5e-4]))
        models, origin = children[1:], children[0]
    elif method == "arcee_fusion":
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
        if method != "task_arithmetic":
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
    return Case((suspect, *children, base), name, tuple(each.get("weight", ())), each, options)


def right(case: Case, found: NamedMethod | None) -> bool:
    """Whether the method is named with its parameters; of weights that are divided by their sum the ratio counts."""
    if found is None or found.name != case.method:
        return False
    own = list(found.parameters.values())
    random = case.method in RANDOM
    for name, values in (case.each or {}).items():
        given = [parameters.get(name) for parameters in own]
        if len(given) != len(values) or None in given:
            return False
        one, other = np.array(given, float), np.array(values)
        if name == "weight" and case.method in ("ties", "della", "nuslerp", "multislerp"):
            one, other = one / one.sum(), other / other.sum()
        if (np.abs(one - other) > (NEAR if random else 2e-3)).any():
            return False
    return random or all(found.options.get(name) == value for name, value in (case.options or {}).items())


def _sibling(rng: Rng) -> Case:
    *children, base = family(rng, 3)
    return Case((*children, base))


def _child(rng: Rng) -> Case:
    first, second, base = family(rng, 2)
    return Case((apply(first, change(first, rng, float(10 ** rng.uniform(-4.5, -3.2)))), first, second, base))


def _noisy(rng: Rng) -> Case:
    first, second, base = family(rng, 2)
    noise = change(first, rng, float(10 ** rng.uniform(-5, -3.5)), low_rank=0, uneven=0)
    return Case((apply(first, noise), first, second, base))


def _picked(rng: Rng) -> Case:
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
    case = _case("slerp", rng)
    made = case.models[0]
    return Case((apply(made, change(made, rng, 1e-4)), *case.models[1:]))


METHODS = (
    "slerp", "slerp by layer", "nuslerp", "karcher", "multislerp", "model_stock", "nearswap", "arcee_fusion", "sce",
    "ties", "breadcrumbs", "breadcrumbs_ties", "dare_linear", "dare_ties", "della", "della_linear",
)  # fmt: skip
NEGATIVES: dict[str, Callable[[Rng], Case]] = {
    "a sibling": _sibling, "a child of one": _child, "a noisy copy": _noisy, "picked elements": _picked,
    "an int8 copy": _rounded, "slerp, then trained": _merge_trained,
}  # fmt: skip


def main() -> None:
    """Make, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", help="these only; `negatives` for what no merge made")
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--details", action="store_true", help="print what was missed")
    arguments = parser.parse_args()
    wanted = arguments.methods or [*METHODS, "negatives"]
    print(f"seed {SEED}\n{'made by':22} {'cases':>5} {'method':>6} {'with parameters':>15} {'bits':>9}")
    for method in (one for one in METHODS if one in wanted):
        named = whole = 0
        least = 1.0
        for number in range(arguments.cases):
            case = _case(method, np.random.default_rng([SEED, crc32(method.encode()), number]))
            found = run(case.models, (), OPTIONS).findings
            own = found.method
            named += own is not None and any(
                words.startswith(f"{case.method} of ") for words in (own.words, *own.alternatives)
            )
            whole += right(case, own)
            least = min(least, own.bit_equal) if own is not None else least
            if arguments.details and not right(case, own):
                print("   ", case.each, case.options, found.verdict.rule, own and own.words, flush=True)
        print(f"{method:22} {arguments.cases:5} {named:6} {whole:15} {least:9.5f}", flush=True)
    if "negatives" in wanted:
        accused = total = 0
        for name, make in NEGATIVES.items():
            own_accused = 0
            for number in range(arguments.cases):
                case = make(np.random.default_rng([SEED, crc32(name.encode()), number]))
                found = run(case.models, (), OPTIONS).findings
                own_accused += found.method is not None
                if arguments.details and found.method is not None:
                    print("   ", found.method.words)
            accused, total = accused + own_accused, total + arguments.cases
            print(f"{name:22} {arguments.cases:5} {own_accused:6}", flush=True)
        print(
            f"named for what no merge method made: {accused} of {total} (95 % up to {wilson(accused, total).high:.1%})"
        )


if __name__ == "__main__":
    main()
