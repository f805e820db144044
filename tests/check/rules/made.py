"""Claims and measurements for tests of rules: the Rio case unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from modelprov.check.interface import Candidate, Claims, Declared, Measured, ProseClaim
from modelprov.check.results import Lineage, Location

NEX = Candidate("nex-agi/Nex-N2-Pro", "nex", "/models/nex", declared=False, license="apache-2.0")
QWEN = Candidate("Qwen/Qwen3.5", "qwen", "/models/qwen", declared=True, license="apache-2.0")
CARD = "README.md"


def at(line: int) -> Location:
    return Location(file=CARD, line=line)


def claims(**changes: Any) -> Claims:
    """A card that names Qwen alone and calls the model a finetune."""
    front = {
        "card": CARD,
        "base_models": (Declared("Qwen/Qwen3.5", at(3)),),
        "license": Declared("mit", at(2)),
    }
    return Claims(**{**front, **changes})


def said(kind: str, text: str = "It was so made.", *, testable: bool = True, line: int = 20) -> ProseClaim:
    return ProseClaim(kind, text, at(line), testable)


def lineage(verdict: str = "merge", **changes: Any) -> Lineage:
    """The plain merge 0.6 Nex + 0.4 Qwen, reproduced to the last bit."""
    found: dict[str, Any] = {
        "verdict": verdict,
        "summary": f"the weights are a {verdict}",
        "compared": ("nex", "qwen"),
        "parents": ("nex", "qwen"),
        "strangers": (),
        "shares": {"nex": 0.6, "qwen": 0.4},
        "recipe": "0.6 × nex + 0.4 × qwen",
        "bit_equal": 1.0,
        "command": "modelprov compare rio nex qwen",
    }
    return Lineage(**{**found, **changes})


def measured(**changes: Any) -> Measured:
    return replace(
        Measured(
            folder=Path("/models/rio"),
            label="rio",
            digest=None,
            candidates=(NEX, QWEN),
            lineage=lineage(),
            recipe_equal={},
            hidden_prompts=(),
            code_files=(),
            pickles=(),
            problems=(),
            missing={},
        ),
        **changes,
    )
