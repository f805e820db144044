"""What SwiReasoning costs, against transformers' own sampling and, if asked, against the public program, in one run.

Run: `python benchmarks/swireasoning.py [--public FILE] [--rounds 7] [--tokens 200] [--json FILE]`. One tiny Qwen3 model
with random weights and a vocabulary of 32,000 generates for a batch of 8 prompts; candidates are interleaved, and
medians of wall and processor time are given, and ratios of processor time (which other load disturbs least) to
transformers' own sampling loop of the same round. `--public` is
`generation_utils.py` of a clone of the public program (sdc17/SwiReasoning), which is run as it is. Nothing ends before
its last token, so that all candidates make as many tokens. Nothing asserts a time.

`--parity [--questions 16]` times nothing: it counts how many tokens are those of the public program (of the tests'
oracle without `--public`), and the same in batches as alone, in float32 and bfloat16 (`swireasoning_parity.py`).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import Qwen3Config, Qwen3ForCausalLM

from modelprov.behavior.generation.generate import generate, method_of
from modelprov.behavior.generation.interface import Method
from modelprov.behavior.generation.vocabulary import look_up
from modelprov.behavior.loading import LocalModel
from modelprov.demo.tiny import shipped

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.behavior.generation import tiny

WORDS, ROWS, PROMPT = 32_000, 8, 64


def toy() -> LocalModel:
    """The model: hidden 128, 3 layers; its end tokens never come up."""
    words = tiny.tokenizer(extra=("\\n", *(f"word{number}" for number in range(WORDS))))
    config = Qwen3Config(
        vocab_size=len(words), hidden_size=128, intermediate_size=384, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=4096, tie_word_embeddings=False,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(config).eval()
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 0.4)
        model.lm_head.weight[len(words) - 5 :] = 0
    return LocalModel("toy", "nowhere", Path(), model, words, (), None, "none")


def prompts() -> list[list[int]]:
    """The same prompts for everybody."""
    return torch.randint(0, 200, (ROWS, PROMPT), generator=torch.Generator().manual_seed(1)).tolist()


def own_loop(model: LocalModel, tokens: int) -> Callable[[], Any]:
    """Transformers' own sampling."""
    ids = torch.tensor(prompts())

    def run() -> Any:
        with torch.inference_mode():
            return model.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, min_new_tokens=tokens,
                do_sample=True, temperature=0.6, top_k=20, top_p=0.95, pad_token_id=0,
            )  # fmt: skip

    return run


def ours(model: LocalModel, method: Method) -> Callable[[], Any]:
    """The decoder of this package."""
    return lambda: generate(model, prompts(), method, 0, batch_size=ROWS)


def public(program: Any, model: LocalModel, method: Method) -> Callable[[], Any]:
    """The public program: SwiReasoning, or its chain of thought where the method is none."""
    ids, sampling, swir = torch.tensor(prompts()), method.sampling, method.swir
    common = {
        "temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p,
        "min_p": sampling.min_p, "max_new_tokens": method.max_new_tokens, "do_sample": True,
    }  # fmt: skip
    if swir is None:
        return lambda: program.generate_cot(
            model.model, model.tokenizer, input_ids=ids, attention_mask=torch.ones_like(ids), **common
        )
    math = torch.tensor(sorted(look_up(model.tokenizer, "toy", "swir").math))
    return lambda: program.generate_swir(
        model.model, model.tokenizer, input_ids=ids, attention_mask=torch.ones_like(ids), alpha_0=swir.alpha,
        beta_0=swir.beta, window_size=swir.window, math_ids_tensor=math, **common,
    )  # fmt: skip


def candidates(model: LocalModel, tokens: int, program: Any) -> dict[str, Callable[[], Any]]:
    """Everything that is timed, by name."""
    cot = method_of("cot", max_new_tokens=tokens)
    swir = method_of("swir", max_new_tokens=tokens, alpha=0.5)
    latent = method_of("swir", max_new_tokens=tokens, alpha=0.5, window=1)
    assert swir.swir is not None
    found = {
        "transformers sampling": own_loop(model, tokens),
        "modelprov cot": ours(model, cot),
        "modelprov swir": ours(model, swir),
        "modelprov swir reference": ours(model, replace(swir, swir=replace(swir.swir, compat="reference"))),
        "modelprov swir, window 1": ours(model, latent),
    }
    if program is not None:
        found["public cot"] = public(program, model, cot)
        found["public swir"] = public(program, model, swir)
        found["public swir, window 1"] = public(program, model, latent)
    return found


def load(path: Path) -> Any:
    """The public program's module."""
    spec = importlib.util.spec_from_file_location("public_swireasoning", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parity(program: Any, questions: int, path: Path | None) -> None:
    """Print a table of equal tokens as it grows, and write it."""
    from benchmarks.swireasoning_parity import compared

    found = []
    print("| number format | prompts | compared | equal tokens | identical answers |\n|---|---|---|--:|--:|")
    for record in compared(Path(shipped.__file__).parent / "checkpoints" / "nex", questions, program):
        found.append(record)
        print(
            f"| {record['dtype']} | {record['prompts']} | {record['compared']} | {100 * record['equal tokens']:.1f} % "
            f"| {record['identical']} of {record['sequences']} |", flush=True,
        )  # fmt: skip
    if path is not None:
        about = {
            "torch": torch.__version__, "transformers": transformers.__version__,
            "date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": platform.machine(),
        }  # fmt: skip
        path.write_text(json.dumps({**about, "parity": found}, indent=2) + "\n", "utf-8")


def main() -> None:
    """Time, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--parity", action="store_true")
    parser.add_argument("--questions", type=int, default=16)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.parity:
        parity(None if chosen.public is None else load(chosen.public), chosen.questions, chosen.json)
        return
    model = toy()
    runs = candidates(model, chosen.tokens, None if chosen.public is None else load(chosen.public))
    for run in runs.values():  # warm up
        run()
    load_before, times = os.getloadavg(), {name: [] for name in runs}
    for _ in range(chosen.rounds):
        for name, run in runs.items():
            wall, processor = time.perf_counter(), time.process_time()
            run()
            times[name].append((time.perf_counter() - wall, time.process_time() - processor))
    floor = times["transformers sampling"]
    latent = {
        name: sum(one.trace.latent_steps for one in runs[name]()) / (ROWS * chosen.tokens)
        for name in runs
        if name.startswith("modelprov")
    }
    result = {
        "model": f"Qwen3, random weights, hidden 128, 3 layers, vocabulary {len(model.tokenizer)}, float32",
        "batch": ROWS,
        "prompt": PROMPT,
        "tokens": chosen.tokens,
        "rounds": chosen.rounds,
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, 1 thread",
        "load before and after": [[round(one, 1) for one in loads] for loads in (load_before, os.getloadavg())],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "latent share": {name: round(share, 3) for name, share in latent.items()},
        "medians": {
            name: {
                "wall": round(statistics.median(wall for wall, _ in found), 3),
                "processor": round(statistics.median(processor for _, processor in found), 3),
                "processor ratio to transformers sampling": round(
                    statistics.median(own[1] / base[1] for own, base in zip(found, floor, strict=True)), 3
                ),
            }
            for name, found in times.items()
        },
    }
    print(json.dumps(result, indent=2))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
