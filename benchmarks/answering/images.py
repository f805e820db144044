"""How often log-probabilities tell a trained family's output heads and numbers apart; writes `results/images.json`.

Run: `python -m benchmarks.answering.family --wide --pool FILE`, then `python -m benchmarks.answering.images --pool FILE
[--write]`. The trials are those of the answers (`cases.py`) and finetunes that left the head alone; 12 texts of random
tokens, `needed(hidden)` of 160 tokens each, as a server gives them that takes a logit bias.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.answering.cases import SEEDS, Trial, trials
from benchmarks.answering.family import HEAD, SEED, WIDE
from benchmarks.answering.run import COUNTS, load
from benchmarks.trained.pool import Pool, State
from benchmarks.trained.training import logits_of
from modelprov.behavior.continuations import softmax_image as image
from modelprov.shares import wilson

RESULTS = Path(__file__).parents[1] / "results" / "images.json"
TEXTS, LENGTH, TOP = 12, 8, 20
FOUND = ("its head", "near its head")


@dataclass(frozen=True)
class Numbers:
    """The logits of one model after all texts [texts, vocabulary]: as they are, and computed in bfloat16."""

    fine: np.ndarray
    coarse: np.ndarray


def numbers_of(state: State, texts: np.ndarray) -> Numbers:
    """Run one model twice."""
    made = []
    for dtype in (torch.float32, torch.bfloat16):
        weights = {name: torch.tensor(values[None]).to(dtype) for name, values in state.items()}
        with torch.inference_mode():
            logits = logits_of(weights, torch.tensor(texts)[None], WIDE)[0, :, -1]
        made.append(logits.float().numpy().astype(float))
    return Numbers(*made)


def head_rounded(state: State, bits: int) -> State:
    """The output head too in integers with a scale a row, and back."""
    rows = state[HEAD]
    scale = np.abs(rows).max(axis=1, keepdims=True) / np.float32(2 ** (bits - 1) - 1)
    return state | {HEAD: (np.round(rows / scale) * scale).astype(np.float32)}


def all_trials(count: int) -> Iterator[Trial]:
    """Those of the answers, and heads that were left alone or rounded."""
    yield from trials(count)
    for a in SEEDS:
        others = [*SEEDS[a + 1 :], *SEEDS[:a]][:count]
        bases, tuned = (tuple(name.format(each) for each in others) for name in ("base {}", "tune {} on 1"))
        yield Trial("finetune that left the head alone", "derived", f"head kept {a}", f"base {a}", bases)
        for bits in (8, 4):
            kind = f"rounded to {bits} bits, its head too"
            yield Trial(kind, "derived", f"all rounded {a} to {bits} bits", f"tune {a} on 1", tuned)
        yield Trial("head of a sibling that left it alone", "other history", f"tune {a} on 2", f"head kept {a}", tuned)


def rows(
    shares: Mapping[tuple[str, str], list[float]], rounding: Mapping[str, float], grains: Mapping[str, float]
) -> list[dict[str, Any]]:
    """A row a kind of trial and number of controls: how often each finding."""
    made = []
    for count in COUNTS:
        found: dict[tuple[str, str], list[Any]] = {}
        for trial in all_trials(count):
            own = {name: shares[trial.suspect, name] for name in (trial.parent, *trial.controls)}
            (judged,) = image.judge(
                own, rounding, {trial.parent: grains[trial.suspect]}, {trial.parent: trial.controls}, {}
            )
            found.setdefault((trial.truth, trial.kind), []).append((judged, float(np.median(own[trial.parent]))))
        for (truth, kind), all_of_kind in found.items():
            said = [sum(judged.finding == each for judged, _ in all_of_kind) for each in FOUND]
            bounds, near = wilson(sum(said), len(all_of_kind)), sorted(judged.nearness for judged, _ in all_of_kind)
            outside = sorted(share for _, share in all_of_kind)
            made.append({
                "truth": truth, "kind": kind, "controls": count, "trials": len(all_of_kind),
                **dict(zip(FOUND, said, strict=True)), "low": round(bounds.low, 4), "high": round(bounds.high, 4),
                "outside": [float(f"{each:.3g}") for each in (outside[0], outside[-1])],
                "nearness": [float(f"{each:.3g}") for each in (near[0], near[-1])],
            })  # fmt: skip
    return made


def served_numbers(all_numbers: Mapping[str, Numbers]) -> list[dict[str, Any]]:
    """How often the top-20 numbers are "other numbers" than the published model's, by what is served."""
    made: dict[str, list[tuple[float, float]]] = {}
    for a in SEEDS:
        published = all_numbers[f"tune {a} on 1"]
        served = {
            "the same weights": published.fine, "the same weights, in bfloat16": published.coarse,
            **{kind: all_numbers[name].fine for kind, name in {
                "rounded to 8 bits": f"rounded {a} to 8 bits", "rounded to 4 bits": f"rounded {a} to 4 bits",
                "pruned by 30 %": f"pruned {a}", "trained further": f"further {a}",
                "merged with another finetune": f"merge {a}",
                "another seed, same data": f"tune {(a + 1) % len(SEEDS)} on 1",
            }.items()},
        }  # fmt: skip
        for kind, logits in served.items():
            pairs = []
            for text in range(TEXTS):
                top = np.argsort(-logits[text])[:TOP]
                own, coarse = published.fine[text, top], published.coarse[text, top]
                pairs.append((image.apart(own, logits[text, top]), image.apart(own, coarse)))
            made.setdefault(kind, []).append(
                (float(np.median([a for a, _ in pairs])), float(np.median([f for _, f in pairs])))
            )
    return [
        {"served": kind, "tests": len(found), "other numbers": (other := sum(image.differ(*each) for each in found)),
         "low": round(wilson(other, len(found)).low, 4), "high": round(wilson(other, len(found)).high, 4),
         "apart": [float(f"{least:.3g}") for least in (min(a for a, _ in found), max(a for a, _ in found))],
         "formats": [float(f"{least:.3g}") for least in (min(f for _, f in found), max(f for _, f in found))]}
        for kind, found in made.items()
    ]  # fmt: skip


