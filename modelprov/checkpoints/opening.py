"""Opens a checkpoint: finds its shards, reads their headers and config. No tensor data is read here, nothing decoded.

A location is a folder (with an index or without), one `.safetensors` file, an index file, or a Hugging Face repository
id that is already in the local cache. Shards are never guessed from file names: the index names them, or else every
`*.safetensors` file of the folder belongs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from modelprov.checkpoints.files import Folder, read_small_file, unreadable
from modelprov.checkpoints.header import Header, read_headers
from modelprov.checkpoints.labels import default_label
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.checkpoints.types import Checkpoint, RefusedTensor, TensorRef
from modelprov.errors import (
    CheckpointNotFoundError,
    DuplicateTensorError,
    InvalidCheckpointError,
    MissingShardError,
    UnsupportedFormatError,
)
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted

INDEX_SUFFIX = ".safetensors.index.json"
DEFAULT_INDEX = "model" + INDEX_SUFFIX
ADAPTER = "adapter_model.safetensors"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
MAX_JSON_BYTES = 200_000_000
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
CONVERT = (
    "Convert it to safetensors in a place you trust, e.g. with transformers: "
    "`AutoModelForCausalLM.from_pretrained(folder).save_pretrained(new_folder)`."
)
MERGE_ADAPTER = (
    "Merge the LoRA into its base first, e.g. with peft: "
    "`AutoPeftModelForCausalLM.from_pretrained(folder).merge_and_unload().save_pretrained(new_folder)`."
)


def open_checkpoint(location: str, label: str | None = None) -> Checkpoint:
    """The checkpoint at `location`, by its headers alone; `label` names it in tables (default: the path's last part).

    Raises `CheckpointNotFoundError`, `UnsupportedFormatError`, `UnreadableFileError`, or an `InvalidCheckpointError`
    that says which rule is broken (`ForeignLinkError` for links out of the folder; what `location` names may be one).
    """
    path = _locate(location)
    home = Folder.of(path if path.is_dir() else path.parent)
    notes: list[str] = []
    names, index = _shards(path, home, notes)
    source = LocalFiles(home.path, names)  # before anything is read: whatever changes from here on shows
    headers = read_headers(source)
    source.close()
    tensors, refused = _collect(headers)
    if index is not None:
        _check_index(index, headers, notes)
    if tensors and all("lora_" in name for name in tensors):
        raise UnsupportedFormatError(f"{location} holds a LoRA adapter, not a model", MERGE_ADAPTER)
    metadata: dict[str, str] = {}
    for header in headers:
        metadata |= header.metadata
    return Checkpoint(
        label=label or default_label(location),
        location=location,
        tensors=tensors,
        shards=tuple(header.shard for header in headers),
        source=source,
        config=_config(home),
        revision=_revision(home.path),
        metadata=metadata,
        refused=refused,
        notes=tuple(notes),
        folder=home.path,
    )


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a small file; raises `InvalidCheckpointError` when it is anything else."""
    try:
        value = parse_json(read_small_file(path, MAX_JSON_BYTES))
    except JsonError as error:
        raise InvalidCheckpointError(f"{path} is not valid JSON ({error})", "Download this file again.") from error
    if not isinstance(value, dict):
        raise InvalidCheckpointError(f"{path} does not hold a JSON object", "Download this file again.")
    return value


def _locate(location: str) -> Path:
    """The file or folder meant by `location`; a repository id is looked up in the local Hugging Face cache."""
    path = Path(location)
    with suppress(RuntimeError):  # a home that nobody has: then the name is taken as it stands
        path = path.expanduser()
    try:
        if path.exists():
            return path
    except ValueError as error:
        raise CheckpointNotFoundError(f"{location!r} is not a usable path ({error})", "Check the spelling.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if REPOSITORY.fullmatch(location):
        return _cached_snapshot(location)
    raise CheckpointNotFoundError(
        f"nothing is at {location!r}", "Give a folder, a .safetensors file, or a repository id (org/name) in the cache."
    )


def _cached_snapshot(location: str) -> Path:
    """The cached folder of `org/name[@revision]`; nothing is downloaded."""
    from huggingface_hub import snapshot_download

    repository, _, revision = location.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision or None, local_files_only=True))
    # LocalEntryNotFoundError is an OSError and HFValidationError a ValueError, in every version of the library.
    except (OSError, ValueError) as error:
        command = f"hf download {repository}" + (f" --revision {revision}" if revision else "")
        raise CheckpointNotFoundError(
            f"{location!r} is neither a local path nor in the local Hugging Face cache",
            f"Download it first: `{command}`. Reading straight from the Hub is not built yet.",
        ) from error


def _shards(path: Path, home: Folder, notes: list[str]) -> tuple[list[str], Mapping[str, str] | None]:
    """The names of all shards in the folder, and the index's map from tensor to shard where there is one."""
    if path.is_file() and not path.name.endswith(INDEX_SUFFIX):
        if path.suffix != ".safetensors":
            raise _not_safetensors(path, [path])
        if path.name == ADAPTER:
            raise UnsupportedFormatError(f"{path} is a LoRA adapter, not a model", MERGE_ADAPTER)
        return [path.name], None
    try:
        files = sorted(path.iterdir()) if path.is_dir() else []
    except OSError as error:
        raise unreadable(path, error) from error
    weights = [file for file in files if file.name.endswith(".safetensors")]
    index_path = path if path.is_file() else _index_of(path, files)
    if index_path is not None:
        if index_path is not path:
            home.check(index_path)
        index = _read_index(index_path)
        named = sorted(set(index.values()), key=PurePosixPath)
        for shard in named:
            if not _exists(home.path / shard):
                raise MissingShardError(
                    f"{index_path} names {quoted(_last(shard))}, which is missing",
                    "Download the missing file, or all of them.",
                )
            home.check(home.path / shard)
        unnamed = sorted({file.name for file in weights} - set(map(_last, named)))
        if unnamed:
            notes.append(f"not named by {index_path.name} and not read: {_few(unnamed)}")
        return named, index
    models = [file for file in weights if file.name != ADAPTER]
    if not models:
        raise _not_safetensors(path, files)
    if len(models) < len(weights):
        notes.append(f"{ADAPTER} lies beside the weights and was not read; merge it first if the model needs it")
    for file in models:
        home.check(file)
    return [file.name for file in models], None


