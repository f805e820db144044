"""The job of `modelprov inspect`: a checkpoint in, what it is out. Writes and shows nothing."""

from __future__ import annotations

from modelprov.checkpoints.digests import weights_digest
from modelprov.checkpoints.inspection import Inspection, inspect_checkpoint
from modelprov.checkpoints.opening import open_adapter
from modelprov.errors import MissingBaseError
from modelprov.jobs.arguments import Location, text_of
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.merge.virtual import open_any
from modelprov.progress import SILENT, Progress


@shown_in_notebooks
def inspect(checkpoint: Location, *, digest: bool = False, progress: Progress = SILENT) -> Inspection:
    """Say what a checkpoint is: parameters, formats, layers, experts, shards, digests. Reads headers only.

    Args:
        checkpoint: A folder, a .safetensors file, an org/name on the Hugging Face Hub (or in its local cache), an
            address (https://, s3://, gs://), or a merge recipe. An adapter is shown on its base, or alone where that
            is not on this machine.
        digest: Also hash every byte of the weights (reads all of them), for `weights_digest`.
        progress: Hears how far the hashing has come; by default nobody does, and in a notebook a bar.

    Returns:
        The inspection: `parameters` counts elements, `bytes` is the size of the shards, `components` and `dtypes` have
        the elements of each, `weights_digest` is a SHA-256 in hexadecimal, or None without
        `digest`. `save("model.html")` writes it, also as .json or .md.

    Raises:
        CheckpointNotFoundError: nothing is at the location.
        ModelprovError: the checkpoint cannot be read; its subclasses say why.

    Example:
        found = modelprov.inspect("rio")
        print(found.parameters, found.layers, found.digest)

    """
    location = text_of(checkpoint)
    try:
        opened = open_any(location)
    except MissingBaseError:
        opened = open_adapter(location)
    found = inspect_checkpoint(opened)
    if not digest:
        return found
    progress.stage("hashing", sum(shard.size for shard in opened.shards))
    return found.model_copy(update={"weights_digest": weights_digest(opened, progress.advance)})
