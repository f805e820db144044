"""What `modelprov verify` gives back: whether a checkpoint is what a recipe makes, and of what that was found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelprov import __version__
from modelprov.checkpoints.types import Checkpoint
from modelprov.forensics.search.reproduce import Verification
from modelprov.merge.planned import MergePlan
from modelprov.savable import Page

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Verified(Page):
    """What was found, and of what: the suspect as opened, the file of the recipe, and the plan that it makes.

    `about` says what was compared: locations, digests of samples, the recipe, the arithmetic, notes; `started` is when.
    """

    verification: Verification
    suspect: Checkpoint
    recipe: Path
    plan: MergePlan
    about: Mapping[str, Any]
    started: str

    @property
    def reproduced(self) -> bool:
        """Whether every element of the suspect was compared and holds the expected bits."""
        return self.verification.reproduced


def render_json(found: Verified) -> str:
    """The verification as JSON, with what was compared."""
    data = {"schema": SCHEMA, "modelprov": __version__, **found.about, **found.verification.model_dump(mode="json")}
    return json.dumps(data, indent=2) + "\n"
