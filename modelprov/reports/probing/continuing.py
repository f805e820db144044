"""The section on how the models go on after random words: words, a table, and a report of its own where it is alone."""

from __future__ import annotations

from modelprov.behavior.continuations.equality import LEVEL as EQUAL_LEVEL
from modelprov.behavior.continuations.judging import ALIKE, CONTROLS, LEVEL, MARGIN
from modelprov.behavior.continued import Agreement, Continued, Equality, Judged
from modelprov.behavior.probing.results import ProbeReport
from modelprov.reports import numbers as n
from modelprov.reports.document import (
    EVERYWHERE,
    Block,
    Bullets,
    Column,
    Fact,
    Grid,
    Heading,
    Table,
    Text,
    make_table,
)

TITLE = "How it goes on after random words"
HISTORIES = (
    "Histories that fit “answers like”: the parent's weights or those of a common ancestor are in it; it learned from "
    "the parent's answers; both learned from the same data, and the controls did not. Answers cannot tell these apart."
)
NOT_CLEARED = (
    "“No more alike than the controls” clears nobody: long training, a merge with little of the parent, or a system "
    "prompt hides likeness."
)
CONTROLS_CHOSEN = (
    "Whether the controls are of the parent's kind is checked by vocabulary, size and answers; not whether they "
    "learned from the same data, nor whether they are as far trained (base or chat). Whoever chose them decides that."
)
HOW = (
    "One token each, the most likely. Kappa is the agreement beyond that of two models that only have the same habits: "
    f"1 is equal, 0 chance. “Answers like” takes {CONTROLS} controls that count, p of at most {LEVEL:g} against every "
    "one of them (McNemar, Holm), p of at most the same that the parent is one more of them (t-test, Holm), and a "
    f"kappa larger by {MARGIN:g} than any control's. Controls above a kappa of {ALIKE:g} with another count once."
)

EQUALITY = "Whether it completes texts as the published weights do"
DIFFERS = (
    "A difference fits other weights, quantisation, another number format, a prompt or filter before or behind the "
    "model, and sampling that the server changes. It does not say which."
)
TRIED_COMPLETIONS, TRIED_TOKENS = 500, 32
"""How the trained family of docs/probe.md was asked; a test compares it with `benchmarks/answering/run.py`."""

NO_DIFFERENCE = (
    f"No difference found is no proof: in a trained family {TRIED_COMPLETIONS} completions of {TRIED_TOKENS} tokens "
    "did not show rounding to 4 bits, and showed every model that was trained further (docs/probe.md)."
)


READERS = (
    Fact("If you report on it", "Say what was found and what it is: a model answers like another, or gives numbers "
         "that fit another's output head. Name the histories that fit, and the controls. Do not write that one model "
         "is a copy of another: that takes the weights, which modelprov compare reads."),
    Fact("If you argue about it", "The texts follow from the seed, which stands below with the digests of the weights "
         "and the command. Anyone with the same files and server can repeat it. Whoever chose the controls decided "
         "what is unusual: see whether they are of the parent's kind."),
    Fact("If you build models", "A relation that you do not know of may come from data or from a common ancestor: give "
         "that ancestor as a parent too, and more controls."),
)  # fmt: skip
"""How to take answers beside those of others, where nobody was asked who it is."""


def headline(found: Continued, suspect: str) -> str:
    """The finding in few words."""
    like = [judged.parent for judged in found.judged if judged.finding == "answers like"]
    if like:
        return f"{suspect} answers like {_listed(like)}"
    if not found.judged:
        return "could not judge: no parent was given"
    if any(judged.finding != "could not judge" for judged in found.judged):
        return f"{suspect} answers like no parent beyond the controls"
    return f"could not judge whom {suspect} answers like"


def unjudged(report: ProbeReport) -> bool:
    """Whether continuations were asked for and no parent could be judged by them."""
    found = report.continued
    return found is not None and all(judged.finding == "could not judge" for judged in found.judged)


def sentences(found: Continued, suspect: str) -> list[str]:
    """A sentence a parent, then what else must be known."""
    return [n.clean(text) for text in (*(_sentence(each, found, suspect) for each in found.judged), *_aside(found))]


