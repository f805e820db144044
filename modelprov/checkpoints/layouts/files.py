"""Which files of a folder make its model: decided from their names alone. Reads nothing, not even the index.

Loaders agree on the rules: an index names the files; else the default file of a family (`model.safetensors` in
transformers, `diffusion_pytorch_model.safetensors` in diffusers) is the whole model; else every file belongs. Second
copies (`consolidated*`, as Mistral and Meta ship them), variants (`model.fp16.safetensors`; transformers and diffusers
call them so), adapters and the state of a training run are no part of it: they are named aloud and never added up.
Files of torch.save are taken only where no safetensors are, and of those only what is named as a model is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelprov.errors import InvalidCheckpointError
from modelprov.foreign.shown import quoted

WEIGHTS = ".safetensors"
GGUF = ".gguf"
FINGERPRINT = ".mpf"  # of what `modelprov fingerprint` writes
ADAPTER = "adapter_model.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""Endings of what torch.save writes (`checkpoints.torch_files`): read where there is nothing else."""
DEFAULTS = ("model", "diffusion_pytorch_model", "pytorch_model")
"""Stems of the files that loaders take unasked, the usual one first."""
SINGLE = f"{DEFAULTS[0]}{WEIGHTS}"
"""The whole model in one file. Beside an index that does not name it, it is another (`checkpoints.single_file`)."""

VARIANT = r"(?:non_|no_)?ema|b?f(?:p|loat)?(?:8|16|32|64)|bfloat16|half|fp8_\w+|u?int[48]|[48]-?bit|pruned"
NAME = re.compile(
    rf"(?P<stem>.+?)(?:\.(?P<early>{VARIANT}))?(?:-(?P<number>\d+)(?:-of-(?P<total>\d+))?)?"
    rf"(?:\.(?P<late>{VARIANT}))?"
    r"(?P<ending>\.safetensors|\.bin|\.pth?|\.ckpt|\.pkl|\.pickle)"
)
INDEX = re.compile(
    rf"(?P<stem>.+?)(?:\.(?P<early>{VARIANT}))?(?P<ending>\.safetensors|\.bin)\.index(?:\.(?P<late>[\w-]+))?\.json"
)
ADAPTERS = re.compile(r"adapter_model\b.*|(?:pytorch_)?lora(?:_weights)?\b.*|.+_lora", re.IGNORECASE)
TRAINING = re.compile(
    r"(?:optim(?:izer)?|scheduler|lr_scheduler|random_states?|rng_states?|training_(?:state|args)|trainer_state"
    r"|grad_?scaler)(?:[-_.\d].*)?",
    re.IGNORECASE,
)
SECOND = re.compile(r"consolidated(?:[-_.\d].*)?")
ASK = "Give the path of the one you mean."


@dataclass(frozen=True, slots=True)
class Choice:
    """The files of a model: `index` names them, or else they are `weights`; both by their names in the folder."""

    index: str | None
    weights: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    stem: str
    variant: str | None
    number: str | None
    total: str | None
    ending: str = WEIGHTS

    @property
    def second(self) -> bool:
        """Whether it is a copy in its maker's own format."""
        return SECOND.fullmatch(self.stem) is not None


def is_index(name: str) -> bool:
    """Whether a file of this name is an index of shards."""
    return INDEX.fullmatch(name) is not None


def is_adapter(name: str) -> bool:
    """Whether a weights file of this name holds an adapter, not a model."""
    return name.endswith((WEIGHTS, *PICKLES)) and ADAPTERS.fullmatch(name.rpartition(".")[0]) is not None


def is_training_state(name: str) -> bool:
    """Whether a weights file of this name holds what a training run needs to go on, not a model."""
    return name.endswith((WEIGHTS, *PICKLES)) and TRAINING.fullmatch(name.rpartition(".")[0]) is not None


def is_second_copy(name: str) -> bool:
    """Whether a weights file of this name is in its maker's own format, as Mistral and Meta call them."""
    return _file(name).second


def choose(folder: object, names: Iterable[str]) -> Choice | None:
    """The files of the model in a folder with files of these names; None where there are none.

    Raises `InvalidCheckpointError` where several could be meant and none is the default.
    """
    ordered = sorted(names)
    return _choose(folder, ordered, (WEIGHTS,)) or _choose(folder, ordered, PICKLES)


def _choose(folder: object, ordered: Sequence[str], endings: tuple[str, ...]) -> Choice | None:
    indexes = [index for name in ordered if is_index(name) and (index := _index(name)).ending in endings]
    files = [_file(name) for name in ordered if name.endswith(endings)]
    files = [file for file in files if not is_adapter(file.name) and not is_training_state(file.name)]
    plain = [index for index in indexes if index.variant is None and not index.second]
    if plain:
        return Choice((_usual(plain) or _only(folder, "indexes", plain)).name, ())
    if default := _usual([file for file in files if file.variant is None and file.number is None]):
        return Choice(None, (default.name,))
    whole = [file for file in files if file.variant is None and not file.second]
    if whole and endings == PICKLES:  # anything may be in a pickle: a table of words, data
        whole = [file for file in whole if file.stem in DEFAULTS] or [_only(folder, "files of torch.save", whole)]
    if whole:
        return _together(files if endings != PICKLES else whole, whole)
    for second in (True, False):
        for found, what in ((indexes, "indexes"), (files, "variants of the weights")):
            of_kind = [file for file in found if file.second is second]
            if of_kind and found is indexes:
                return Choice(_only(folder, what, of_kind).name, ())
            if of_kind:
                return _variant(folder, what, of_kind)
    return None


