"""Everything that can go wrong, as one small tree; each error says what happened and what to do next.

Nothing here knows about checkpoints, statistics or terminals. The command line turns these into words and an exit
code in one place (`modelprov.cli`).
"""

from __future__ import annotations


class ModelprovError(Exception):
    """Base of all expected failures: `message` says what happened, `advice` what to do next.

    `exit_code` is the process exit status: 2 for bad usage or input, 3 for "could not judge".
    """

    exit_code = 2

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class UsageError(ModelprovError):
    """The arguments do not fit together."""


class CheckpointNotFoundError(ModelprovError):
    """Nothing that can be read as a checkpoint is at the given place."""


class UnsupportedFormatError(ModelprovError):
    """The weights are in a form that cannot be compared honestly (pickle, FP8 without scales, GPTQ, ...)."""


class MissingBaseError(UnsupportedFormatError):
    """An adapter's base is not named, or not on this machine: without it there are no weights. `base` is its name."""

    def __init__(self, message: str, advice: str = "", *, base: str = "") -> None:
        super().__init__(message, advice)
        self.base = base


class InvalidCheckpointError(ModelprovError):
    """A checkpoint contradicts itself: lying header, truncated shard, missing shard, duplicate tensor."""


class InvalidHeaderError(InvalidCheckpointError):
    """A safetensors header that breaks the format's rules."""


class TruncatedShardError(InvalidCheckpointError):
    """A shard holds fewer bytes than its header promises."""


class MissingShardError(InvalidCheckpointError):
    """The index names a shard, or a tensor in it, that is not there."""


class DuplicateTensorError(InvalidCheckpointError):
    """Two shards claim the same tensor."""


class InvalidFingerprintError(InvalidCheckpointError):
    """A file is no fingerprint, or it was cut short, changed, or written by another version."""


class InvalidLibraryError(ModelprovError):
    """The index of a library cannot be followed, or a file is another one than it says."""


class NotInFingerprintError(ModelprovError):
    """Weights were asked for that a fingerprint does not hold."""


class ForeignLinkError(InvalidCheckpointError):
    """A file of a checkpoint is a link that leads out of the checkpoint's folder."""


class ChangedFileError(ModelprovError):
    """A file is no longer what it was when the run opened it, or wrote it: what was made of it counts for nothing."""


class InUseError(UsageError):
    """Another run is writing what this one was asked to write."""


class InvalidSumsError(ModelprovError):
    """A file is none of partial sums, or it was cut short, changed, or written by another version."""


class OtherRunError(ModelprovError):
    """Partial sums are of other weights, or of a run that was asked something else."""


class IncompletePartsError(ModelprovError):
    """Parts of a run do not make one whole: some are missing, or one is given twice."""


class UnreadableFileError(ModelprovError):
    """The operating system refused to read or write a file."""


class RemoteError(ModelprovError):
    """A checkpoint that is not on this machine could not be read: the base of what can go wrong on the way."""


class RemoteNotFoundError(RemoteError, CheckpointNotFoundError):
    """The server has no such repository, revision or file."""


class GatedError(RemoteError):
    """The repository asks for an agreement that this account has not made."""


class PrivateError(RemoteError):
    """The server shows this to nobody without an account: it is private, or not there."""


class TokenRejectedError(RemoteError):
    """The server does not take the token."""


class OfflineError(RemoteError, CheckpointNotFoundError):
    """Only what is on this machine may be read, and this is not."""


class UnreachableError(RemoteError, CheckpointNotFoundError):
    """No answer, or none that makes sense, however often the server was asked."""


class NoRangesError(RemoteError):
    """The server sends whole files only, or other bytes than those asked for."""


class BudgetSpentError(RemoteError):
    """The run would fetch more than it was allowed to; nothing was concluded."""

    exit_code = 3


class MergeError(ModelprovError):
    """The models of a recipe cannot be merged as it says (missing tensor, other shape, too little memory or disk)."""


class NonFiniteOutputError(MergeError):
    """A merge would hold infinities or NaN where every model's weight is finite."""


class ClusterError(ModelprovError):
    """A cluster could not be reached, or lost a task again and again."""


class EndpointError(ModelprovError):
    """A served model did not answer as asked.

    `status` is the HTTP status, None where there was none; `passing` says that the same request may succeed later.
    """

    def __init__(self, message: str, advice: str = "", *, status: int | None = None, passing: bool = False) -> None:
        super().__init__(message, advice)
        self.status = status
        self.passing = passing


class CouldNotJudgeError(ModelprovError):
    """There is no evidence to judge by (nothing aligned, nothing finite)."""

    exit_code = 3


class InterruptedRunError(ModelprovError):
    """The user stopped the run; nothing was written."""

    exit_code = 130
