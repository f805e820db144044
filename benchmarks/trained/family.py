"""Trains a family by its number and keeps it in the pool: which runs there are, from where, in which order.

Run: `python -m benchmarks.trained.family --pool DIR [--families 0 2 4]` (a minute or two each on one core). Needs
torch; merges are made by mergekit where it can be imported, else left out. Other machines have other last bits.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.trained.merging import AFTERWARDS, SHARED, merges_of
from benchmarks.trained.pool import Pool, State, kept_at
from benchmarks.trained.settings import BASE_RATE, FAMILIES, FURTHER, PRETRAINING, SEED, TUNING, Family, Run
from benchmarks.trained.training import rounded_to, train
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.weights import random_weights

PRETRAINED = {
    "base": (0, Run(0, 0)),
    "base of another seed": (1, Run(0, 1)),
    "base of one start": (0, Run(0, 1)),
    "base at another rate": (0, Run(0, 0, rate=0.7)),
}
"""Models from nothing: which initialisation, and the run."""
BASE_STAGES = (PRETRAINING // 2, PRETRAINING * 3 // 4)
TUNED = {
    "tune": Run(),
    "tune at 0.5": Run(rate=0.5),
    "tune at 0.7": Run(rate=0.7),
    "tune at 1.5": Run(rate=1.5),
    "tune at 2": Run(rate=2.0),
    "tune by adam": Run(optimiser="adam"),
    "tune by sgd": Run(optimiser="sgd"),
    "tune with dropout": Run(dropout=1),
    "tune with other dropout": Run(dropout=2),
    "tune in bf16": Run(bf16=True),
    "tune of attention": Run(only="self_attn"),
    "tune in another order": Run(order=11),
    "tune on half": Run(other=2, share=0.5),
    "tune on other data": Run(2, 12),
    "tune on text": Run(9, 13),
}
"""Finetunes of the base, all of as many steps; the first is watched."""
STAGES = (12, 24, 36, 40, 42, 44, 46)
AVERAGED = (40, 42, 44, 46)
LATER = {
    "further": ("tune", Run(1, 20)),
    "further on other data": ("tune", Run(2, 21)),
    "further a little": ("tune", Run(2, 21, rate=0.1)),
    "trained for 8 bits": ("tune", Run(1, 22, bits=8)),
    "trained for 4 bits": ("tune", Run(1, 22, bits=4)),
    "pruned and trained": ("pruned", Run(1, 23, pruned=True)),
    "base further": ("base", Run(0, 24)),
    "tune of another seed": ("base of another seed", Run()),
    "tune of one start": ("base of one start", Run()),
}
ADAPTED = {
    "adapter": Run(),
    "adapter at 0.5": Run(rate=0.5),
    "adapter in another order": Run(order=11),
    "adapter on other data": Run(2, 12),
}
SCALES = (0.5, 1.5)
DISTILLED = {"distilled": "base", "distilled by a stranger": "base of another seed"}


def quantised(state: State, bits: int) -> State:
    """Matrices rounded to integers with a scale a row, and back."""
    made = dict(state)
    for name, values in state.items():
        if "_proj" in name:
            scale = np.abs(values).max(axis=1, keepdims=True) / np.float32(2 ** (bits - 1) - 1)
            made[name] = (np.round(values / scale) * scale).astype(np.float32)
    return made


def pruned(state: State, share: float = 0.3) -> State:
    """Matrices without their smallest weights."""
    made = dict(state)
    for name, values in state.items():
        if "_proj" in name:
            made[name] = np.where(np.abs(values) < np.quantile(np.abs(values), share), np.float32(0), values)
    return made


def average(states: list[State], weights: list[float] | None = None) -> State:
    """Averaged in float64, then float32."""
    shares = weights or [1 / len(states)] * len(states)

    def mixed(name: str) -> np.ndarray:
        return np.tensordot(shares, np.stack([state[name] for state in states]).astype(np.float64), 1)

    return {name: mixed(name).astype(np.float32) for name in states[0]}


def make(family: Family, folder: Path) -> tuple[Pool, dict[str, float]]:
    """All checkpoints of a family as stored, and the last losses of its trainings in nats a token."""
    shape, (of_base, dtype), rate, number = family.shape, family.formats, family.rate, family.number
    pool: Pool = {}
    losses: dict[str, float] = {}

    def begun(seed: int) -> State:
        rng = np.random.default_rng([SEED, number, 2, seed])
        start = random_weights(shape.specs(DType.F32), rng)
        return {name: np.ones_like(values) if values.ndim == 1 else values for name, (values, _) in start.items()}

    def keep(names: list[str], ends: list[State], found: list[float], stored: DType = dtype) -> None:
        pool.update({name: rounded_to(state, stored) for name, state in zip(names, ends, strict=True)})
        losses.update(dict(zip(names, found, strict=True)))

    runs = [run for _, run in PRETRAINED.values()]
    made = train(
        [begun(seed) for seed, _ in PRETRAINED.values()], runs, shape, number, PRETRAINING, BASE_RATE, BASE_STAGES
    )
    keep(list(PRETRAINED), made.ends, made.losses, of_base)
    pool |= {f"base after {step}": rounded_to(state, of_base) for step, state in made.stages.items()}

    made = train([pool["base"]] * len(TUNED), list(TUNED.values()), shape, number, TUNING, rate, STAGES)
    keep(list(TUNED), made.ends, made.losses)
    pool |= {f"tune after {step}": rounded_to(state, dtype) for step, state in made.stages.items()}
    last = [made.stages[step] for step in AVERAGED] + [made.ends[0]]
    pool["average of a run"] = rounded_to(average(last), dtype)
    fading = [0.7 ** (len(last) - place) for place in range(len(last))]
    pool["fading average of a run"] = rounded_to(average(last, [x / sum(fading) for x in fading]), dtype)
    for bits in (8, 4):
        pool[f"rounded to {bits} bits"] = rounded_to(quantised(pool["tune"], bits), dtype)
    pool["pruned"] = pruned(pool["tune"])

    starts = [pool[start] for start, _ in LATER.values()]
    made = train(starts, [run for _, run in LATER.values()], shape, number, FURTHER, rate)
    ends = [
        quantised(end, run.bits) if run.bits else end for end, (_, run) in zip(made.ends, LATER.values(), strict=True)
    ]
    keep(list(LATER), ends, made.losses)

    made = train([pool["base"]] * len(ADAPTED), list(ADAPTED.values()), shape, number, TUNING, 10 * rate, rank=4)
    losses |= dict(zip(ADAPTED, made.losses, strict=True))
    for name, sides in zip(ADAPTED, made.ends, strict=True):
        for scale in (1.0, *(SCALES if name == "adapter" else ())):
            scaled = name if scale == 1 else f"adapter times {scale}"
            pool[scaled] = rounded_to(_with_adapter(pool["base"], sides, scale), dtype)

    starts = [pool[start] for start in DISTILLED.values()]
    made = train(starts, [Run(1, 30)] * len(starts), shape, number, TUNING, rate, teachers=[pool["tune"]] * len(starts))
    keep(list(DISTILLED), made.ends, made.losses)

    pool |= {f"merge: {name}": state for name, state in merges_of(pool, family, folder).items()}
    merged = [pool[f"merge: {name}"] for name in SHARED if f"merge: {name}" in pool]
    for steps in AFTERWARDS if merged else ():
        made = train(merged, [Run(1, 40, rate=0.3, other=2, share=0.5)] * len(merged), shape, number, steps, rate)
        keep([f"{name} trained {steps}" for name in SHARED], made.ends, made.losses)
    return pool, losses


def _with_adapter(base: State, sides: State, scale: float) -> State:
    return base | {
        name: values + np.float32(scale) * (sides[f"{name} B"] @ sides[f"{name} A"])
        for name, values in base.items()
        if f"{name} A" in sides
    }


def main() -> None:
    """Train the families that are not in the pool yet."""
    import torch

    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="a folder outside the repository")
    parser.add_argument("--families", type=int, nargs="*", default=list(range(FAMILIES)))
    arguments = parser.parse_args()
    arguments.pool.mkdir(parents=True, exist_ok=True)
    for number in arguments.families:
        path = kept_at(arguments.pool, number)
        if path.exists():
            continue
        began = time.perf_counter()
        pool, losses = make(Family(number), arguments.pool / f"files-{number:02d}")
        flat = {f"{model}|{name}": values for model, state in pool.items() for name, values in state.items()}
        part = path.with_suffix(".part.npz")
        np.savez(part, **flat)  # type: ignore[arg-type]
        part.rename(path)
        told = ", ".join(f"{name} {loss:.2f}" for name, loss in losses.items())
        print(f"family {number}: {len(losses)} trainings, {len(pool)} checkpoints, "
              f"{time.perf_counter() - began:.0f} s; nats a token: {told}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
