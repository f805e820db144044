"""Loads a local model and its tokenizer for generation. No code of a checkpoint is executed, nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from logging import getLogger
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelprov.behavior.computed import ComputedState
from modelprov.behavior.extra import require
from modelprov.behavior.fetched_code import let_no_kernel_be_fetched, refuse_fetched_code, refuse_loaded
from modelprov.behavior.placing import Placement, check_disk, check_embeddings, placement, places, told
from modelprov.behavior.templates.rendering import Renderer
from modelprov.called import DEVICES, called, unknown
from modelprov.checkpoints.digests import sampled_digest
from modelprov.checkpoints.layouts.side_files import GENERATION
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import InvalidCheckpointError, ModelprovError, UsageError

SHOWN = 5
NEEDS = (
    "It needs config.json, safetensors weights and tokenizer files that the installed transformers knows; "
    "code of a checkpoint is never run."
)


@dataclass(frozen=True, eq=False)
class LocalModel:
    """A model ready to generate: `model` is a transformers causal language model in evaluation mode.

    `eos` are all token ids that end an answer; `template` is the (default) chat template as shipped, or None; `digest`
    says which weights these are (`digests.SAMPLE_COVERS`); `renderer` is what renders its templates, with its budget;
    `placement` is where its weights were put; `side_files` holds its config and tokenizer where its weights are in no
    folder.
    """

    label: str
    location: str
    folder: Path
    model: Any
    tokenizer: Any
    eos: tuple[int, ...]
    template: str | None
    digest: str
    renderer: Renderer = field(default_factory=Renderer)
    placement: Placement | None = None
    side_files: TemporaryDirectory[str] | None = None

    @property
    def spread(self) -> str | None:
        """A sentence on where the weights lie, where that is not one device."""
        return told(self.label, self.model, computed=self.side_files is not None)

    @property
    def device(self) -> str:
        """Where the weights lie: "cuda:0", or "cuda:0, cpu, disk"."""
        return ", ".join(places(self.model))


def load_model(
    location: str, label: str | None = None, device: str = "auto", dtype: str = "auto", memory: int | None = None
) -> LocalModel:  # fmt: skip
    """The model in a local folder (or in the local Hugging Face cache).

    `memory` is the most that may be used of each device, in bytes (None: what is free). What does not fit on the
    device is spread over all GPUs, main memory and the disk.

    Raises `UsageError` when the extra is missing or the device is not there, and an `InvalidCheckpointError` or
    `UnsupportedFormatError` for a checkpoint that cannot be loaded without running its code, whose settings would fetch
    somebody's, or that lacks weights (transformers would fill them with random numbers).
    """
    require("running a model")
    given = Path(location).expanduser()
    if given.is_dir():
        refuse_fetched_code(given)  # before anything else can be wrong with the folder
    checkpoint = open_checkpoint(location, label, near=True)
    folder = checkpoint.home
    if folder != given:
        refuse_fetched_code(folder)
    return _loaded(checkpoint, folder, location, device, dtype, memory)


def load_computed(
    checkpoint: Checkpoint, side_files: TemporaryDirectory[str], device: str = "auto", dtype: str = "auto",
    memory: int | None = None, on_made: Callable[[int], None] = lambda _: None,
) -> LocalModel:  # fmt: skip
    """The model whose weights a checkpoint computes, each tensor once, with config and tokenizer in `side_files`.

    `on_made` hears of each tensor when it is computed, with 1. What does not fit into the memory of the devices is
    written into a temporary folder, which is refused where the disk does not hold it. Raises as `load_model`
    does, and what reading the checkpoint raises.
    """
    require("running a model")
    folder = Path(side_files.name)
    refuse_fetched_code(folder)
    state = ComputedState(checkpoint, on_made)
    loaded = _loaded(checkpoint, folder, checkpoint.location, device, dtype, memory, state)
    return replace(loaded, side_files=side_files)


def _loaded(
    checkpoint: Checkpoint, folder: Path, location: str, device: str, dtype: str, memory: int | None,
    state: ComputedState | None = None,
) -> LocalModel:  # fmt: skip
    """The model in `folder`, with the weights of `state` where they are in no file."""
    where = _device(device)
    tokenizer = load_tokenizer(folder)
    placed = placement(checkpoint, where, dtype, memory)
    if state is not None:
        check_disk(checkpoint, placed, dtype)
    model = _load_weights(folder, location, dtype, placed.arguments, state).eval()
    check_embeddings(model, checkpoint)
    _check_vocabulary(model, tokenizer, location)
    try:
        if not placed.arguments:
            model.to(where)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"{location} cannot be moved to {where}: {_first_line(error)}", f"Try {called('device', 'cpu')}."
        ) from error
    return LocalModel(
        label=checkpoint.label,
        location=location,
        folder=folder,
        model=model,
        tokenizer=tokenizer,
        eos=_eos(model, tokenizer),
        template=_default_template(tokenizer.chat_template),
        digest=sampled_digest(checkpoint) if state is None else sampled_digest(checkpoint, state.starts),
        placement=placed,
    )


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder; raises `InvalidCheckpointError`."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # foreign files: the libraries below raise nearly anything
        raise _unloadable(f"the tokenizer in {folder} cannot be loaded", error) from error
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):  # some classes are made of nothing
        raise InvalidCheckpointError(
            f"{folder} holds no tokenizer", "Put the tokenizer's files (tokenizer.json, as a rule) beside the weights."
        )
    return tokenizer


def _load_weights(
    folder: Path, location: str, dtype: str, arguments: Mapping[str, Any], state: ComputedState | None
) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # commands show their own
    getLogger("accelerate.big_modeling").setLevel("ERROR")  # where weights lie is said in the report
    let_no_kernel_be_fetched()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        refuse_loaded(config, location)
        given = {
            "local_files_only": True, "trust_remote_code": False, "use_safetensors": True, "dtype": dtype,
            "output_loading_info": True, **arguments,
        }  # fmt: skip
        if state is None:
            model, told = AutoModelForCausalLM.from_pretrained(folder, config=config, **given)
        else:
            model, told = _filled(config, folder, state, given)
    except ModelprovError:
        raise
    except Exception as error:  # as above
        if state is not None and isinstance(state.failure, ModelprovError):
            raise state.failure from error
        raise _unloadable(f"{location} cannot be loaded as a causal language model", error) from error
    if state is not None and state.failure is not None:  # where a library took it for a tensor that is not there
        raise state.failure
    missing = sorted(told["missing_keys"])
    if missing:
        raise InvalidCheckpointError(
            f"{location} lacks {len(missing):,} tensors that its architecture needs: {_some(missing)}",
            "Download it again; a model with random weights in their place would say anything.",
        )
    return model


def _filled(config: Any, folder: Path, state: ComputedState, given: Mapping[str, Any]) -> Any:
    """The causal model of a config, filled from a state dict, which transformers takes without a folder only."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(deepcopy(config), trust_remote_code=False)
    if not isinstance(empty.config, type(config)):
        config = empty.config  # the part of it that is about text
    if (folder / GENERATION).is_file():
        given = {**given, "generation_config": GenerationConfig.from_pretrained(folder, local_files_only=True)}
    return type(empty).from_pretrained(None, config=config, state_dict=state, **given)