def left_out(names: Iterable[str], used: Sequence[str], index: str | None = None) -> list[str]:
    """Sentences that name the weights files of a folder that were not read, by what they are.

    `SINGLE` beside an index is left to whoever reads its header.
    """
    endings = (WEIGHTS,) if all(name.endswith(WEIGHTS) for name in used) else (WEIGHTS, *PICKLES)
    others = sorted({name for name in names if name.endswith(endings)} - set(used))
    notes = []
    adapters = [name for name in others if is_adapter(name)]
    training = [name for name in others if is_training_state(name)]
    rest = [name for name in others if name not in adapters and name not in training]
    variants = [name for name in rest if _file(name).variant is not None]
    copies = [name for name in rest if name not in variants and _file(name).second]
    rest = [name for name in rest if name not in variants and name not in copies]
    if adapters:
        lies = "lies" if len(adapters) == 1 else "lie"
        were = "was not read; merge it" if len(adapters) == 1 else "were not read; merge them"
        notes.append(f"{few(adapters)} {lies} beside the weights and {were} first if the model needs it")
    if copies:
        notes.append(f"second copies of the weights, not read: {few(copies)}")
    if variants:
        notes.append(f"other variants of the weights, not read: {few(variants)}; give the path of the one you mean")
    if training:
        notes.append(f"the state of a training run, not read: {few(training)}")
    if index is not None and SINGLE in rest:
        rest.remove(SINGLE)
    if rest:
        why = f"not named by {index} and not read" if index is not None else "beside the default file and not read"
        notes.append(f"{why}: {few(rest)}")
    return notes


def few(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    return ", ".join(map(quoted, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def _together(files: Sequence[_File], whole: Sequence[_File]) -> Choice:
    """No index and no default file: every file belongs, but for other sets of shards and variants of what is there."""
    usual = next((stem for stem in DEFAULTS if any(file.stem == stem for file in whole)), None)
    sets = {file.stem for file in whole if file.total is not None}
    stems = {file.stem for file in whole}
    chosen = [
        file
        for file in files
        if not file.second
        and not (usual in sets and file.total is not None and file.stem != usual)
        and not (file.variant is not None and (file.stem in stems or usual is not None))
    ]
    return Choice(None, tuple(file.name for file in chosen), tuple(_incomplete(chosen)))


def _incomplete(files: Sequence[_File]) -> Iterable[str]:
    """What names like `model-00001-of-00003` promise and is not there."""
    sets: dict[tuple[str, str | None, str], int] = {}
    for file in files:
        if file.total is not None:
            key = (file.stem, file.variant, file.total)
            sets[key] = sets.get(key, 0) + 1
    for (stem, _, total), count in sets.items():
        if total.isdecimal() and len(total) < 10 and count < int(total):
            yield f"by their names there are {int(total):,} files {quoted(stem)}; {count:,} are here, and no index"


def _variant(folder: object, what: str, files: Sequence[_File]) -> Choice:
    """Only copies or variants are there: the one kind that there is, named aloud."""
    kinds = {file.variant for file in files}
    if None in kinds:
        chosen = [file for file in files if file.variant is None]
        return Choice(None, tuple(file.name for file in chosen), tuple(_incomplete(chosen)))
    if len(kinds) > 1:
        raise InvalidCheckpointError(
            f"{folder} has several {what} and no default: {few([file.name for file in files])}", ASK
        )
    note = f"the variant {quoted(next(iter(kinds)))} is all that is here; there is no default file"
    return Choice(None, tuple(file.name for file in files), (note, *_incomplete(files)))


def _usual(files: Sequence[_File]) -> _File | None:
    """The file that loaders take unasked."""
    return next((file for stem in DEFAULTS for file in files if file.stem == stem), None)


def _only(folder: object, what: str, files: Sequence[_File]) -> _File:
    if len(files) > 1:
        names = ", ".join(quoted(file.name) for file in files)
        raise InvalidCheckpointError(f"{folder} has several {what}: {names}", ASK)
    return files[0]


def _file(name: str) -> _File:
    found = NAME.fullmatch(name)
    if found is None:  # a line break in a name, for one
        return _File(name, name.rpartition(".")[0], None, None, None)
    variant = found["early"] or found["late"]
    return _File(name, found["stem"], variant, found["number"], found["total"], found["ending"])


def _index(name: str) -> _File:
    found = INDEX.fullmatch(name)
    assert found is not None
    return _File(name, found["stem"], found["early"] or found["late"], None, None, found["ending"])
