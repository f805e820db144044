"""Labelled trials: a suspect, whom it is said to come from, the controls, and what is true. Data only.

`derived`: something of the parent's weights is in the suspect. `strangers`: nothing is, and nothing but what the
controls have too is in common; "answers like" is a wrong answer. `other history`: no weights of the parent are in the
suspect, but one of the histories that the report names is true (common ancestor, its answers, its data).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.answering.family import APART, BASES

SEEDS = range(BASES)


@dataclass(frozen=True)
class Trial:
    """One question to the test."""

    kind: str
    truth: str
    suspect: str
    parent: str
    controls: tuple[str, ...]


def trials(count: int) -> Iterator[Trial]:
    """All of them, with so many controls each; controls are drawn by turns from the seeds that are not involved."""
    for a in SEEDS:
        others = [*SEEDS[a + 1 :], *SEEDS[:a]]
        bases, first, second = (
            [name.format(each) for each in others] for name in ("base {}", "tune {} on 1", "tune {} on 2")
        )

        def derived(kind: str, suspect: str, parent: str, controls: list[str]) -> Trial:
            return Trial(kind, "derived", suspect, parent, tuple(controls[:count]))

        tuned, other, base = f"tune {a} on 1", f"tune {a} on 2", f"base {a}"
        yield derived("finetune of the parent", tuned, base, bases)
        yield derived("finetune of the parent", other, base, bases)
        yield derived("trained further on other data", f"further {a}", tuned, first)
        yield derived("two finetunes later", f"further {a}", base, bases)
        yield derived("linear merge, 0.6 of the parent", f"merge {a}", tuned, first)
        yield derived("linear merge, 0.4 of the parent", f"merge {a}", other, second)
        yield derived("linear merge with the base, 0.3", f"merge with base {a}", tuned, first)
        yield derived("rounded to 8 bits", f"rounded {a} to 8 bits", tuned, first)
        yield derived("rounded to 4 bits", f"rounded {a} to 4 bits", tuned, first)
        yield derived("pruned by 30 %", f"pruned {a}", tuned, first)

        yield Trial("finetune of the same base, other data", "other history", other, tuned, tuple(first[:count]))
        student = f"distilled {a}"  # of tune a, begun from the next base
        left = [each for each in first if each != f"tune {(a + 1) % BASES} on 1"]
        yield Trial("distilled from the parent's answers", "other history", student, tuned, tuple(left[:count]))

        for b in others:
            rest = [each for each in others if each != b]
            named = [
                [name.format(each) for each in rest][:count] for name in ("base {}", "tune {} on 1", "tune {} on 2")
            ]
            yield Trial("base of another seed, same data", "strangers", base, f"base {b}", tuple(named[0]))
            yield Trial("finetune of another seed's base", "strangers", tuned, f"base {b}", tuple(named[0]))
            yield Trial("finetunes of two seeds, same data", "strangers", tuned, f"tune {b} on 1", tuple(named[1]))
            yield Trial("finetunes of two seeds, other data", "strangers", other, f"tune {b} on 1", tuple(named[1]))
            yield Trial(
                "rounded, another seed's", "strangers", f"rounded {a} to 4 bits", f"tune {b} on 1", tuple(named[1])
            )
            yield Trial(
                "same finetuning data, which no control had", "other history", tuned, f"tune {b} on 1", tuple(named[2])
            )
    for a, b in itertools.product(range(APART), SEEDS):
        rest = [f"base {each}" for each in SEEDS if each != b][:count]
        yield Trial("of another language", "strangers", f"apart {a}", f"base {b}", tuple(rest))
