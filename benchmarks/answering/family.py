"""Trains the family: bases of several seeds on the same data and on other data, and what is made of them.

Run: `nice python -m benchmarks.answering.family --pool FILE` (some minutes of one core; needs torch). Names say the
history: `base 3` is the fourth seed on the common data, `apart 1` the second on other data of the same kind,
`tune 3 on 1` a finetune of `base 3` on domain 1. Other machines have other last bits. With `--wide` the vocabulary is
larger than the hidden size, as real models' are: what the softmax image is measured on (`images.py`); there, `head
kept 3` is a finetune of `base 3` on domain 1 that left the output head alone.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from benchmarks.cases.decoders import Decoder
from benchmarks.trained.family import pruned, quantised
from benchmarks.trained.pool import Pool, State
from benchmarks.trained.training import logits_of
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.weights import random_weights

SEED = 20261128
SHAPE = Decoder(layers=3, hidden=64, width=96, vocabulary=64, heads=8, groups=4, head=True)
WIDE = Decoder(layers=3, hidden=32, width=96, vocabulary=160, heads=4, groups=2, head=True)
HEAD = "lm_head.weight"
BATCH, LENGTH, STREAMS, LONG = 16, 16, 256, 600
PRETRAINING, TUNING = 1000, 200  # steps
BASE_RATE, TUNE_RATE = 3e-3, 5e-4
BASES, APART, DOMAINS = 8, 4, (1, 2)
WEIGHTS = (2.5, 1.75, 1.25)
"""How much the last token, the one before it and the one before that decide the next."""
CHANGED = 0.3
"""Share of the variance in which a finetune's language differs from the common one."""


@cache
def language(domain: int, size: int) -> np.ndarray:
    """What each of the last three of `size` tokens adds to the logits of the next, [3, token, next].

    Domains from 1 on are domain 0 with something of their own; domains from 100 on are languages of their own.
    """
    drawn = np.random.default_rng([SEED, 0, domain]).normal(size=(3, size, size))
    own = np.asarray(drawn * np.array(WEIGHTS)[:, None, None])
    return language(0, size) * math.sqrt(1 - CHANGED) + own * math.sqrt(CHANGED) if 0 < domain < 100 else own


@cache
def corpus(domain: int, size: int) -> np.ndarray:
    """Tokens of a domain, [streams, tokens]."""
    rng, adds = np.random.default_rng([SEED, 1, domain]), language(domain, size)
    tokens = rng.integers(0, size, (STREAMS, LONG))
    for place in range(3, LONG):
        logits = sum(adds[back, tokens[:, place - 1 - back]] for back in range(3))
        tokens[:, place] = (logits + rng.gumbel(size=(STREAMS, size))).argmax(axis=1)
    return tokens


def batches(domain: int, order: int, steps: int, size: int) -> np.ndarray:
    """What a run reads, [steps, batch, length + 1]; `order` seeds which pieces come when."""
    rng, text = np.random.default_rng([SEED, 2, domain, order]), corpus(domain, size)
    rows = rng.integers(0, STREAMS, (steps, BATCH, 1))
    starts = rng.integers(0, LONG - LENGTH, (steps, BATCH, 1))
    return np.asarray(text[rows, starts + np.arange(LENGTH + 1)])


def begun(seed: int, shape: Decoder) -> State:
    """Random weights before any training."""
    drawn = random_weights(shape.specs(DType.F32), np.random.default_rng([SEED, 3, seed]))
    return {name: np.ones_like(values) if values.ndim == 1 else values for name, (values, _) in drawn.items()}


