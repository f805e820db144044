"""The steps of each job that takes long, by the beginnings of the stages that every run of it has. Data only.

`probe`, `evaluate` and `attest` announce theirs (`progress.announce`): they hang on the models given.
"""

from __future__ import annotations

from collections.abc import Mapping

_OPENED = ("opening checkpoints", "loading")
_MEASURED = ("aligning tensors", "taking a first look", "reading ")
_TAKEN = ("opening the checkpoint", "reading headers", "reading blocks", "measuring rows and columns")


STEPS: Mapping[str, tuple[str, ...]] = {
    "compare": (*_OPENED, *_MEASURED, "judging", "assembling the report"),
    "add": (*_OPENED, "aligning tensors", "taking a first look", "judging", "assembling the report"),
    "recheck": ("comparing anew", *_MEASURED, "judging"),
    "compare_part": (*_OPENED, *_MEASURED, "writing the sums"),
    "check": ("opening checkpoints", "sample of ", "holding the claims"),
    "merge": ("opening models", "telling the models apart", "merging", "finishing"),
    "verify": ("opening models", "aligning tensors", "comparing every weight"),
    "fingerprint": _TAKEN,
    "library add": _TAKEN,
    "identify": ("opening the suspect and the library", "reading the places", "looking for "),
    "atlas": ("opening the library", "reading the places", "judging "),
}
"""By the name of the job; `library build` has a place among its models instead."""
