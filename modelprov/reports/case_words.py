"""What a case says in words: a claim each for weights, names and scores. Formats, computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelprov.reports import evaluation, probing_words, sections
from modelprov.reports import numbers as n

if TYPE_CHECKING:
    from modelprov.reports.case import Case

NOT_SHOWN = (
    "Who made the model, with what permission, or why. Neither weights nor answers know.",
    "Anything about models that were not among those compared.",
    "How much of a parent is in the weights, from the names it says: a name flips like a switch. The share comes from "
    "the weights.",
    "That two models score alike because one was made from the other, or the reverse.",
)


def claims(case: Case) -> tuple[str, ...]:
    """What the weights show, what the model says with and without its hidden prompt, how it scores."""
    found = [f"Weights: {sections.summary(case.weights)}"]
    if case.probe is not None:
        found.append(f"Names: {_hidden(case)}{probing_words.summary(case.probe)}")
    if case.evaluation is not None:
        said = evaluation.headline(case.evaluation)
        found.append(f"Scores: {_scores(case)} {said.text}")
    return tuple(n.clean(text) for text in found)


def _hidden(case: Case) -> str:
    suspect = next((one for one in case.probe.models if one.role == "suspect"), None) if case.probe else None
    texts = dict.fromkeys(one.text.strip() for one in suspect.hidden_prompts) if suspect is not None else {}
    quoted = ", ".join(f"“{' '.join(text.split())}”" for text in texts)
    return f"the chat template adds {quoted} by itself. " if quoted else ""


def _scores(case: Case) -> str:
    rows = case.evaluation.rows if case.evaluation is not None else ()
    suspect = sections.suspect(case.weights)
    mine = [f"{one.right} of {one.answers} right with {one.method}" for one in rows if one.model == suspect]
    return f"{suspect} gets {', '.join(mine)}." if mine else ""
