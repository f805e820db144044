"""The table of docs/formats.md: of each form what its decode was checked against, α of the demo's merge, and the speed.

Run from the repository: `python -m benchmarks.formats [--write]`. The demo's merge (0.565 nex + 0.435 qwen) and its
sibling are packed in every form (`tests/packing.py`, GGUF by the library or the public description) and compared with
both parents, as `compare` does. Speed is of one core in CPU seconds, beside the pass over plain bf16: million weights a
second that are decoded, and how fast the whole pass is with a suspect in the form.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.quantised import FORMATS, GGUF, in_form
from modelprov.checkpoints.formats.dtypes import DType, decode, store
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.plan import plan_pass
from modelprov.checkpoints.types import Checkpoint
from modelprov.demo.tiny.shipped import unpack
from modelprov.demo.weights import merge_exact
from modelprov.demo.writing import Weights
from modelprov.forensics.compare import Options, compare
from modelprov.forensics.judging.findings import Findings
from modelprov.forensics.sums.kernels.cpu import processor
from modelprov.forensics.sums.kernels.interface import RecipePlan
from modelprov.forensics.sums.sweep import PIECE, block_bytes, sweep
from tests.memory import Silence, checkpoint
from tests.packing import LATER

SAMPLE = 1 << 16
PROCESSOR = processor()
ALPHA = 0.565
SIDE = 1024
MEMORY = 1 << 30
TURNS = 3
PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
BEGIN, END = "<!-- table: written by benchmarks/formats.py -->", "<!-- end of the table -->"
OF_GGUF = "the library `gguf`"
CHECKED = {
    "Q6_K": OF_GGUF, "Q4_K": OF_GGUF, "FP8 row": "compressed-tensors", "FP8 tensor": "compressed-tensors",
    "FP8 block": "compressed-tensors, torch", "int8 W8A8": "compressed-tensors", "int8 bitsandbytes": "bitsandbytes",
    "W4A16": "compressed-tensors", "W8A16": "compressed-tensors", "NF4": "bitsandbytes", "FP4": "bitsandbytes",
    "MXFP4": "compressed-tensors, transformers", "NVFP4": "compressed-tensors", "MLX 4": "mlx", "MLX 8": "mlx",
    "HQQ": "hqq", "GPTQ": "gptqmodel", "AWQ": "AutoAWQ", "AWQ GEMV": "AutoAWQ", "torchao int8": "torchao",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What the table says of a form."""

    form: str
    merge: Findings
    sibling: Findings
    decoded: float
    beside: float

    def __str__(self) -> str:
        told = self.merge.mixing
        interval = "not given" if told.low is None else f"{told.low:.5f} to {told.high:.5f}"
        name = f"GGUF {self.form}" if self.form in GGUF else self.form
        return " | ".join(
            [
                f"| {name}",
                CHECKED.get(self.form, OF_GGUF),
                interval,
                said(self.merge),
                said(self.sibling),
                f"{self.decoded:.0f}",
                f"{self.beside:.2f} |",
            ]
        )


def said(found: Findings) -> str:
    """Class and rule."""
    return f"{found.verdict.class_} ({found.verdict.rule})"


def weights_of(folder: Path) -> Weights:
    """A model on disk as arrays."""
    opened, made = open_checkpoint(str(folder)), {}
    for name, ref in opened.tensors.items():
        raw = np.empty(ref.stop - ref.start, np.uint8)
        opened.source.read_into(ref.shard, ref.start, raw.data)
        made[name] = decode(raw, ref.dtype).astype(np.float32).reshape(ref.shape), ref.dtype
    opened.source.close()
    return made


def judged(suspect: Checkpoint, parents: Sequence[Weights]) -> Findings:
    """What `compare` says, by `SAMPLE` elements."""
    others = [checkpoint(label, each) for label, each in zip(("nex", "qwen"), parents, strict=True)]
    return compare([suspect, *others], Options(threads=1, device="cpu", sample_elements=SAMPLE), Silence()).findings


def fastest(work: Callable[[], object]) -> float:
    """CPU seconds of the best of a few turns."""
    times = []
    for _ in range(TURNS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def pass_over(suspect: Checkpoint, parents: Sequence[Checkpoint]) -> float:
    """CPU seconds of the pass over three models, one thread, no recipe."""
    alignment = align((suspect, *parents))
    tensors = len(alignment.tensors)
    plan = plan_pass(alignment, block_bytes(MEMORY, 1, 3, PROCESSOR), PIECE)
    recipes = RecipePlan.none(2, tensors)
    return fastest(lambda: sweep(alignment.checkpoints, plan, tensors, recipes, PROCESSOR, threads=1))


def speeds(forms: Sequence[str]) -> dict[str, tuple[float, float]]:
    """By form: million weights a second that are decoded, and the pass over bf16 by the pass with such a suspect."""
    rng = np.random.default_rng(0)
    name = "model.layers.0.mlp.up_proj.weight"
    plain, *others = (
        {name: (store(0.02 * rng.standard_normal((SIDE, SIDE), np.float32), DType.BF16), DType.BF16)} for _ in range(3)
    )
    parents = [checkpoint(f"P{number}", each) for number, each in enumerate(others, 1)]
    usual = pass_over(checkpoint("S", plain), parents)
    made = {}
    for form in forms:
        suspect = in_form(plain, form)
        ref, out = suspect.tensors[name], np.empty(PIECE, np.uint8)

        def read(ref=ref, out=out, suspect=suspect) -> None:  # type: ignore[no-untyped-def]
            for start in range(ref.start, ref.stop, PIECE):
                suspect.source.read_into(ref.shard, start, out[: min(PIECE, ref.stop - start)].data)

        made[form] = ref.count / fastest(read) / 1e6, usual / pass_over(suspect, parents)
    return made


def answers(form: str) -> tuple[Findings, Findings]:
    """What is said of the demo's merge and of its sibling in a form."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "family"
        unpack(folder)
        nex, qwen, sibling = (weights_of(folder / name) for name in ("nex", "qwen", "sibling"))
    rio = merge_exact([nex, qwen], [ALPHA, 1 - ALPHA])
    merged, beside = (judged(in_form(each, form), (nex, qwen)) for each in (rio, sibling))
    return merged, beside


def rows(forms: Sequence[str], workers: int) -> list[Row]:
    """A row a form."""
    found = speeds(forms)
    print({form: tuple(round(each, 2) for each in both) for form, both in found.items()}, flush=True)
    if workers == 1:
        said_of = list(map(answers, forms))
    else:
        with ProcessPoolExecutor(workers) as pool:
            said_of = list(pool.map(answers, forms))
    return [Row(form, *both, *found[form]) for form, both in zip(forms, said_of, strict=True)]


def table(made: Sequence[Row]) -> str:
    """Markdown."""
    head = (
        "| Form | Decode checked against | α of the merge by the cells (0.565) | The merge is | A sibling is | "
        "Decoded, M/s | Beside bf16 |\n| :--- | :--- | ---: | :--- | :--- | ---: | ---: |"
    )
    return "\n".join([head, *map(str, made)])


def main() -> None:
    """Measure; print the table, or put it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formats", nargs="*", default=[*FORMATS, *LATER])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/formats.md")
    asked = parser.parse_args()
    told = table(rows(asked.formats, asked.workers))
    if not asked.write:
        print(told)
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{told}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
