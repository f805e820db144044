"""Measures a model folder for a check: opens it and the candidates, and asks each measurement in turn.

What cannot be measured is said by topic (`Measured.missing`); only faults of the arguments are errors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from modelprov.behavior.probing.template_files import code_in
from modelprov.called import called
from modelprov.check.interface import Candidate, Claims, Measured, Problem
from modelprov.check.measuring.candidates import name_and_place, open_candidates, open_controls
from modelprov.check.measuring.config import config_problems, tokenizer_problems
from modelprov.check.measuring.lineage import Ancestry, measure_lineage
from modelprov.check.measuring.recipes import Remade, measure_recipes
from modelprov.check.measuring.template import hidden_prompts
from modelprov.check.results import Input, Location
from modelprov.checkpoints.digests import MANIFEST_COVERS, WEIGHTS_COVER, manifest_digest, weights_digest
from modelprov.checkpoints.labels import default_label, unique_labels
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote.source import is_far
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import (
    CheckpointNotFoundError,
    InvalidCheckpointError,
    MissingBaseError,
    ModelprovError,
    UsageError,
)
from modelprov.foreign.shown import quoted
from modelprov.forensics.compare import Comparison, Options
from modelprov.forensics.search.reproduce import Limits
from modelprov.progress import Progress

PICKLE = "pickle"
ADAPTED = (
    "the model is an adapter, trained on {base} by its config: put on a base, its weights are that base's whatever it "
    "was trained on, so that they show no origin"
)
FAR = "the weights are elsewhere, and this takes all of them: download the model, check its folder"
Role = Literal["model", "candidate", "control"]


@dataclass(frozen=True)
class Request:
    """What to measure with: candidates and controls as `[NAME=]CKPT`; `expected_digest` of the weights, or None."""

    candidates: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    expected_digest: str | None = None
    options: Options = field(default_factory=Options)


@dataclass(frozen=True)
class Taken:
    """The measurements, the checkpoints they were taken from, and the comparison behind the lineage (or None)."""

    measured: Measured
    inputs: tuple[Input, ...]
    comparison: Comparison | None


def _sampled(request: Request, compared: Sequence[Checkpoint]) -> Request:
    """The request, for a sample where anything that the model is compared with is not on this machine."""
    if not any(is_far(checkpoint.source) for checkpoint in compared):
        return request
    return replace(request, options=replace(request.options, sample=True))


def measure(location: str, claims: Claims, request: Request, progress: Progress, beside: Path | None = None) -> Taken:
    """Measure the model at `location`; the files beside its weights lie in `beside`, where it is elsewhere.

    Raises `UsageError` for a candidate or control that the user named and that is not there, and what reading raises.
    """
    expected = _expected(request.expected_digest)
    folder = beside or Path(location)
    missing: dict[str, str] = {}
    problems: list[Problem] = []
    progress.stage("opening checkpoints")
    try:
        model: Checkpoint | None = _opened(location, request.candidates)
    except CheckpointNotFoundError:
        raise
    except InvalidCheckpointError as error:
        model = None
        problems.append(Problem(error.message, Location(file="."), "files", type(error).__name__))
        missing |= dict.fromkeys(("lineage", "recipe", "config", "tokenizer"), "the weights cannot be read")
    except ModelprovError as error:
        model = None
        missing |= dict.fromkeys(("lineage", "recipe", "config", "tokenizer", "files"), error.message)
    if expected is not None and model is None:
        missing["digest"] = "the weights cannot be read"
    candidates, opened = open_candidates(folder, claims, request.candidates, missing, location, progress)
    controls = open_controls(request.controls, [one.label for one in candidates])
    ancestry = Ancestry(None, {})
    remade = Remade()
    digest: str | None = None
    compared = [*(checkpoint for _, checkpoint in opened), *controls]
    request = _sampled(request, compared if model is None else [model, *compared])
    if model is not None:
        model = replace(model, label=unique_labels([location, *(one.label for one in candidates)])[0])
        ancestry, remade = _origin(model, (candidates, opened, controls), claims, folder, request, progress)
        missing |= ancestry.missing | remade.missing
        problems += config_problems(model)
        if expected is not None and is_far(model.source):
            missing["digest"] = FAR
        else:
            digest = _digest(model, expected, problems, progress)
        try:
            problems += tokenizer_problems(folder, model)
        except ModelprovError as error:
            missing["tokenizer"] = error.message
        if model.config is None:
            missing["config"] = "there is no config.json"
    try:
        hidden, failed = hidden_prompts(folder)
    except ModelprovError as error:
        hidden, failed = (), error.message
    if failed:
        missing["template"] = failed
    code = code_in(folder)
    measured = Measured(
        folder=folder,
        label=model.label if model is not None else default_label(location),
        digest=digest,
        candidates=tuple(candidates),
        lineage=ancestry.lineage,
        recipe_equal=remade.equal,
        hidden_prompts=hidden,
        code_files=tuple(f"{one.file} ({one.what})" for one in code if PICKLE not in one.what),
        pickles=tuple(one.file for one in code if PICKLE in one.what),
        problems=tuple(problems),
        missing=missing,
        recipe_doubts=remade.doubts,
    )
    return Taken(measured, _inputs(model, digest, opened, controls), ancestry.comparison)


def _origin(
    model: Checkpoint, others: tuple[list[Candidate], list[tuple[Candidate, Checkpoint]], list[Checkpoint]],
    claims: Claims, folder: Path, request: Request, progress: Progress,
) -> tuple[Ancestry, Remade]:  # fmt: skip
    """Where the weights came from, and the recipes made again; `others` are the candidates, those opened, controls."""
    candidates, opened, controls = others
    if model.adapter_on is not None:
        why = ADAPTED.format(base=quoted(model.adapter_on))
        return Ancestry(None, {"lineage": why}), Remade(missing={"recipe": why})
    ancestry = measure_lineage(model, opened, controls, request.options, progress)
    if is_far(model.source):
        return ancestry, Remade(missing={"recipe": FAR} if claims.recipes else {})
    places = {one.name: one.location for one in candidates if one.location is not None}
    limits = Limits(request.options.memory, request.options.threads, request.options.seed)
    return ancestry, measure_recipes(model, claims.recipes, places, folder, limits, progress)


def _opened(location: str, candidates: Sequence[str]) -> Checkpoint:
    """The model; an adapter on the base that its config names, here or where a candidate of that name is."""
    try:
        return open_checkpoint(location)
    except MissingBaseError as error:
        for name, place in map(name_and_place, candidates):
            if name.casefold() == error.base.casefold():
                return open_checkpoint(f"{place}+{location}")
        raise


def _expected(given: str | None) -> str | None:
    """The digest as this program writes it; raises `UsageError` for text that is none: a slip is no finding."""
    if given is None:
        return None
    digest = given.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise UsageError(
            f"{called('expected_digest')} {given!r} is no SHA-256 (64 digits and letters a to f)",
            f"`modelprov inspect` says it, where it is given {called('digest')}.",
        )
    return digest


def _digest(model: Checkpoint, expected: str | None, problems: list[Problem], progress: Progress) -> str | None:
    """The digest of every byte, if one is expected; a difference is a problem."""
    if expected is None:
        return None
    progress.stage("hashing every byte", sum(shard.size for shard in model.shards))
    found = weights_digest(model, progress.advance)
    if found != expected:
        message = f"the weights have the digest {found}, expected was {expected}"
        problems.append(Problem(message, Location(file="."), "digest", "weights"))
    return found


def _inputs(
    model: Checkpoint | None, digest: str | None, opened: Sequence[tuple[Candidate, Checkpoint]],
    controls: Sequence[Checkpoint],
) -> tuple[Input, ...]:  # fmt: skip
    """Everything that was read; the model's digest is that of every byte where one was expected."""
    inputs = [_input(checkpoint, "candidate", candidate) for candidate, checkpoint in opened]
    inputs += [_input(one, "control", None) for one in controls]
    if model is not None:
        own = _input(model, "model", None)
        if digest is not None:
            own = own.model_copy(update={"digest": digest, "digest_covers": WEIGHTS_COVER})
        inputs.insert(0, own)
    return tuple(inputs)


def _input(checkpoint: Checkpoint, role: Role, candidate: Candidate | None) -> Input:
    return Input(
        label=checkpoint.label,
        role=role,
        location=checkpoint.location,
        revision=checkpoint.revision,
        digest=manifest_digest(checkpoint),
        digest_covers=MANIFEST_COVERS,
        declared=candidate.declared if candidate is not None else False,
        license=candidate.license if candidate is not None else None,
    )
