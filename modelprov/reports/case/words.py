"""What a case says in words: a few sentences each for weights, claims, names, scores. Formats, computes nothing."""

from __future__ import annotations

from modelprov.reports import numbers as n
from modelprov.reports.case import models as case_models
from modelprov.reports.case.parts import Case
from modelprov.reports.checking import words as checking
from modelprov.reports.comparison import beginning, meaning
from modelprov.reports.evaluation import words as evaluation
from modelprov.reports.probing import words as probing_words

NOT_SHOWN = (
    "Who made the model, with what permission, or why. Neither weights nor answers know.",
    "Anything about models that were not among those compared.",
    "How much of a parent is in the weights, from the names it says: a name flips like a switch. The share comes from "
    "the weights.",
    "That two models score alike because one was made from the other, or the reverse.",
)
NO_WEIGHTS = "Where the weights came from is not settled here: no report of `modelprov compare` is part of this page."
MEANING = (
    "The weights decide where the model came from. What it says, how it scores and what its card claims stand beside "
    "that and prove nothing alone."
)


def claims(case: Case) -> tuple[str, ...]:
    """What weights and card say, what the model says with and without its hidden prompt, how it scores."""
    found = []
    if case.weights is not None:
        notes = " ".join(meaning.notes(case.weights))
        found.append(f"Weights: {beginning.summary(case.weights)} {notes}".rstrip())
    if case.check is not None:
        found.append(f"Claims: {_contradicted(case)}")
    if case.probe is not None:
        found.append(f"Names: {_hidden(case)}{probing_words.summary(case.probe)}")
    if case.evaluation is not None:
        said = evaluation.headline(case.evaluation)
        found.append(f"Scores: {_scores(case)} {said.text}")
    return tuple(n.clean(" ".join(text.split())) for text in found)


def notes(case: Case) -> tuple[str, ...]:
    """What a reader must be told before anything else."""
    found = list(case_models.match(case).warnings)
    if case.weights is None:
        found.append(NO_WEIGHTS)
    if case.missing:
        found.append(f"Names and scores are left out: {n.clean(case.missing)}")
    return tuple(found)


def _contradicted(case: Case) -> str:
    report = case.check
    if report is None:
        return ""
    first = next(iter(checking.counted(report)), None)
    told = f" {first.message.rstrip('. ')}." if first is not None else ""
    required = next((one for one in report.not_judged if one.required), None)
    lacking = f" Not judged: {required.reason.rstrip('. ')}." if required is not None else ""
    return f"{checking.headline(report).lower() if first else checking.headline(report)}.{told}{lacking}"


def _hidden(case: Case) -> str:
    suspect = next((one for one in case.probe.models if one.role == "suspect"), None) if case.probe else None
    texts = dict.fromkeys(one.text.strip() for one in suspect.hidden_prompts) if suspect is not None else {}
    quoted = ", ".join(f"“{' '.join(text.split())}”" for text in texts)
    return f"the chat template adds {quoted} by itself. " if quoted else ""


def _scores(case: Case) -> str:
    rows = case.evaluation.rows if case.evaluation is not None else ()
    link = next((one for one in case_models.match(case).links if one.subject.part == "Scores"), None)
    label = link.subject.model.label if link is not None else ""
    mine = [f"{one.right} of {one.answers} right with {one.method}" for one in rows if one.model == label]
    return f"{label} gets {', '.join(mine)}." if mine else ""
