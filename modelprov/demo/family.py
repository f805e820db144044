"""One family of checkpoints with a known history: a base, its finetunes, merges of them, and a stranger.

The names are those of the published case that the tool was written for; the weights are invented from a seed. What is
on disk and what tests use in memory come from the same generator, `members`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from modelprov.demo.layout import SMALL, TINY, FamilyScale, config, layout
from modelprov.demo.weights import (
    finetune,
    merge_exact,
    merge_trained,
    random_weights,
    split_experts,
    without_mtp,
)
from modelprov.demo.writing import OF, WITHOUT_OF, Weights, as_stored, fill_checkpoint, staged, write_json
from modelprov.recipes.arithmetics import Arithmetic

__all__ = ["ALPHA", "MEMBERS", "SMALL", "TINY", "Family", "FamilyScale", "build_family", "members"]

ALPHA = 0.565
"""Weight of `nex` in every merge of the family; `qwen` has the rest."""
TRAINED_SHARE = 0.03
"""Training after the merge in `rio-trained`, as a share of the parents' distance."""
RECIPE = "family.json"

MEMBERS = {
    "qwen": "the base",
    "nex": "a finetune of qwen",
    "sibling": "another finetune of qwen, independent of nex",
    "rio": "0.565 nex + 0.435 qwen in float32, rounded once; experts stored one by one, no MTP block",
    "rio-trained": "the merge of rio, trained by 3 % of the parents' distance before the rounding; stored as rio",
    "rio-bf16": "the merge of rio with every step rounded to bf16; stored as rio",
    "stranger": "an unrelated model of the same layout, with nearly the same norm weights",
}
"""Every checkpoint of a family, in the order of writing, and its true history."""

Progress = Callable[[str, int, int], None]
"""Called after each checkpoint with its name, how many are written, and how many there will be."""


@dataclass(frozen=True, slots=True)
class Family:
    """Where the checkpoints of a family lie, and the seed they were made from."""

    folder: Path
    seed: int
    scale: FamilyScale

    @property
    def qwen(self) -> Path:
        """The base."""
        return self.folder / "qwen"

    @property
    def nex(self) -> Path:
        """A finetune of the base."""
        return self.folder / "nex"

    @property
    def sibling(self) -> Path:
        """An independent finetune of the base: the control."""
        return self.folder / "sibling"

    @property
    def rio(self) -> Path:
        """The exact merge."""
        return self.folder / "rio"

    @property
    def stranger(self) -> Path:
        """An unrelated model."""
        return self.folder / "stranger"


def build_family(
    folder: Path, seed: int = 0, scale: FamilyScale = SMALL, on_progress: Progress | None = None
) -> Family:
    """Write all `MEMBERS` as folders in `folder`, with `family.json` that says how they were made; all or nothing.

    Same seed and scale, same bytes. Raises `UsageError` when one of them is already there and `UnreadableFileError`
    when the disk refuses; `folder` is then as it was before.
    """
    with staged(folder, (*MEMBERS, RECIPE)) as part:
        for number, (name, weights) in enumerate(members(seed, scale), start=1):
            derived = name.startswith("rio")
            shards, shard_name = (2, WITHOUT_OF) if derived else (3, OF)
            fill_checkpoint(part / name, as_stored(weights), config(scale, mtp=not derived), shards, shard_name)
            if on_progress is not None:
                on_progress(name, number, len(MEMBERS))
        recipe = {"seed": seed, "alpha": ALPHA, "members": MEMBERS, "scale": asdict(scale)}
        write_json(part / RECIPE, {"note": "Invented weights, made by `modelprov`; no model was trained.", **recipe})
    return Family(folder, seed, scale)


def members(seed: int = 0, scale: FamilyScale = SMALL) -> Iterator[tuple[str, Weights]]:
    """Name and weights of each of the `MEMBERS`, as stored, in their order; at most four are in memory at a time."""
    streams = dict(zip(MEMBERS, np.random.SeedSequence(seed).spawn(len(MEMBERS)), strict=True))
    rng = {name: np.random.default_rng(stream) for name, stream in streams.items()}
    specs = layout(scale)
    qwen = random_weights(specs, rng["qwen"])
    yield "qwen", qwen
    nex = finetune(qwen, rng["nex"])
    yield "nex", nex
    yield "sibling", finetune(qwen, rng["sibling"])
    parents, weights = (without_mtp(nex), without_mtp(qwen)), (ALPHA, 1 - ALPHA)
    yield "rio", as_derivative(merge_exact(parents, weights))
    yield "rio-trained", as_derivative(merge_trained(parents, weights, TRAINED_SHARE, rng["rio-trained"]))
    yield "rio-bf16", as_derivative(merge_exact(parents, weights, Arithmetic.STEPWISE))
    yield "stranger", random_weights(specs, rng["stranger"])


def as_derivative(weights: Weights) -> Weights:
    """The same weights as another program would store them: experts one by one, tensors sorted by name."""
    return dict(sorted(split_experts(weights).items()))