def main() -> None:
    """Judge, print, write."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="the file that the wide family was trained into")
    parser.add_argument("--seed", type=int, default=1, help="of the texts")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    pool: Pool = load(arguments.pool)
    for a in SEEDS:
        for bits in (8, 4):
            rounded = pool[f"rounded {a} to {bits} bits"]
            pool[f"all rounded {a} to {bits} bits"] = head_rounded(rounded, bits)
    rng = np.random.default_rng([SEED, 12, arguments.seed])
    texts = rng.integers(0, WIDE.vocabulary, (TEXTS, LENGTH))
    tokens = rng.permutation(WIDE.vocabulary)[: image.needed(WIDE.hidden)]
    numbers = {name: numbers_of(state, texts) for name, state in pool.items()}
    images = {name: image.Head(state[HEAD][tokens].astype(float)).image() for name, state in pool.items()}
    shares = {(said, head): [image.outside(images[head], each[tokens]) for each in numbers[said].fine]
              for said in pool for head in pool}  # fmt: skip
    rounded = {name: torch.tensor(each.fine).bfloat16().double().numpy() for name, each in numbers.items()}
    rounding = {name: float(np.median([image.outside(images[name], each[tokens]) for each in rounded[name]]))
                for name in pool}  # fmt: skip
    grains = {name: float(np.median([image.grain(each[tokens]) for each in numbers[name].fine])) for name in pool}
    made, served = rows(shares, rounding, grains), served_numbers(numbers)
    print(*made, *served, sep="\n")
    if arguments.write:
        told = {"seed": SEED, "text seed": arguments.seed, "models": len(pool), "texts": TEXTS, "tokens": len(tokens),
                "hidden": WIDE.hidden, "vocabulary": WIDE.vocabulary, "top": TOP, "rows": made,
                "served": served}  # fmt: skip
        RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