def _device(device: str) -> str:
    """The device to compute on; raises `UsageError` where it is not there."""
    import torch

    try:
        where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else str(torch.device(device))
    except RuntimeError as error:
        raise unknown("device", device, DEVICES) from error
    if where.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("there is no CUDA device here", f"Use {called('device', 'cpu')}.")
    return where


def _check_vocabulary(model: Any, tokenizer: Any, location: str) -> None:
    """A token without an embedding would end generation in the middle, on a GPU without a word."""
    rows = model.get_input_embeddings().weight.shape[0]
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if highest >= rows:
        raise InvalidCheckpointError(
            f"the tokenizer of {location} has token {highest:,}, its embeddings have {rows:,} rows",
            "Tokenizer and weights belong to different models.",
        )


def _default_template(found: Any) -> str | None:
    """The template in use; of several named ones that called `default`."""
    if isinstance(found, dict):
        found = found.get("default")
    return found if isinstance(found, str) else None


def _eos(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every token id that ends an answer: those of the generation config, and the tokenizer's."""
    given = model.generation_config.eos_token_id
    found = [given] if isinstance(given, int) else list(given or [])
    if tokenizer.eos_token_id is not None:
        found.append(tokenizer.eos_token_id)
    return tuple(dict.fromkeys(found))


def _unloadable(what: str, error: Exception) -> InvalidCheckpointError:
    return InvalidCheckpointError(f"{what}: {_first_line(error)}", NEEDS)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:SHOWN]) + (", ..." if len(listed) > SHOWN else "")