def train(
    starts: Sequence[State], data: Sequence[np.ndarray], rate: float, shape: Decoder, teachers: Sequence[State] = (),
    kept: Sequence[str] = (),
) -> list[State]:  # fmt: skip
    """Train all of these side by side, each as if alone; with `teachers` on their distributions instead of the data.

    Tensors that are `kept` stay as they are.
    """
    weights = {
        name: torch.tensor(np.stack([start[name] for start in starts])).requires_grad_(name not in kept)
        for name in starts[0]
    }
    taught = (
        {name: torch.tensor(np.stack([each[name] for each in teachers])) for name in teachers[0]} if teachers else {}
    )
    read = torch.tensor(np.stack(data))
    steps = read.shape[1]
    optimiser = torch.optim.AdamW(
        [each for each in weights.values() if each.requires_grad], lr=rate, betas=(0.9, 0.99), weight_decay=0.01
    )
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * min(
            (step + 1) / 20, 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.02
        )
        tokens = read[:, step]
        likely = torch.log_softmax(logits_of(weights, tokens[..., :-1], shape), -1)
        if teachers:
            with torch.no_grad():
                wanted = torch.softmax(logits_of(taught, tokens[..., :-1], shape), -1)
        else:
            wanted = functional.one_hot(tokens[..., 1:], shape.vocabulary).float()
        loss = -(wanted * likely).sum(-1).mean((1, 2)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"{len(starts)} runs of {steps} steps: {loss.item() / len(starts):.3f} nats a token", flush=True)
    return [{name: values[place].detach().numpy().copy() for name, values in weights.items()}
            for place in range(len(starts))]  # fmt: skip


def merged(first: State, second: State, share: float) -> State:
    """The linear merge with this share of the first."""
    return {name: np.float32(share) * first[name] + np.float32(1 - share) * second[name] for name in first}


def make(shape: Decoder) -> Pool:
    """The whole family by name."""
    pool: Pool = {}
    size = shape.vocabulary

    def keep(names: list[str], made: list[State]) -> None:
        pool.update(zip(names, made, strict=True))

    bases = [f"base {seed}" for seed in range(BASES)]
    apart = [f"apart {seed}" for seed in range(APART)]
    data = [batches(0, seed, PRETRAINING, size) for seed in range(BASES)]
    data += [batches(100 + seed, seed, PRETRAINING, size) for seed in range(APART)]
    keep(bases + apart, train([begun(seed, shape) for seed in range(BASES + APART)], data, BASE_RATE, shape))

    for domain in DOMAINS:
        names = [f"tune {seed} on {domain}" for seed in range(BASES)]
        read = [batches(domain, 100 + seed, TUNING, size) for seed in range(BASES)]
        keep(names, train([pool[base] for base in bases], read, TUNE_RATE, shape))
    first, second = ([f"tune {seed} on {domain}" for seed in range(BASES)] for domain in DOMAINS)
    read = [batches(2, 200 + seed, TUNING, size) for seed in range(BASES)]
    keep([f"further {seed}" for seed in range(BASES)], train([pool[name] for name in first], read, TUNE_RATE, shape))
    # Students read the teacher's answers to the common data, not the data of the teacher's finetune.
    teachers = [pool[name] for name in first]
    students = [pool[f"base {(seed + 1) % BASES}"] for seed in range(BASES)]
    read = [batches(0, 300 + seed, 2 * TUNING, size) for seed in range(BASES)]
    keep([f"distilled {seed}" for seed in range(BASES)], train(students, read, TUNE_RATE, shape, teachers))
    for seed in range(BASES):
        here, there = pool[first[seed]], pool[second[seed]]
        pool[f"merge {seed}"] = merged(here, there, 0.6)
        pool[f"merge with base {seed}"] = merged(here, pool[bases[seed]], 0.3)
        pool[f"rounded {seed} to 8 bits"] = quantised(here, 8)
        pool[f"rounded {seed} to 4 bits"] = quantised(here, 4)
        pool[f"pruned {seed}"] = pruned(here)
    if shape is WIDE:
        read = [batches(1, 100 + seed, TUNING, size) for seed in range(BASES)]
        made = train([pool[base] for base in bases], read, TUNE_RATE, shape, kept=(HEAD,))
        keep([f"head kept {seed}" for seed in range(BASES)], made)
    return pool


def main() -> None:
    """Train and write the pool."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="a file outside the repository, .npz")
    parser.add_argument("--wide", action="store_true", help="a vocabulary larger than the hidden size")
    arguments = parser.parse_args()
    began = time.process_time()
    pool = make(WIDE if arguments.wide else SHAPE)
    np.savez(
        arguments.pool, **{f"{model}|{name}": values for model, state in pool.items() for name, values in state.items()}
    )
    print(f"{len(pool)} models in {time.process_time() - began:.0f} processor seconds")


if __name__ == "__main__":
    main()
