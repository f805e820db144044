"""Judges the trained family by its answers, and writes `benchmarks/results/answering.json` and the tables of the docs.

Run: `python -m benchmarks.answering.run --pool FILE [--seed N] [--write]`. The thresholds of
`modelprov/behavior/continuations/judging.py` were looked at with prompts of seed 0, the results are of seed 1: other
prompts, the same models.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.answering.cases import Trial, trials
from benchmarks.answering.family import SEED, SHAPE
from benchmarks.trained.pool import Pool
from benchmarks.trained.training import logits_of
from modelprov.behavior.continuations import completing, equality, judging
from modelprov.shares import wilson

RESULTS = Path(__file__).parents[1] / "results" / "answering.json"
PROMPTS, LENGTHS = 2000, range(6, 14)
COUNTS = (3, 6)
TEXTS, SAMPLES, EQUAL_SEEDS, TURNS = completing.PROMPTS, completing.SAMPLES, range(8), 2
TOKENS = (8, completing.TOKENS)
"""Lengths of sampled completions: short ones, and those that the command asks for."""
LIKE = "answers like"


def load(path: Path) -> Pool:
    """The trained family."""
    pool: Pool = {}
    with np.load(path) as stored:
        for key in stored.files:
            model, name = key.split("|")
            pool.setdefault(model, {})[name] = stored[key]
    return pool


def logits_after(pool: Pool, names: list[str], tokens: np.ndarray) -> np.ndarray:
    """Logits of the next token, [models, prompts, vocabulary], after prompts of one length."""
    weights = {key: torch.tensor(np.stack([pool[name][key] for name in names])) for key in pool[names[0]]}
    read = torch.tensor(tokens)[None].expand(len(names), -1, -1)
    with torch.inference_mode():
        return np.asarray(logits_of(weights, read, SHAPE)[:, :, -1].numpy())


def answers_of(pool: Pool, seed: int) -> dict[str, list[str]]:
    """The greedy next token of every model after prompts of random tokens, the same for all."""
    rng, names = np.random.default_rng([SEED, 9, seed]), list(pool)
    found: dict[str, list[str]] = {name: [] for name in names}
    for length in LENGTHS:
        tokens = rng.integers(0, SHAPE.vocabulary, (PROMPTS // len(LENGTHS), length))
        for start in range(0, len(names), 8):
            part = names[start : start + 8]
            for name, answers in zip(part, logits_after(pool, part, tokens).argmax(-1), strict=True):
                found[name] += [str(token) for token in answers]
    return found


def judged(trial: Trial, answers: Mapping[str, list[str]]) -> judging.Judged:
    """What the test says."""
    controls = {name: answers[name] for name in trial.controls}
    (found,) = judging.judge(answers[trial.suspect], {trial.parent: answers[trial.parent]}, {trial.parent: controls})
    return found


def rows(answers: Mapping[str, list[str]], count: int) -> list[dict[str, Any]]:
    """A row a kind of trial."""
    found: dict[tuple[str, str], list[judging.Judged]] = {}
    for trial in trials(count):
        found.setdefault((trial.truth, trial.kind), []).append(judged(trial, answers))
    made = []
    for (truth, kind), all_of_kind in found.items():
        like = sum(each.finding == LIKE for each in all_of_kind)
        margins = sorted(each.margin for each in all_of_kind if each.margin is not None)
        by_pairs = sum(each.p is not None and each.p <= judging.LEVEL for each in all_of_kind)
        bounds = wilson(like, len(all_of_kind))
        made.append({
            "truth": truth, "kind": kind, "controls": count, "trials": len(all_of_kind), "answers like": like,
            "low": round(bounds.low, 4), "high": round(bounds.high, 4), "by the paired test alone": by_pairs,
            "margins": [round(margins[0], 4), round(margins[len(margins) // 2], 4), round(margins[-1], 4)],
        })  # fmt: skip
    return made


def sampled(pool: Pool, names: list[str], seed: int) -> list[list[list[str]]]:
    """Completions at temperature 1 of each model, a letter a token: models, prompts, samples."""
    prompts = np.random.default_rng([SEED, 10]).integers(0, SHAPE.vocabulary, (TEXTS, 8))
    rng = np.random.default_rng([SEED, 11, seed])
    tokens = np.repeat(np.repeat(prompts, SAMPLES, axis=0)[None], len(names), axis=0)
    weights = {key: torch.tensor(np.stack([pool[name][key] for name in names])) for key in pool[names[0]]}
    for _ in range(TOKENS[-1]):
        with torch.inference_mode():
            logits = logits_of(weights, torch.tensor(tokens), SHAPE)[:, :, -1].numpy()
        drawn = (logits + rng.gumbel(size=logits.shape)).argmax(-1)
        tokens = np.concatenate([tokens, drawn[..., None]], axis=-1)
    said = [["".join(chr(48 + token) for token in row[8:]) for row in own] for own in tokens.tolist()]
    return [[own[start : start + SAMPLES] for start in range(0, len(own), SAMPLES)] for own in said]


def equalities(pool: Pool) -> list[dict[str, Any]]:
    """How often the equality test says another distribution, by what stands where the published weights should.

    A token is a letter, so the shorter completions are the beginnings of the longer ones.
    """
    counts: dict[tuple[str, int], list[float]] = {}
    for seed in EQUAL_SEEDS:
        served = {
            "the same weights": f"tune {seed} on 1", "rounded to 8 bits": f"rounded {seed} to 8 bits",
            "rounded to 4 bits": f"rounded {seed} to 4 bits", "pruned by 30 %": f"pruned {seed}",
            "trained further": f"further {seed}", "merged with another finetune": f"merge {seed}",
            "another seed, same data": f"tune {(seed + 1) % 8} on 1",
        }  # fmt: skip
        names = [f"tune {seed} on 1", *served.values()]
        for turn in range(TURNS):
            published, *others = sampled(pool, names, 100 * seed + turn)
            for (kind, said), tokens in itertools.product(zip(served, others, strict=True), TOKENS):
                p = equality.tested(_begun(said, tokens), _begun(published, tokens), turn)[1]
                counts.setdefault((kind, tokens), []).append(p)
    made = []
    for (kind, tokens), found in counts.items():
        seen = sum(p <= equality.LEVEL for p in found)
        bounds = wilson(seen, len(found))
        made.append({"served": kind, "tokens": tokens, "tests": len(found), "another": seen,
                     "low": round(bounds.low, 4), "high": round(bounds.high, 4)})  # fmt: skip
    return made


def _begun(said: list[list[str]], tokens: int) -> list[list[str]]:
    return [[text[:tokens] for text in texts] for texts in said]


def main() -> None:
    """Judge, print, write."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="the file that the family was trained into")
    parser.add_argument("--seed", type=int, default=1, help="of the prompts")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    pool = load(arguments.pool)
    answers = answers_of(pool, arguments.seed)
    made = [row for count in COUNTS for row in rows(answers, count)]
    for row in made:
        print(f"{row['controls']} {row['truth']:14} {row['kind']:45} {row['answers like']:4}/{row['trials']:4} "
              f"paired alone {row['by the paired test alone']:4} margins {row['margins']}")  # fmt: skip
    equal = equalities(pool)
    print(*equal, sep="\n")
    if arguments.write:
        told = {
            "seed": SEED,
            "prompt seed": arguments.seed,
            "models": len(pool),
            "prompts": PROMPTS,
            "rows": made,
            "equality": equal,
        }
        RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
