"""Trains a pool of tiny decoders for the kinds of `benchmarks/cases/trained.py`, and keeps it. Labels nothing.

Run: `python -m benchmarks.trained_pool` (about three minutes on one core; needs torch, the extra `behavior`). The
models are those of `benchmarks/cases/decoders.py`; the language is a Markov chain of order 2 with a table for each
domain. All weights are float32 as trained, every base rounded to bf16 before anything starts from it. The pool lies in
`benchmarks/pool/`, which git ignores: another machine's last bits differ.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases.decoders import HEAD_WIDTH, Decoder
from modelprov.checkpoints.formats.dtypes import DType, round_bf16
from modelprov.demo.weights import random_weights

FOLDER = Path(__file__).parent / "pool"
SHAPE = Decoder(layers=4, hidden=64, width=128, vocabulary=128, heads=8, groups=4, head=False)
BATCH, LENGTH = 12, 24
SEEDS = (0, 1, 2, 3)
RATES = (1.0, 0.3, 0.5, 0.7, 0.85, 1.5, 2.0)
SCALES = (1.0, 0.25, 0.5, 0.75, 1.5)
STAGES = (20, 40, 60, 80, 100, 110, 120, 130, 140)
MERGED, TRAINED = 0.6, (3, 10, 40)

State = dict[str, np.ndarray]


@dataclass(frozen=True)
class Run:
    """One training: a share of its data is of domain 1, the rest of domain 2; `rate` times the usual learning rate."""

    seed: int
    rate: float = 1.0
    share: float = 1.0
    steps: int = 150
    rank: int = 0
    stages: tuple[int, ...] = ()


def language(domain: int) -> np.ndarray:
    """Chances of the next token after each two, [vocabulary, 8, vocabulary]: the pair's first counts modulo 8."""
    rng = np.random.default_rng([7, domain])
    table = rng.dirichlet(np.full(SHAPE.vocabulary, 0.02), (SHAPE.vocabulary, 8))
    return np.cumsum(table, axis=2)


@cache
def _language(domain: int) -> np.ndarray:
    return language(domain)


def sentences(rng: np.random.Generator, share: float) -> np.ndarray:
    """A batch of tokens, [batch, length + 1]."""
    table = np.where(rng.random(BATCH) < share, 1, 2) if share >= 0 else np.zeros(BATCH, int)
    tokens = rng.integers(0, SHAPE.vocabulary, (BATCH, LENGTH + 1))
    for place in range(2, LENGTH + 1):
        for row in range(BATCH):
            chances = _language(int(table[row]))[tokens[row, place - 1], tokens[row, place - 2] % 8]
            tokens[row, place] = min(int(np.searchsorted(chances, rng.random())), SHAPE.vocabulary - 1)
    return tokens


