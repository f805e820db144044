"""Which methods run under which budgets, and the control that SwiReasoning never goes without. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelprov.behavior.generation.interface import LATENT, METHODS, Method, SwiReasoning
from modelprov.errors import UsageError

CONTROL = "cot-budget"
SPOKEN = {"swir": "SwiReasoning", "soft-gumbel": "soft thinking", "multiplex": "Multiplex Thinking"}
ANSWER_TOKENS = SwiReasoning.answer_budget


@dataclass(frozen=True)
class Condition:
    """One method under one budget of tokens (None: just `max_new_tokens`), asked `samples` times a question."""

    method: Method
    budget: int | None
    samples: int

    @property
    def label(self) -> str:
        """The method's name, with its budget where there are several: `swir @128`."""
        return self.method.name if self.budget is None else f"{self.method.name} @{self.budget}"


def plan(
    names: Sequence[str],
    budgets: Sequence[int],
    samples: int,
    settings: Mapping[str, Any],
    answer_tokens: int | None = None,
) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
    """Every method under every budget, and what a reader must be told about that choice.

    A budget is the most tokens of an answer, thinking included, the same for every method. Budget-forced chain of
    thought stops thinking `answer_tokens` before that (a quarter of the budget, at most `ANSWER_TOKENS`, unless given),
    so that room for an answer is left; too much of it makes a weak control. A greedy method gives the same answer every
    time and is asked once.
    """
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise UsageError(f"there is no method {unknown[0]!r}", f"Methods are {', '.join(METHODS)}.")
    if any(budget < 2 for budget in budgets):
        raise UsageError("a budget must be at least 2 tokens", "Give one to think and one to answer.")
    chosen, notes = list(dict.fromkeys(names)), []
    latent = ", ".join(SPOKEN[name] for name in LATENT if name in chosen)
    if latent and budgets and CONTROL not in chosen:
        chosen.append(CONTROL)
        notes.append(
            f"{CONTROL} (chain of thought cut off at the same budgets) was added: without this control a gain of "
            f"{latent} under a budget cannot be told from the gain of stopping in time."
        )
    if latent and not budgets and CONTROL not in chosen:
        notes.append(
            f"{latent} ran without its control, chain of thought under the same budget. Give --budget to see "
            "whether a gain is more than that of stopping in time."
        )
    limits: tuple[int | None, ...] = tuple(dict.fromkeys(budgets)) or (None,)
    conditions = [_condition(name, limit, samples, settings, answer_tokens) for limit in limits for name in chosen]
    if samples > 1 and any(one.samples == 1 for one in conditions):
        notes.append("Greedy methods give the same answer every time; they were asked once a question.")
    return tuple(conditions), tuple(notes)


def _condition(
    name: str, budget: int | None, samples: int, settings: Mapping[str, Any], answer_tokens: int | None
) -> Condition:  # fmt: skip
    from modelprov.behavior.generation.generate import method_of

    given = dict(settings)
    if budget is not None:
        reserve = min(ANSWER_TOKENS, max(1, budget // 4)) if answer_tokens is None else answer_tokens
        given |= {"max_new_tokens": budget, "thinking_budget": max(1, budget - reserve)}
    method = method_of(name, **given)
    return Condition(method, budget, 1 if method.sampling.greedy else samples)
