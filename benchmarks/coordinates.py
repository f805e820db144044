"""How often the test of units calls strangers related, and finds relatives: `modelprov/forensics/search/coordinates/`.

Run from the repository: `python -m benchmarks.coordinates [--cases 2500] [--seconds 3600]`. Case number i of a kind is
made from the seed (SEED, kind, i) and from nothing else. The trained kinds need the pool of
`python -m benchmarks.trained_pool` (independent trainings on one language, each from its own seed) and are left out
without it. Writes `benchmarks/results/coordinates.json`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: cases, not matrices, are spread over the cores

import argparse
import json
import time
from collections.abc import Callable
from multiprocessing import Pool
from pathlib import Path
from zlib import crc32

import numpy as np

from benchmarks import trained_pool
from benchmarks.cases import coordinates, structure
from benchmarks.cases.decoders import STYLES, Decoder, decoder_family, styled
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.decoder import decoder_of
from modelprov.demo.writing import Weights
from modelprov.forensics.search.coordinates.kinship import kinship
from modelprov.shares import wilson
from tests.generated import Rng
from tests.memory import checkpoint

SEED = 20261127
RESULTS = Path(__file__).parent / "results" / "coordinates.json"
Pair = tuple[Weights, Weights]


def strangers_of_one_style(rng: Rng) -> Pair:
    """Two models from nothing, of one shape and one style of initialising."""
    shape, style = _shape(rng), STYLES[int(rng.integers(len(STYLES)))]
    return styled(shape, DType.BF16, rng, style), styled(shape, DType.BF16, rng, style)


def strangers_like_trained_ones(rng: Rng) -> Pair:
    """Two families whose rows, norms and sizes are as trained models have them."""
    shape = _shape(rng)
    return decoder_family(rng, shape)[0], decoder_family(rng, shape)[1]


def strangers_with_the_parents_embeddings(rng: Rng) -> Pair:
    """A perfect frame, and nothing else in common."""
    shape = _shape(rng)
    own, parent = decoder_family(rng, shape)[0], decoder_family(rng, shape)[1]
    return structure.stored(structure.grafted(structure.arrays_of(own), structure.arrays_of(parent)), own), parent


def siblings_whose_embeddings_learnt_the_same(rng: Rng) -> Pair:
    """Embeddings that are a third to nine tenths the parent's."""
    shape = _shape(rng)
    own, parent = decoder_family(rng, shape)[0], decoder_family(rng, shape)[1]
    arrays, theirs, share = structure.arrays_of(own), structure.arrays_of(parent), float(rng.uniform(0.3, 0.9))
    for name in (coordinates.EMBEDDINGS, coordinates.HEAD):
        if name in arrays:
            arrays[name] = share * theirs[name] + (1 - share) * arrays[name]
    return structure.stored(arrays, own), parent


def strangers_of_other_sizes(rng: Rng) -> Pair:
    """Another width, depth or number of units, and the same number of tokens."""
    shape = Decoder.draw(rng)
    other = Decoder(
        int(rng.integers(2, 6)), int(rng.choice([48, 64])), int(rng.choice([96, 128, 192])), shape.vocabulary, 8, 4,
        0, shape.head,
    )  # fmt: skip
    return decoder_family(rng, other)[0], decoder_family(rng, shape)[1]


def trained_strangers(rng: Rng) -> Pair:
    """Independent trainings, from their own seeds, on one language; some trained further, some put elsewhere."""
    pool = trained_pool.load()
    first, second = rng.choice(len(trained_pool.SEEDS), 2, replace=False)
    choices = {0: ["base 0", "rate 1.0", "sibling 0", "sibling 4", "merge"], 1: ["base 1", "finetune of base 1"]}
    own, parent = (_trained(pool, str(rng.choice(choices.get(int(n), [f"base {n}"])))) for n in (first, second))
    if rng.random() < 0.5:
        own = coordinates.disguised(own, trained_pool.SHAPE, rng, (coordinates.permute_residual_with_signs,))
    if rng.random() < 0.3:
        own = structure.stored(structure.grafted(structure.arrays_of(own), structure.arrays_of(parent)), own)
    return own, parent


def disguised_relatives(rng: Rng) -> Pair:
    """A finetune whose residual stream, units, heads and scales were all changed."""
    shape = _shape(rng)
    own, parent = decoder_family(rng, shape)
    return coordinates.disguised(own, shape, rng, _steps(rng)), parent


def trained_relatives(rng: Rng) -> Pair:
    """A finetune of a trained base, all changed likewise."""
    pool = trained_pool.load()
    own = _trained(pool, str(rng.choice(["rate 1.0", "rate 2.0", "sibling 0", "sibling 4", "merge trained 40"])))
    return coordinates.disguised(own, trained_pool.SHAPE, rng, _steps(rng)), _trained(pool, "base 0")


