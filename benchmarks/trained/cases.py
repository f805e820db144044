"""Labelled triples of a family: who is accused of coming from whom, what is true, which classes are right. Data only.

Truths as in `benchmarks/cases/kinds.py`: `negative` (no merge of these), `limit` (not merged, but on the line by
another history, so that `on-line` is right), `positive` (merged). In no case but the exact ones of `adapter scales` and
`merges of the same parents` is `merge` or `copy` right for what was not merged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.cases.kinds import ACCUSATIONS
from benchmarks.trained.merging import AFTERWARDS, FIRST, RECIPES, SECOND, SHARED, THIRD, parents_of

ORDER, HALF, OTHER, TEXT = "tune in another order", "tune on half", SECOND, THIRD
SEED, START = "base of another seed", "base of one start"
SIBLING = ("same-origin", "inconclusive")
ON_LINE = ("on-line", *SIBLING)
MERGED = ("merge", "on-line", "inconclusive")


@dataclass(frozen=True)
class Kind:
    """Triples of one truth; `never` are errors, what is neither that nor expected is merely wrong."""

    truth: str
    expected: tuple[str, ...]
    cases: tuple[tuple[str, ...], ...]

    @property
    def never(self) -> frozenset[str]:
        """False accusations, or a false all-clear of what was merged."""
        wrong = frozenset({"unrelated", "copy"}) if self.truth == "positive" else ACCUSATIONS
        return wrong - set(self.expected)


def _with(parents: tuple[str, ...], *suspects: str) -> tuple[tuple[str, ...], ...]:
    return tuple((suspect, *parents) for suspect in suspects)


def _linear() -> Iterator[tuple[str, ...]]:
    for name in RECIPES:
        if name.startswith(("linear", "task arithmetic", "gradient")) and name != "task arithmetic beyond":
            yield f"merge: {name}", *parents_of(name)
    yield "merge: linear", FIRST, SECOND, "base"
    yield "merge: linear odd", FIRST, THIRD, "base"


KINDS: dict[str, Kind] = {
    "other learning rates": Kind(
        "limit",
        ON_LINE,
        (
            *_with((FIRST, "base"), "tune at 0.5", "tune at 0.7", "tune at 1.5"),
            (FIRST, "tune at 2", "base"),
            (FIRST, "tune at 0.5", "base"),
            ("tune at 0.7", "tune at 2", "base"),
            ("tune at 0.7", "tune at 0.5", "tune at 2"),
            ("tune at 0.7", FIRST),
            ("adapter at 0.5", "adapter", "base"),
            ("further a little", "further on other data", FIRST),
        ),
    ),
    "stages of a run": Kind(
        "limit",
        ON_LINE,
        (
            *_with((FIRST, "base"), "tune after 12", "tune after 24", "tune after 36", "tune after 46"),
            (FIRST, "tune after 24", "base"),
            ("tune after 24", "tune after 12", "tune after 36"),
            ("tune after 36", FIRST),
            ("base after 150", "base", "base after 100"),
            (FIRST, "base", "base after 150"),
            ("base after 100", "base"),
        ),
    ),
    "averages of a run": Kind(
        "limit",
        ON_LINE,
        (
            *_with((FIRST, "base"), "average of a run", "fading average of a run"),
            ("average of a run", FIRST, "tune after 24"),
            ("average of a run", "tune after 46", "tune after 40"),
        ),
    ),
    "adapter scales": Kind(
        "limit",
        ("merge", *ON_LINE),
        (
            ("adapter times 0.5", "adapter", "base"),
            ("adapter", "adapter times 1.5", "base"),
            ("adapter times 0.5", "adapter times 1.5", "base"),
            ("adapter", "adapter times 0.5", "base"),
            ("adapter", "adapter times 0.5", "adapter times 1.5"),
            ("base", "adapter", "adapter times 1.5"),
        ),
    ),
    "merges of the same parents": Kind(
        "limit",
        ("merge", *ON_LINE),
        (
            ("merge: linear of tenths", "merge: linear", SECOND),
            ("merge: linear", "merge: linear of tenths", FIRST),
        ),
    ),
    "almost the same training": Kind(
        "limit",
        ON_LINE,
        (
            *_with((FIRST, "base"), "tune by adam", "tune with dropout", "tune in bf16"),
            *((FIRST, parent, "base") for parent in ("tune by adam", "tune in bf16")),
            ("tune with dropout", "tune with other dropout", "base"),
            ("tune with dropout", FIRST, "tune with other dropout"),
        ),
    ),
    "another optimiser": Kind(
        "negative",
        SIBLING,
        (
            ("tune by sgd", FIRST, "base"),
            (FIRST, "tune by sgd", "base"),
            ("tune by sgd", FIRST, OTHER, "base"),
        ),
    ),
    "siblings": Kind(
        "negative",
        SIBLING,
        (
            *_with((FIRST, "base"), ORDER, HALF, OTHER, TEXT, "adapter"),
            (FIRST, HALF, "base"),
            (FIRST, "adapter", "base"),
            (OTHER, TEXT, "base"),
            (ORDER, FIRST),
            ("adapter in another order", "adapter", "base"),
            ("adapter on other data", "adapter", "base"),
        ),
    ),
    "third siblings": Kind(
        "negative",
        SIBLING,
        (
            *_with((FIRST, OTHER, "base"), HALF, TEXT, "adapter"),
            *_with((FIRST, OTHER), HALF, TEXT),
            (ORDER, FIRST, HALF, "base"),
        ),
    ),
    "trained further": Kind(
        "negative",
        ON_LINE,
        (
            *_with((FIRST, "base"), "further", "further on other data", "further a little"),
            ("further", "further on other data", "base"),
            (FIRST, "further", "base"),
            (FIRST, "further a little", "base"),
            ("base further", "base", FIRST),
            (FIRST, "base further", "base"),
        ),
    ),
    "altered": Kind(
        "negative",
        ON_LINE,
        (
            *_with((FIRST, "base"), "rounded to 8 bits", "rounded to 4 bits", "pruned", "pruned and trained"),
            *_with((FIRST, "base"), "trained for 8 bits", "trained for 4 bits", "tune of attention"),
            (FIRST, "rounded to 8 bits", "base"),
            (FIRST, "pruned", "base"),
            ("rounded to 4 bits", "rounded to 8 bits", "base"),
            ("pruned", "rounded to 8 bits", FIRST),
        ),
    ),
    "distilled": Kind("negative", SIBLING, (("distilled", FIRST, "base"), (FIRST, "distilled", "base"))),
    "the base accused": Kind(
        "negative",
        SIBLING,
        (("base", FIRST, OTHER), ("base", FIRST, "further"), ("base", "tune at 0.5", "tune at 2")),
    ),
    "strangers": Kind(
        "negative",
        ("unrelated",),
        (
            (SEED, "base", FIRST),
            (SEED, "base"),
            ("tune of another seed", FIRST, "base"),
            ("tune of another seed", FIRST),
            ("distilled by a stranger", FIRST, "base"),
        ),
    ),
    "one start, trained apart": Kind(
        "negative",
        ("unrelated", *SIBLING),
        (
            (START, "base", FIRST),
            ("base at another rate", "base", FIRST),
            ("tune of one start", FIRST, "base"),
            ("base at another rate", "base"),
        ),
    ),
    "a parent of its merge": Kind(
        "negative",
        ON_LINE,
        (
            (FIRST, "merge: linear", SECOND),
            (THIRD, "merge: linear odd", FIRST),
            ("base", "merge: linear with base", FIRST),
            (THIRD, "merge: linear of three", FIRST, SECOND),
            (FIRST, "merge: task arithmetic", SECOND, "base"),
            (FIRST, "merge: slerp", SECOND),
            (FIRST, "merge: ties", "base"),
            (FIRST, "merge: dare_linear", "base"),
            (FIRST, "linear trained 8", SECOND),
        ),
    ),
    "linear merges": Kind("positive", ("merge",), tuple(_linear())),
    "other merges": Kind(
        "positive",
        MERGED,
        tuple(
            (f"merge: {name}", *parents_of(name))
            for name in ("task arithmetic beyond", "slerp", "slerp of half", "ties", "dare_linear", "dare_ties")
        ),
    ),
    "merges trained afterwards": Kind(
        "positive",
        MERGED,
        tuple(
            (f"{name} trained {steps}", *parents)
            for name in SHARED
            for steps in AFTERWARDS
            for parents in ((FIRST, SECOND), (FIRST, SECOND, "base"))
        ),
    ),
}
