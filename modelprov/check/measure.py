"""Measures a model folder for a check: opens it and the candidates, and asks each measurement in turn.

What cannot be measured is said by topic (`Measured.missing`); only faults of the arguments are errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from modelprov.behavior.probing.template_files import code_in
from modelprov.check.interface import Candidate, Claims, Measured, Problem
from modelprov.check.measuring.config import config_problems, tokenizer_problems
from modelprov.check.measuring.lineage import Ancestry, measure_lineage
from modelprov.check.measuring.recipes import measure_recipes
from modelprov.check.measuring.template import hidden_prompts
from modelprov.check.read_claims import read_claims
from modelprov.check.results import Input, Location
from modelprov.checkpoints.digests import MANIFEST_COVERS, WEIGHTS_COVER, manifest_digest, weights_digest
from modelprov.checkpoints.labels import default_label, unique_labels
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import CheckpointNotFoundError, InvalidCheckpointError, ModelprovError, UsageError
from modelprov.forensics.compare import Comparison, Options, Progress
from modelprov.forensics.reproduce import Limits

PICKLE = "pickle"
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


def measure(location: str, claims: Claims, request: Request, progress: Progress) -> Taken:
    """Measure the model in the folder `location`.

    Raises `UsageError` for a candidate or control that the user named and that is not there, and what reading raises.
    """
    folder = Path(location)
    missing: dict[str, str] = {}
    problems: list[Problem] = []
    progress.stage("opening checkpoints")
    try:
        model: Checkpoint | None = open_checkpoint(location)
    except CheckpointNotFoundError:
        raise
    except InvalidCheckpointError as error:
        model = None
        problems.append(Problem(error.message, Location(file="."), "files", type(error).__name__))
        missing |= dict.fromkeys(("lineage", "recipe", "config", "tokenizer", "digest"), "the weights cannot be read")
    except ModelprovError as error:
        model = None
        missing |= dict.fromkeys(("lineage", "recipe", "config", "tokenizer", "digest", "files"), error.message)
    candidates, opened = _candidates(claims, request.candidates, missing)
    controls = _controls(request.controls, [one.label for one in candidates])
    ancestry = Ancestry(None, {})
    recipes: dict[str, float] = {}
    digest: str | None = None
    if model is not None:
        model = replace(model, label=unique_labels([location, *(one.label for one in candidates)])[0])
        ancestry = measure_lineage(model, opened, controls, request.options, progress)
        places = {one.name: one.location for one in candidates if one.location is not None}
        limits = Limits(request.options.memory, request.options.threads, request.options.seed)
        recipes, why = measure_recipes(model, claims.recipes, places, folder, limits, progress)
        missing |= ancestry.missing | why
        problems += config_problems(model)
        digest = _digest(model, request.expected_digest, problems, progress)
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
        recipe_equal=recipes,
        hidden_prompts=hidden,
        code_files=tuple(f"{one.file} ({one.what})" for one in code if PICKLE not in one.what),
        pickles=tuple(one.file for one in code if PICKLE in one.what),
        problems=tuple(problems),
        missing=missing,
    )
    inputs = [*([_input(model, "model", None)] if model is not None else [])]
    inputs += [_input(checkpoint, "candidate", candidate) for candidate, checkpoint in opened]
    inputs += [_input(one, "control", None) for one in controls]
    if digest is not None and inputs:
        inputs[0] = inputs[0].model_copy(update={"digest": digest, "digest_covers": WEIGHTS_COVER})
    return Taken(measured, tuple(inputs), ancestry.comparison)


def _candidates(
    claims: Claims, given: Sequence[str], missing: dict[str, str]
) -> tuple[list[Candidate], list[tuple[Candidate, Checkpoint]]]:
    """Every declared base model and every model that the user named, opened where they are on this machine."""
    named = dict(_name_and_place(one) for one in given)
    declared = [one.value for one in claims.base_models]
    for name in declared:
        known = next((one for one in named if one.casefold() == name.casefold()), None)
        if known is None:
            named[name] = name
    wanted = {name.casefold() for name in declared}
    labels = unique_labels([name.rstrip("/") for name in named])
    candidates, opened = [], []
    for (name, place), label in zip(named.items(), labels, strict=True):
        is_declared = name.casefold() in wanted
        try:
            checkpoint = open_checkpoint(place, label)
        except CheckpointNotFoundError as error:
            if not is_declared or place != name:
                raise UsageError(f"the candidate {place} is not there: {error.message}", error.advice) from error
            missing[label] = f"{name} is not on this machine"
            candidates.append(Candidate(name, label, None, is_declared))
            continue
        except ModelprovError as error:
            missing[label] = error.message
            candidates.append(Candidate(name, label, None, is_declared))
            continue
        card = read_claims(checkpoint.shards[0].path.parent)
        licence = card.license.value if card.license is not None else None
        scores = tuple(one for one in card.scores if one.model is None)
        candidates.append(Candidate(name, label, place, is_declared, licence, scores))
        opened.append((candidates[-1], checkpoint))
    return candidates, opened


def _controls(given: Sequence[str], taken: Sequence[str]) -> list[Checkpoint]:
    labels = unique_labels([*taken, *given])[len(taken) :]
    return [open_checkpoint(place, label) for place, label in zip(given, labels, strict=True)]


def _name_and_place(given: str) -> tuple[str, str]:
    """`NAME=CKPT`, or a place that is its own name."""
    name, equals, place = given.partition("=")
    return (name, place) if equals and name and place else (given, given)


def _digest(model: Checkpoint, expected: str | None, problems: list[Problem], progress: Progress) -> str | None:
    """The digest of every byte, if one is expected; a difference is a problem."""
    if expected is None:
        return None
    progress.stage("hashing every byte", sum(shard.size for shard in model.shards))
    found = weights_digest(model, progress.advance)
    if found != expected.removeprefix("sha256:").lower():
        message = f"the weights have the digest {found}, expected was {expected}"
        problems.append(Problem(message, Location(file="."), "digest", "weights"))
    return found


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