def blocks(report: ProbeReport, suspect: str) -> tuple[Block, ...]:
    """The section; nothing where it was not asked for."""
    found = report.continued
    if found is None:
        return ()
    return (
        Heading(TITLE, listed=True),
        Bullets(sentences(found, suspect)),
        Grid(_table(found), titled=EVERYWHERE),
        Text(HOW, quiet=True),
        Heading("What the answers do not show", 3),
        Bullets((HISTORIES, NOT_CLEARED, CONTROLS_CHOSEN)),
    )


def equality_sentence(report: ProbeReport, suspect: str) -> str:
    """What the comparison with published weights says; empty where there was none."""
    found = report.equality
    if found is None:
        return ""
    numbers = f"{found.samples} completions each of {found.prompts} texts, p {found.p:.2g}"
    return f"{equality_headline(found, suspect)} ({n.clean(numbers)})."


def equality_headline(found: Equality, suspect: str) -> str:
    """The same in few words; the published model may have the suspect's name."""
    if found.finding == "another distribution":
        return n.clean(f"{suspect} does not complete texts as the published {found.published} does here")
    return n.clean(f"{suspect} completes texts as the published {found.published} does, as far as this test sees")


def equality_blocks(report: ProbeReport, suspect: str) -> tuple[Block, ...]:
    """The section on published weights; nothing where they were not compared."""
    found = report.equality
    if found is None:
        return ()
    run = f"{found.published} was run here in {found.dtype}; digest {found.digest}."
    return (
        Heading(EQUALITY, listed=True),
        Bullets([equality_sentence(report, suspect), *(n.clean(note) for note in (*found.notes, run))]),
        Text(_equal_how(found), quiet=True),
        Bullets((DIFFERS, NO_DIFFERENCE)),
    )


def _equal_how(found: Equality) -> str:
    return (
        f"Temperature 1, nothing filtered, at most {found.tokens} tokens. Squared maximum mean discrepancy with the "
        f"Hamming kernel on characters (arXiv 2410.20247); p from {n.count(found.permutations)} permutations of the "
        f"completions of each text; {EQUAL_LEVEL:g} and less is a difference."
    )


def _sentence(judged: Judged, found: Continued, suspect: str) -> str:
    parent = judged.parent
    if judged.finding == "could not judge":
        return f"{parent}: could not judge; {judged.reason}."
    equal = {each.label: each for each in found.agreements}
    own = equal[parent]
    best = (own.kappa or 0.0) - (judged.margin or 0.0)  # of the controls that count for this parent
    numbers = f"kappa {own.kappa:.3f}, of the controls at most {best:.3f}"
    if judged.finding == "answers like":
        return f"{suspect} answers like {parent}, beyond {judged.controls} controls: {numbers}."
    return f"{suspect} answers {parent} no more alike than the controls: {numbers}."


def _aside(found: Continued) -> list[str]:
    unfit = [f"{each.label} does not count as a control: {each.unfit}." for each in found.models
             if each.role == "control" and each.unfit]  # fmt: skip
    return [*unfit, *found.notes]


def _table(found: Continued) -> Table:
    columns = (
        Column("Model", "model", numeric=False),
        Column("Role", "role", numeric=False, priority=2),
        Column("Same answer", "same"),
        Column("Of", "of", priority=3),
        Column("95 % interval", "interval", priority=1),
        Column("Kappa", "kappa"),
    )
    unfit = {each.label for each in found.models if each.unfit}
    rows = [_row(each, each.label in unfit) for each in found.agreements]
    return make_table("Same answers as the model in question", columns, rows)


def _row(each: Agreement, unfit: bool) -> tuple[str, ...]:
    return (
        each.label, f"{each.role}, not counted" if unfit else each.role, n.share(each.equal / each.prompts, 1),
        n.count(each.prompts), f"[{100 * each.low:.1f}, {100 * each.high:.1f}]",
        n.MISSING if each.kappa is None else f"{each.kappa:.3f}",
    )  # fmt: skip


def _listed(names: list[str]) -> str:
    return n.clean(", ".join(names))
