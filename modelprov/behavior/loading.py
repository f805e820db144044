"""Loads a local model and its tokenizer for generation. No code of a checkpoint is executed, nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelprov.behavior.extra import require
from modelprov.checkpoints.digests import sampled_digest
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import InvalidCheckpointError, UsageError


@dataclass(frozen=True, eq=False)
class LocalModel:
    """A model ready to generate: `model` is a transformers causal language model in evaluation mode.

    `eos` are all token ids that end an answer; `template` is the chat template as shipped, or None; `digest` says
    which weights these are (`digests.SAMPLE_COVERS`).
    """

    label: str
    location: str
    folder: Path
    model: Any
    tokenizer: Any
    eos: tuple[int, ...]
    template: str | None
    digest: str


def load_model(location: str, label: str | None = None, device: str = "auto", dtype: str = "auto") -> LocalModel:
    """The model in a local folder (or in the local Hugging Face cache).

    Raises `UsageError` when the extra is missing or the device is not there, and an `InvalidCheckpointError` or
    `UnsupportedFormatError` for a checkpoint that cannot be loaded without running its code.
    """
    require("running a model")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    checkpoint = open_checkpoint(location, label)
    folder = checkpoint.shards[0].path.parent
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if where.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("there is no CUDA device here", "Use --device cpu.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=dtype
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InvalidCheckpointError(
            f"{location} cannot be loaded as a causal language model: {str(error).splitlines()[0][:300]}",
            "It needs config.json, safetensors weights and tokenizer files that the installed transformers knows; "
            "code of a checkpoint is never run.",
        ) from error
    model.to(where).eval()
    return LocalModel(
        label=checkpoint.label,
        location=location,
        folder=folder,
        model=model,
        tokenizer=tokenizer,
        eos=_eos(model, tokenizer),
        template=tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else None,
        digest=sampled_digest(checkpoint),
    )


def _eos(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every token id that ends an answer: those of the generation config, else the tokenizer's."""
    given = model.generation_config.eos_token_id
    found = [given] if isinstance(given, int) else list(given or [])
    if tokenizer.eos_token_id is not None:
        found.append(tokenizer.eos_token_id)
    return tuple(dict.fromkeys(found))
