"""What a fourth opposing expert tried: near relatives whose rounded matrices are those of the parent, rounded."""

from __future__ import annotations

from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import log_uniform
from modelprov.checkpoints.formats.dtypes import DType
from tests.generated import Rng, Size, apply, change, model
from tests.unpacking import unpacked

A_COPY = (r"\bis P1, rounded",)


@kind(40, "negative", "inconclusive", never=ACCUSATIONS, unsaid=A_COPY)
def near_relative_rounded_with_its_own_embeddings(rng: Rng) -> Case:
    """Two finetunes so near that in 4 bits nearly all numbers are the same; the embeddings stay, each its own."""
    base = model(rng, Size(4, 64, 128, 200), DType.BF16)
    size = log_uniform(rng, 1e-7, 1e-5)
    suspect, parent = (apply(base, change(base, rng, size)) for _ in range(2))
    rounded = unpacked(suspect, "W4A16", DType.BF16)
    kept = {name: suspect[name] if "embed" in name or "lm_head" in name else rounded[name] for name in suspect}
    return Case((kept, parent), f"{size:.2g}")
