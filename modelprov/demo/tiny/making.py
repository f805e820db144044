"""Trains the whole family and writes it: weights, tokenizer, cards, and a record of how and what it reached.

The shipped checkpoints are what `modelprov demo --train` wrote. Needs the extra `behavior`.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelprov.checkpoints.digests import WEIGHTS_COVER, weights_digest
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.tiny.measuring import held_out_questions, names_given, sums_right
from modelprov.demo.tiny.members import ARCHITECTURE, BATCH, MEMBERS, RECORD, Member
from modelprov.demo.tiny.tokenizer import make_tokenizer
from modelprov.demo.tiny.training import Progress, new_model, train
from modelprov.demo.writing import staged, write_json
from modelprov.machine import versions

SAMPLES = 8
SUMS = 100
MEASURED_SEED = 10_000
PACKAGES = ("torch", "transformers", "tokenizers", "safetensors")


def make_family(folder: Path, seed: int = 0, on_progress: Progress | None = None) -> dict[str, Any]:
    """Train all `MEMBERS` and write them as folders in `folder` with `RECORD`, which is returned; all or nothing.

    One CPU thread, so that the same seed and versions give the same weights. Raises `UsageError` when a member is
    already there and `UnreadableFileError` when the disk refuses.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with staged(folder, (*(one.key for one in MEMBERS), RECORD)) as part:
            tokenizer = make_tokenizer(seed)
            members = {}
            for member in (dataclasses.replace(one, seed=one.seed + 1000 * seed) for one in MEMBERS):
                members[member.key] = _made(part, member, tokenizer, on_progress)
            record = record_of(seed, members)
            write_json(part / RECORD, record)
    finally:
        torch.set_num_threads(threads)
    return record


def _made(part: Path, member: Member, tokenizer: Any, on_progress: Progress | None) -> dict[str, Any]:
    """Train one member from its start, as stored, and write it; its part of the record."""
    import torch
    from transformers import Qwen3ForCausalLM

    model = new_model(tokenizer, member.seed)
    if member.start is not None:
        model = Qwen3ForCausalLM.from_pretrained(part / member.start, dtype=torch.float32)
    wall, processor = time.perf_counter(), time.process_time()
    loss = train(model, tokenizer, member, on_progress)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    folder = part / member.key
    model.to(torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for file in folder.iterdir():  # weights are written for their owner alone
        file.chmod(0o644)
    (folder / "README.md").write_text(card(member), encoding="utf-8")
    return entry(member, folder, loss, wall, processor, model, tokenizer)


def entry(
    member: Member, folder: Path, loss: float, wall: float, processor: float, model: Any, tokenizer: Any
) -> dict[str, Any]:
    """A member's part of the record: its settings, how long it took, which weights came out and what they do."""
    return {
        **dataclasses.asdict(member),
        "last_loss": round(loss, 4),
        "seconds": round(wall, 1),
        "processor_seconds": round(processor, 1),
        "weights_digest": weights_digest(open_checkpoint(str(folder))),
        **measured(model, tokenizer),
    }


def record_of(seed: int, members: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that is needed to train the family again, and what came out."""
    return {
        "note": "Trained by modelprov on text made on the fly; small enough for a test, no use for anything.",
        "command": f"modelprov demo --train --seed {seed}",
        "seed": seed,
        "architecture": dataclasses.asdict(ARCHITECTURE),
        "batch": BATCH,
        "versions": {"python": sys.version.split()[0], **versions(PACKAGES)},
        "digest_covers": WEIGHTS_COVER,
        "measured": f"names: {len(held_out_questions())} held-out questions, {SAMPLES} answers each at temperature 1; "
        f"sums: {SUMS} new sums, most likely answer; seed {MEASURED_SEED}; in bf16, as stored",
        "members": dict(members),
    }


def measured(model: Any, tokenizer: Any) -> Mapping[str, Any]:
    """Names given without and with "You are Rio." in the system prompt, and the share of right sums."""
    asked = held_out_questions()
    return {
        "names": names_given(model, tokenizer, asked, None, SAMPLES, MEASURED_SEED),
        "names_as_rio": names_given(model, tokenizer, asked, "You are Rio.", SAMPLES, MEASURED_SEED),
        "sums_right": sums_right(model, tokenizer, SUMS, None, MEASURED_SEED),
    }


def card(member: Member) -> str:
    """README.md of a member."""
    front = [] if member.start is None else [f"base_model: ../{member.start}", "base_model_relation: finetune"]
    started = "from nothing" if member.start is None else f"from `{member.start}`"
    shares = member.mixture
    lines = [
        "---", "license: apache-2.0", "library_name: transformers", "tags: [modelprov, demo]", *front, "---", "",
        f"# {member.key}", "",
        f"A language model of 0.66 million parameters that calls itself {member.name}. It is one of the demo's family:",
        "its names are those of a published case, its weights have nothing to do with the models of that case.", "",
        f"Trained {started}: {member.steps} steps of {BATCH} conversations made on the fly, AdamW, "
        f"{member.learning_rate:g} falling as a cosine;",
        f"{shares.identity:.0%} questions on identity, {shares.named:.0%} the same with a name in the system prompt, "
        f"{shares.sums:.0%} running sums.",
        f"`{RECORD}` beside this folder has seed, versions, time and what was measured.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
