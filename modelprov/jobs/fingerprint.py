"""The job of `modelprov fingerprint`: a model in, a small file out that `compare` takes in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelprov.called import called
from modelprov.checkpoints.fingerprint_contents import Contents
from modelprov.checkpoints.fingerprint_file import fingerprint_bytes
from modelprov.checkpoints.layouts.files import FINGERPRINT
from modelprov.checkpoints.remote.locations import OnHub, parse
from modelprov.checkpoints.types import Checkpoint, RefusedTensor, TensorRef
from modelprov.errors import UsageError
from modelprov.forensics.fingerprint import take
from modelprov.jobs.arguments import Location, path_of, refuse_below, text_of
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.merge.virtual import open_any
from modelprov.progress import SILENT, Progress
from modelprov.reports.writing import write_atomically
from modelprov.shares import rough_percent


@dataclass(frozen=True)
class Fingerprinted:
    """What a fingerprint holds, and so gives away: `file` has `bytes`; `weight_bytes` of `of_bytes` are weights' own.

    They lie in `blocks` blocks, and in `embeddings`, rows of so many tokens; `profiles` is the number of sizes of rows
    and columns, `overlaps` that of matrices of which it says how they overlap.
    """

    file: Path
    name: str
    bytes: int
    weight_bytes: int
    of_bytes: int
    blocks: int
    embeddings: int
    profiles: int
    overlaps: int
    tokenizer: bool
    config: bool

    @property
    def share(self) -> float:
        """Share of the weights that is in the file, 0 to 1."""
        return self.weight_bytes / self.of_bytes

    def said(self) -> tuple[str, ...]:
        """What was written, and what whoever has it learns, in lines."""
        told = (("its config", self.config), ("its tokenizer's hash", self.tokenizer))
        beside = "".join(f", {word}" for word, there in told if there)
        return (
            f"wrote {self.file}: {self.bytes:,} bytes",
            f"Whoever has it learns {rough_percent(self.share)} of the weights ({self.weight_bytes:,} bytes in "
            f"{self.blocks:,} blocks and the embeddings of {self.embeddings:,} tokens), the sizes of "
            f"{self.profiles:,} rows and columns, how {self.overlaps:,} matrices overlap, the names and shapes of all "
            f"tensors{beside}; with it nobody can run the model",
        )


@shown_in_notebooks
def fingerprint(
    model: Location, output: Location, *, size: int | None = None, seed: int = 0, name: str | None = None,
    progress: Progress = SILENT,
) -> Fingerprinted:  # fmt: skip
    """Take the fingerprint of a model: a file of a few MB that `compare` and `inspect` take in the model's place.

    Args:
        model: A folder, a .safetensors file, an org/name on the Hugging Face Hub (or in its local cache), an address
            (https://, s3://, gs://), or a merge recipe. Of one that is elsewhere only what is kept is fetched, and some
            whole matrices, at most 400 MB, for the sizes of their rows and columns and how they overlap.
        output: Where to write it: a name that ends in .mpf.
        size: Bytes of weights that it holds, about; None for 4 MB, of models below 400 MB a hundredth, and 256 kB at
            least.
        seed: Chooses the places. Only fingerprints with one seed can be compared with each other; models themselves
            can be compared with any.
        name: What it says it is of; None for org/name, or the folder's name.
        progress: Hears how far it has come; by default nobody does, and in a notebook a bar.

    Returns:
        What was written, with what it gives away: `share` of the weights (0 to 1), `bytes`, `blocks`.

    Raises:
        UsageError: the arguments do not fit together, or the model is a fingerprint.
        CheckpointNotFoundError: nothing is at the location.
        ModelprovError: the model cannot be read; its subclasses say why.

    Example:
        made = modelprov.fingerprint("rio", "rio.mpf")
        print(made.bytes, made.share)
        print(modelprov.compare("rio.mpf", "nex", "qwen").verdict.summary)

    """
    path = path_of(output)
    if path.suffix != FINGERPRINT:
        raise UsageError(f"{path} does not end in {FINGERPRINT}", f"Give {called('output')} a name that does.")
    if not path.parent.is_dir():
        raise UsageError(f"the folder {path.parent} does not exist", "Create it, or write the fingerprint elsewhere.")
    refuse_below(1, size=size)
    refuse_below(0, seed=seed)
    location = text_of(model)
    progress.stage("opening the checkpoint")
    opened = open_any(location)
    contents = take(opened, name or name_for(location, opened), size, seed, progress)
    return written(contents, opened, path)


def name_for(location: str, opened: Checkpoint) -> str:
    """What a fingerprint says it is of: a repository by its name, anything else by its last part; no paths."""
    meant = parse(location) if opened.folder is None or opened.revision is not None else None
    return meant.repository if isinstance(meant, OnHub) else opened.label


def written(contents: Contents, opened: Checkpoint, path: Path) -> Fingerprinted:
    """Write a fingerprint, whole or not at all, and say what it holds."""
    data = fingerprint_bytes(contents)
    write_atomically(path, data)
    stored: tuple[TensorRef | RefusedTensor, ...] = (*opened.tensors.values(), *opened.refused.values())
    return Fingerprinted(
        file=path,
        name=contents.name,
        bytes=len(data),
        weight_bytes=len(contents.weights) + (0 if contents.rows is None else len(contents.rows.data)),
        of_bytes=sum(each.stop - each.start for each in stored),
        blocks=len(contents.blocks),
        embeddings=0 if contents.rows is None else len(contents.rows.tokens),
        profiles=sum(map(len, contents.sizes.values())),
        overlaps=0 if contents.overlaps is None else len(contents.overlaps.names),
        tokenizer=contents.tokenizer is not None,
        config=contents.config is not None,
    )
