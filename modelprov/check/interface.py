"""What rules look at and what they give: claims as read, the model as measured. Data only; reads no files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from modelprov.check.results import Claim, Finding, Lineage, Location, NotJudged, Severity

Outcome = Finding | NotJudged | Claim
ITSELF = "it is the folder that is checked"
EQUAL = "its weights are those of"
OTHER_SHAPE = "no tensor has the same name and shape"
NO_PARENT = (ITSELF, EQUAL, OTHER_SHAPE)
"""How reasons begin why a candidate was not compared that is no parent beside those that were."""


@dataclass(frozen=True)
class Declared:
    """A value of the card's front matter, and where it stands."""

    value: str
    location: Location


@dataclass(frozen=True)
class ProseClaim:
    """A sentence of the card that claims something about how the model was made.

    `kind`: from-scratch, post-trained, distilled, finetuned, merged, quantised, or another word; `testable`: whether
    weights can contradict it.
    """

    kind: str
    text: str
    location: Location
    testable: bool


@dataclass(frozen=True)
class Score:
    """A number of a benchmark table: `model` is the column's heading, or None where it means the card's own model."""

    benchmark: str
    model: str | None
    value: float
    location: Location


@dataclass(frozen=True)
class ClaimedRecipe:
    """A merge config or receipt that lies in the folder: `kind` says which; `path` is relative.

    `path` is the card's where the recipe stands in its front matter or in a code block (`location` has the line).
    """

    kind: Literal["mergekit config", "modelprov recipe", "merge receipt"]
    path: str
    content: Mapping[str, Any]
    location: Location | None = None


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file: in one sentence, where, and by topic (card, config, tokenizer, digest, files).

    `about` names the subject where the message has numbers that may change from run to run.
    """

    message: str
    location: Location
    topic: str = "card"
    about: str = ""


@dataclass(frozen=True)
class Claims:
    """Everything the publisher says in the model's folder, as read; nothing is believed.

    `card` is the name of the card's file, None where there is none; `front` its front matter as plain data. `license`
    holds the names with commas between where the card gives several.
    """

    card: str | None = None
    front: Mapping[str, Any] = field(default_factory=dict)
    base_models: tuple[Declared, ...] = ()
    relation: Declared | None = None
    license: Declared | None = None
    license_name: Declared | None = None
    license_link: Declared | None = None
    library: Declared | None = None
    tags: tuple[Declared, ...] = ()
    prose: tuple[ProseClaim, ...] = ()
    scores: tuple[Score, ...] = ()
    recipes: tuple[ClaimedRecipe, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A possible parent: named by the card (`declared`), by the user, or by a recipe in the folder.

    `location` is None where it is not on this machine; `license` is its card's, None where unknown; `label` names it in
    tables and in `Lineage.parents`. `bases` are the base models that its own card declares.
    """

    name: str
    label: str
    location: str | None
    declared: bool
    license: str | None = None
    scores: tuple[Score, ...] = ()
    bases: tuple[str, ...] = ()


@dataclass(frozen=True)
class HiddenPrompt:
    """An instruction that the chat template adds by itself: the text and in which file."""

    text: str
    file: str
    identity: bool


@dataclass(frozen=True)
class Measured:
    """The model as measured; what was not measured stands in `missing` with its reason, by topic.

    Topics: lineage, recipe (or "recipe PATH"), template, config, tokenizer, digest, files, and a candidate's label.
    `recipe_equal`: share of the weights that hold the bits which a claimed recipe makes, by its path; `recipe_doubts`
    why less than all proves nothing (inputs or arithmetic are not settled), by its path.
    """

    folder: Path
    label: str
    digest: str | None
    candidates: tuple[Candidate, ...]
    lineage: Lineage | None
    recipe_equal: Mapping[str, float]
    hidden_prompts: tuple[HiddenPrompt, ...]
    code_files: tuple[str, ...]
    pickles: tuple[str, ...]
    problems: tuple[Problem, ...]
    missing: Mapping[str, str]
    recipe_doubts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """One rule: its `id` such as MP101 is stable for ever, its page is `docs/rules/ID.md`.

    `name` is in words with hyphens, `title` one sentence, `severity` what counts unless a policy says otherwise.
    """

    id: str
    name: str
    title: str
    severity: Severity
    judge: Callable[[Claims, Measured], list[Outcome]]