def loss_of(weights: dict[str, Any], tokens: Any) -> Any:
    """The decoder's loss in nats a token: RMSNorm, grouped causal attention without positions, silu(gate) * up."""
    import torch
    from torch.nn import functional

    def normed(x: Any, name: str) -> Any:
        return weights[name] * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)

    def heads(x: Any, count: int) -> Any:
        return x.reshape(*x.shape[:2], count, HEAD_WIDTH).transpose(1, 2)

    stream = weights["model.embed_tokens.weight"][tokens[:, :-1]]
    for layer in range(SHAPE.layers):
        block = f"model.layers.{layer}."
        x = normed(stream, f"{block}input_layernorm.weight")
        q, k, v = (x @ weights[f"{block}self_attn.{name}_proj.weight"].T for name in "qkv")
        k, v = (heads(y, SHAPE.groups).repeat_interleave(SHAPE.heads // SHAPE.groups, 1) for y in (k, v))
        mixed = functional.scaled_dot_product_attention(heads(q, SHAPE.heads), k, v, is_causal=True)
        stream = stream + mixed.transpose(1, 2).flatten(2) @ weights[f"{block}self_attn.o_proj.weight"].T
        x = normed(stream, f"{block}post_attention_layernorm.weight")
        gate, up = (x @ weights[f"{block}mlp.{name}_proj.weight"].T for name in ("gate", "up"))
        stream = stream + (functional.silu(gate) * up) @ weights[f"{block}mlp.down_proj.weight"].T
    logits = normed(stream, "model.norm.weight") @ weights["model.embed_tokens.weight"].T
    return functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def train(start: State, run: Run, usual_rate: float = 3e-4) -> tuple[list[State], float]:
    """The weights at the stages and at the end, and the last loss; AdamW, cosine. Low rank: the adapter, by name."""
    import torch

    torch.manual_seed(run.seed)
    rng = np.random.default_rng([11, run.seed])
    frozen = {name: torch.tensor(values) for name, values in start.items()}
    if run.rank:
        sides = {name: values for name, values in frozen.items() if "_proj" in name}
        trained = {f"{name} A": 0.1 * torch.randn(run.rank, values.shape[1]) for name, values in sides.items()}
        trained |= {f"{name} B": torch.zeros(values.shape[0], run.rank) for name, values in sides.items()}
    else:
        trained = frozen
    for value in trained.values():
        value.requires_grad_(True)

    def weights() -> dict[str, Any]:
        if not run.rank:
            return trained
        return frozen | {name: frozen[name] + trained[f"{name} B"] @ trained[f"{name} A"] for name in sides}

    optimiser = torch.optim.AdamW(trained.values(), lr=run.rate * usual_rate, betas=(0.9, 0.99), weight_decay=0.01)
    kept, loss = [], math.nan
    for step in range(run.steps):
        if step in run.stages:
            kept.append({name: value.detach().numpy().copy() for name, value in trained.items()})
        shape = min((step + 1) / 10, 0.5 * (1 + math.cos(math.pi * step / run.steps)) + 0.02)
        optimiser.param_groups[0]["lr"] = run.rate * usual_rate * shape
        found = loss_of(weights(), torch.from_numpy(sentences(rng, run.share)))
        optimiser.zero_grad()
        found.backward()
        torch.nn.utils.clip_grad_norm_(list(trained.values()), 1.0)
        optimiser.step()
        loss = found.item()
    return [*kept, {name: value.detach().numpy().copy() for name, value in trained.items()}], loss


def make() -> dict[str, State]:
    """All models of the pool by name."""
    pool: dict[str, State] = {}

    def keep(name: str, start: State, run: Run, rate: float = 3e-4) -> State:
        began = time.perf_counter()
        states, loss = train(start, run, rate)
        for number, state in enumerate(states[:-1]):
            pool[f"{name} at {run.stages[number]}"] = state
        pool[name] = states[-1]
        print(f"{name}: loss {loss:.3f} nats a token, {time.perf_counter() - began:.1f} s", flush=True)
        return states[-1]

    for seed in SEEDS:
        rng = np.random.default_rng([13, seed])
        start = {name: values for name, (values, _) in random_weights(SHAPE.specs(DType.F32), rng).items()}
        start = {name: np.ones_like(values) if values.ndim == 1 else values for name, values in start.items()}
        base = keep(f"base {seed}", start, Run(seed, share=-1, steps=400), 4e-3)
        pool[f"base {seed}"] = {name: round_bf16(values) for name, values in base.items()}
    base, usual = pool["base 0"], Run(100)
    for rate in RATES:
        keep(f"rate {rate}", base, replace(usual, rate=rate))
    keep("run", base, replace(usual, seed=101, stages=STAGES))
    for number, share in enumerate((1.0, 1.0, 0.5, 0.5, 0.0, 0.0)):
        keep(f"sibling {number}", base, Run(200 + number, share=share))
    keep("finetune of base 1", pool["base 1"], usual)
    keep("further", pool["rate 1.0"], Run(300, rate=0.3, share=0.0, steps=60))
    adapter = keep("adapter", base, replace(usual, seed=102, rank=4), 1e-3)
    del pool["adapter"]
    for scale in SCALES:
        pool[f"adapter {scale}"] = base | {
            name: base[name] + np.float32(scale) * (adapter[f"{name} B"] @ adapter[f"{name} A"])
            for name in base
            if f"{name} A" in adapter
        }
    first, second = pool["rate 1.0"], pool["sibling 4"]
    blend = {name: np.float32(MERGED) * first[name] + np.float32(1 - MERGED) * second[name] for name in base}
    pool["merge"] = {name: round_bf16(values) for name, values in blend.items()}
    for steps in TRAINED:
        keep(f"merge trained {steps}", pool["merge"], Run(400, rate=0.1, share=0.5, steps=steps))
    return pool


@cache
def load() -> dict[str, State]:
    """The pool; refuses where it was not made."""
    path = FOLDER / "pool.npz"
    if not path.exists():
        raise SystemExit("the pool is missing: run `python -m benchmarks.trained_pool` first")
    pool: dict[str, State] = {}
    with np.load(path) as stored:
        for key in stored.files:
            model, name = key.split("|")
            pool.setdefault(model, {})[name] = stored[key]
    return pool


def main() -> None:
    """Train and write the pool."""
    import torch

    torch.set_num_threads(1)
    began = time.perf_counter()
    pool = make()
    FOLDER.mkdir(exist_ok=True)
    flat = {f"{model}|{name}": values for model, state in pool.items() for name, values in state.items()}
    np.savez(FOLDER / "pool.npz", **flat)
    print(f"{len(pool)} models in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
