"""Makes merges of tensors of a realistic size with mergekit, to compare ours with (`modelprov verify`).

    v0.1.5/bin/python tests/data/mergekit/large.py make WORK      with mergekit's own virtual environment, a few minutes

The recipes are those of `record.py`; nothing is recorded, because the outputs are too large.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HIDDEN, VOCABULARY, MIDDLE = 768, 2048, 96  # 1.6 million elements in the largest tensors
RANDOM = ("dare_", "della")
PROGRAMS = ("mergekit-0.1.4", "mergekit-0.1.5")


def make(work: Path) -> None:
    """Write the models unless they are there, and every case that is not there yet."""
    from importlib.metadata import version

    import record
    import torch
    from safetensors.torch import save_file

    sizes = {"HIDDEN": HIDDEN, "VOCABULARY": VOCABULARY, "MIDDLE": MIDDLE}
    small = {getattr(record, name): size for name, size in sizes.items()} | {record.HIDDEN // 2: HIDDEN // 2}
    record.SHAPES = {name: tuple(small[n] for n in shape) for name, shape in record.SHAPES.items()}
    record.CONFIG |= {"hidden_size": HIDDEN, "vocab_size": VOCABULARY, "intermediate_size": MIDDLE}
    if not (work / "BASE").exists():
        record.make_models(work)
    program = "mergekit-" + version("mergekit")
    print(program, "torch", torch.__version__, "threads", torch.get_num_threads(), flush=True)
    for name, case in record.CASES.items():
        for dtype, extra in record.DTYPES.items():
            file = work / "out" / program / f"{name}-{dtype}.safetensors"
            if file.exists() or name.startswith(RANDOM):
                continue
            recipe = {**case, **extra}
            merged = record.run(record.located(recipe, work), work / "scratch" / program)
            file.parent.mkdir(parents=True, exist_ok=True)
            kept = {tensor: merged[tensor].contiguous() for tensor in record.KEPT}
            save_file(kept, str(file), metadata={"recipe": json.dumps(recipe)})
            print(file.stem, flush=True)


if __name__ == "__main__":
    {"make": make}[sys.argv[1]](Path(sys.argv[2]).resolve())
