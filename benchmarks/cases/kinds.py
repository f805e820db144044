"""What a kind of case is: its truth, which classes are right, which are an error. The list is filled by its neighbours.

Truth is `positive` (the suspect descends from the parents: a merge, a copy, one in disguise), `negative` (it does not,
or not in the way that is alleged), or `limit`: histories that weights alone cannot tell from a merge.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from modelprov.demo.writing import Weights
from tests.generated import Rng

ACCUSATIONS = frozenset({"copy", "merge"})
"""What accuses: both are exact, and end with exit code 1."""
NAMED = "on-line"
"""What asks for a look: of an innocent model it is counted by itself, as named on a line."""
NEVER = {"negative": ACCUSATIONS, "limit": ACCUSATIONS, "positive": frozenset({"unrelated"})}


@dataclass(frozen=True)
class Case:
    """The suspect and its parents (the reference last), and controls."""

    models: tuple[Weights, ...]
    about: str = ""
    controls: tuple[Weights, ...] = ()
    alpha: float | None = None
    """The first parent's nominal weight, where an interval should contain it."""
    never: frozenset[str] = frozenset()
    """Classes that are an error for this case, beyond those of its kind."""


@dataclass(frozen=True)
class Kind:
    """Cases of one sort: how many, what they truly are, which classes are right.

    A class in `never`, and a summary in which one of the patterns `unsaid` is found, is an error; what is neither that
    nor `expected` is merely wrong.
    """

    make: Callable[[Rng], Case]
    cases: int
    truth: str
    expected: frozenset[str]
    never: frozenset[str]
    unsaid: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The function's name in words."""
        return self.make.__name__.replace("_", " ")

    @property
    def theme(self) -> str:
        """The file's name in words, joined by hyphens."""
        return self.make.__module__.rsplit(".", 1)[-1].replace("_", "-")

    def error(self, class_: str, summary: str) -> bool:
        """Whether this must not be said of a case of this kind."""
        return class_ in self.never or any(re.search(pattern, summary) for pattern in self.unsaid)


KINDS: list[Kind] = []


def kind(
    cases: int, truth: str, *expected: str, never: frozenset[str] | None = None, unsaid: tuple[str, ...] = ()
) -> Callable[[Callable[[Rng], Case]], Callable[[Rng], Case]]:
    """Put a case function on the list; without `never`, the errors are those of the truth."""

    def register(make: Callable[[Rng], Case]) -> Callable[[Rng], Case]:
        KINDS.append(Kind(make, cases, truth, frozenset(expected), NEVER[truth] if never is None else never, unsaid))
        return make

    return register


def chosen(words: list[str]) -> list[Kind]:
    """The kinds whose theme or name is among the words, in which hyphens stand for blanks; all without words."""
    known = {kind.theme for kind in KINDS} | {kind.name.replace(" ", "-") for kind in KINDS}
    unknown = [word for word in words if word not in known]
    if unknown:
        raise SystemExit(f"no kind or theme {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [kind for kind in KINDS if not words or {kind.theme, kind.name.replace(" ", "-")} & set(words)]