def _exists(shard: Path) -> bool:
    """Whether a file is there; a name that no system can hold names none."""
    try:
        return shard.exists()
    except (OSError, ValueError):
        return False


def _few(names: list[str]) -> str:
    return ", ".join(map(quoted, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _index_of(folder: Path, files: list[Path]) -> Path | None:
    """The index that says which files belong: the usual one, else the only one."""
    indexes = [file for file in files if file.name.endswith(INDEX_SUFFIX)]
    for index in indexes:
        if index.name == DEFAULT_INDEX or len(indexes) == 1:
            return index
    if indexes:
        names = ", ".join(index.name for index in indexes)
        raise InvalidCheckpointError(f"{folder} has several indexes: {names}", "Give the path of the one you mean.")
    return None


def _read_index(path: Path) -> dict[str, str]:
    """Tensor name to shard's name, which stays inside the folder."""
    weight_map = read_json_object(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InvalidCheckpointError(f"{path} has no weight_map", "Download this file again.")
    if not all(isinstance(file, str) for file in weight_map.values()):
        raise InvalidCheckpointError(f"{path} names a shard that is not a text", "Download this file again.")
    for file in set(weight_map.values()):
        inside = PurePosixPath(file)
        if not file or inside.is_absolute() or ".." in inside.parts or "\\" in file or not file.isprintable():
            raise InvalidCheckpointError(
                f"{path} names {quoted(file)}, which is outside the folder", "Do not trust this checkpoint."
            )
    names = {file: str(PurePosixPath(file)) for file in set(weight_map.values())}
    return {tensor: names[file] for tensor, file in weight_map.items()}


def _last(name: str) -> str:
    return PurePosixPath(name).name


def _stored(header: Header) -> Iterator[TensorRef | RefusedTensor]:
    yield from header.tensors
    yield from header.refused


def _collect(headers: Sequence[Header]) -> tuple[dict[str, TensorRef], dict[str, RefusedTensor]]:
    """All tensors by name, in file order; two shards with one name are an error."""
    tensors: dict[str, TensorRef] = {}
    refused: dict[str, RefusedTensor] = {}
    for header in headers:
        for stored in _stored(header):
            earlier = tensors.get(stored.name) or refused.get(stored.name)
            if earlier is not None:
                raise DuplicateTensorError(
                    f"tensor {quoted(stored.name)} is in {headers[earlier.shard].shard.file_name} "
                    f"and in {header.shard.file_name}",
                    "Remove the files that do not belong, or add an index that names the right ones.",
                )
            if isinstance(stored, TensorRef):
                tensors[stored.name] = stored
            else:
                refused[stored.name] = stored
    return tensors, refused


def _check_index(index: Mapping[str, str], headers: Sequence[Header], notes: list[str]) -> None:
    """The index and the headers agree: what is named is there; what is there but not named is kept and noted."""
    where = {stored.name: header.shard.name for header in headers for stored in _stored(header)}
    absent = [name for name, shard in index.items() if where.get(name) != shard]
    if absent:
        raise MissingShardError(
            f"the index says that {quoted(absent[0])} is in {quoted(_last(index[absent[0]]))}, which does not hold it"
            + (f" (nor {len(absent) - 1} more)" if len(absent) > 1 else ""),
            "Download the shards and their index again, from one revision.",
        )
    extra = [name for name in where if name not in index]
    if extra:
        notes.append(
            f"{len(extra)} tensors are stored but not named by the index, e.g. {quoted(extra[0])}; they are included"
        )


def _not_safetensors(place: Path, files: list[Path]) -> UnsupportedFormatError | CheckpointNotFoundError:
    """Why there is nothing to read: what the folder holds instead."""
    kinds = Counter(file.suffix.lower() for file in files)
    names = {file.name for file in files}
    if names & {ADAPTER, "adapter_config.json", "adapter_model.bin"}:
        return UnsupportedFormatError(f"{place} holds a LoRA adapter, not a model", MERGE_ADAPTER)
    if kinds[".gguf"]:
        return UnsupportedFormatError(
            f"{place} holds GGUF weights, which are quantised or reordered", "Compare the safetensors release instead."
        )
    if any(kinds[suffix] for suffix in PICKLES):
        return UnsupportedFormatError(
            f"{place} holds pickled weights, which can run code when opened; they are never opened here", CONVERT
        )
    return CheckpointNotFoundError(
        f"no .safetensors file in {place}", "Give the folder that holds the weights, or one .safetensors file."
    )


def _config(home: Folder) -> dict[str, Any] | None:
    path = home.path / "config.json"
    if not path.exists():
        return None
    home.check(path)
    return read_json_object(path)


def _revision(folder: Path) -> str | None:
    """The commit, when the folder is a snapshot in a Hugging Face cache."""
    for path in (folder.absolute(), folder.resolve()):
        if path.parent.name == "snapshots" and COMMIT.fullmatch(path.name):
            return path.name
    return None
