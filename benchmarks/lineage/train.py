"""Trains the pool of the lineage set: families of `benchmarks.trained.family`, and a merge trained on in three ways.

Run: `python -m benchmarks.lineage.train --pool DIR [--families 1]`. About a minute a family on one core; needs torch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.lineage.trained import LATER, SHARES
from benchmarks.trained.family import make
from benchmarks.trained.merging import FIRST, SECOND
from benchmarks.trained.pool import Pool, kept_at, load
from benchmarks.trained.settings import FURTHER, Family, Run
from benchmarks.trained.training import rounded_to, train
from modelprov.demo.weights import merge_exact

RANK = 4


def trained_on(pool: Pool, family: Family) -> Pool:
    """The merge of the first two finetunes, trained on: all weights, an adapter, or as a student of the second."""
    dtype = family.formats[1]
    stored = [{name: (values, dtype) for name, values in pool[each].items()} for each in (FIRST, SECOND)]
    plain = {name: values for name, (values, _) in merge_exact((stored[0], stored[1]), SHARES).items()}
    run, rate = Run(2, 31, rate=0.3), family.rate
    whole = train([plain], [run], family.shape, family.number, FURTHER, rate).ends[0]
    sides = train([plain], [run], family.shape, family.number, FURTHER, 10 * rate, rank=RANK).ends[0]
    student = train([plain], [run], family.shape, family.number, FURTHER, rate, teachers=[pool[SECOND]]).ends[0]
    adapted = {
        name: values + sides[f"{name} B"] @ sides[f"{name} A"] if f"{name} A" in sides else values
        for name, values in plain.items()
    }
    made = (whole, adapted, student)
    return {name: rounded_to(state, dtype) for name, state in zip(LATER, made, strict=True)}


def main() -> None:
    """Train what is not there."""
    import torch

    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--families", type=int, nargs="+", default=[1])
    given = parser.parse_args()
    given.pool.mkdir(parents=True, exist_ok=True)
    for number in given.families:
        family, path = Family(number), kept_at(given.pool, number)
        pool = load(given.pool, number) if path.exists() else make(family, given.pool / f"part-{number}")[0]
        if LATER[0] not in pool:
            pool |= trained_on(pool, family)
        flat = {f"{model}|{name}": values for model, state in pool.items() for name, values in state.items()}
        np.savez(path, **flat)
        print(f"family {number}: {len(pool)} models in {path}", flush=True)


if __name__ == "__main__":
    main()