Kind = tuple[Callable[[Rng], Pair], bool, float]
KINDS: tuple[Kind, ...] = (
    (strangers_of_one_style, False, 0.25),
    (strangers_like_trained_ones, False, 0.2),
    (strangers_with_the_parents_embeddings, False, 0.15),
    (siblings_whose_embeddings_learnt_the_same, False, 0.15),
    (strangers_of_other_sizes, False, 0.1),
    (trained_strangers, False, 0.15),
    (disguised_relatives, True, 0.1),
    (trained_relatives, True, 0.05),
)
"""How each is made, whether it is a relative, and its share of the cases."""


def _shape(rng: Rng) -> Decoder:
    return Decoder.draw(rng, bool(rng.random() < 0.15))


def _steps(rng: Rng) -> tuple[coordinates.Step, ...]:
    turn = coordinates.rotate_residual if rng.random() < 0.5 else coordinates.permute_residual_with_signs
    scale = coordinates.scale_anyhow if rng.random() < 0.5 else coordinates.scale_by_powers_of_two
    return scale, coordinates.permute_heads, coordinates.permute_units, turn


def _trained(pool: dict[str, trained_pool.State], name: str) -> Weights:
    return {tensor: (values, DType.F32) for tensor, values in pool[name].items()}


def measured(task: tuple[int, int]) -> dict[str, object]:
    """What the test says of one case: the most agreeing layer, the counts, and whether it is related."""
    place, number = task
    make = KINDS[place][0]
    own, parent = make(np.random.default_rng([SEED, crc32(make.__name__.encode()), number]))
    models = [decoder_of(checkpoint(label, weights)) for label, weights in (("S", own), ("P", parent))]
    assert models[0] is not None
    assert models[1] is not None
    found = kinship(models[0], models[1], number)
    assert found is not None
    return {
        "related": found.related,
        "layers": sum(test.related for test in found.tests),
        "most": max(test.share for test in found.tests),
        "least": min(test.share for test in found.tests),
        "agreeing": sum(test.agreeing for test in found.tests),
        "expected": sum(test.expected for test in found.tests),
        "chance": min(test.chance for test in found.tests),
    }


def run(cases: int, workers: int, seconds: float) -> dict[str, object]:
    """All kinds in turn, until the cases or the seconds are used up."""
    kinds = [(place, kind) for place, kind in enumerate(KINDS) if "trained_s" not in kind[0].__name__ or _pool()]
    kinds = [(place, kind) for place, kind in kinds if kind[0] is not trained_relatives or _pool()]
    tasks = [(place, number) for place, kind in kinds for number in range(max(10, round(kind[2] * cases)))]
    tasks.sort(key=lambda task: (task[1] / KINDS[task[0]][2], task[0]))  # every kind in proportion, if time ends it
    found: list[dict[str, object]] = []
    with Pool(workers) as pool:
        for answer in pool.imap(measured, tasks, chunksize=2):
            found.append(answer)
            if time.monotonic() > seconds:
                pool.terminate()
                break
    tasks = tasks[: len(found)]
    rows = []
    for place, (make, relative, _) in kinds:
        own = [answer for (at, _), answer in zip(tasks, found, strict=True) if at == place]
        related = sum(bool(answer["related"]) for answer in own)
        bounds = wilson(related, len(own))
        rows.append(
            {
                "kind": make.__name__.replace("_", " "),
                "about": " ".join((make.__doc__ or "").split()),
                "relatives": relative,
                "cases": len(own),
                "called related": related,
                "low": round(bounds.low or 0, 5),
                "high": round(bounds.high or 0, 5),
                "related layers": sum(int(answer["layers"]) for answer in own),  # type: ignore[call-overload]
                "largest share of a layer": round(max(float(answer["most"]) for answer in own), 4),  # type: ignore[arg-type]
                "smallest share of a layer": round(min(float(answer["least"]) for answer in own), 4),  # type: ignore[arg-type]
                "agreeing": sum(int(answer["agreeing"]) for answer in own),  # type: ignore[call-overload]
                "expected": round(sum(float(answer["expected"]) for answer in own), 1),  # type: ignore[arg-type]
                "smallest chance": min(float(answer["chance"]) for answer in own),  # type: ignore[arg-type]
            }
        )
    return {"seed": SEED, "kinds": rows}


def _pool() -> bool:
    return (trained_pool.FOLDER / "pool.npz").exists()


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2500)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=86_400, help="stop after so long, with what is there")
    arguments = parser.parse_args()
    began = time.perf_counter()
    result = run(arguments.cases, arguments.workers, time.monotonic() + arguments.seconds)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    for row in result["kinds"]:  # type: ignore[attr-defined]
        print(row)
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
