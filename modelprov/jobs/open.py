"""The job `modelprov.open`: a location in, an open checkpoint out. Reads headers only."""

from __future__ import annotations

from modelprov.checkpoints.types import Checkpoint
from modelprov.jobs.arguments import Location, text_of
from modelprov.merge.virtual import open_any


def open(checkpoint: Location, *, label: str | None = None) -> Checkpoint:  # noqa: A001  (the public name)
    """Open a checkpoint: which tensors it has, in which shards, and where their bytes are. Reads headers only.

    Args:
        checkpoint: A folder, a .safetensors file, an org/name on the Hugging Face Hub (or in its local cache), an
            address (https://, s3://, gs://), BASE+ADAPTER, or a merge recipe, which opens as the merge it describes.
        label: What to call it; None for its name.

    Returns:
        The checkpoint: `parameters` counts its elements, `tensors` holds one by name (`dtype`; `shape` in elements, and
        `count` of them; bytes `start` to `stop` of the file `shards[shard]`), `config` is its config.json, `notes` what
        opening found odd. Nothing has to be closed.

    Raises:
        CheckpointNotFoundError: nothing is at the location.
        ModelprovError: the checkpoint cannot be read; its subclasses say why.

    Example:
        rio = modelprov.open("rio")
        print(rio.label, rio.parameters)
        for tensor in rio.tensors.values():
            print(tensor.name, tensor.dtype, tensor.shape)

    """
    return open_any(text_of(checkpoint), label)
