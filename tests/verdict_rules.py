"""Which rules the room of the verdict has, read from its sources: for tests that hold tables against them."""

from __future__ import annotations

import re
from pathlib import Path

import modelprov.forensics.judging

SOURCE = "".join(
    path.read_text(encoding="utf-8") for path in sorted(Path(modelprov.forensics.judging.__file__).parent.glob("*.py"))
)


def rules() -> set[str]:
    """The name of every rule that some line gives a decision, or returns."""
    return set(re.findall(r'(?:inconclusive\(|Decision\(VerdictClass\.\w+,|return)\s*"([a-z-]+)"', SOURCE))


def classes() -> set[tuple[str, str]]:
    """Each class of verdict by its constant, and a rule that leads to it; what bits alone settle is a merge."""
    named = set(re.findall(r'VerdictClass\.([A-Z_]+), "([a-z-]+)"', SOURCE))
    return named | {("MERGE", rule) for rule in ("reproduced", "exact-to-rounding") if f'return "{rule}"' in SOURCE}
