"""The section on a server's log-probabilities: whose output head they have, whose numbers they are."""

from __future__ import annotations

from modelprov.behavior.continuations.judging import LEVEL
from modelprov.behavior.continuations.softmax_image import EXACT, FORMATS, NEAR, ROUNDING
from modelprov.behavior.imaged import Fitted, HeadJudged, Imaged
from modelprov.behavior.probing.results import ProbeReport
from modelprov.reports import numbers as n
from modelprov.reports.document import EVERYWHERE, Block, Bullets, Column, Grid, Heading, Table, Text, make_table

LEAST = 0.01  # percent that are told apart from less
TITLE = "Whose output head the log-probabilities have"
HOW = (
    "A model's log-probabilities lie in a space that its output head spans, whatever it is asked (arXiv 2403.09539). "
    "“Outside” is the share of their spread that lies outside that space, “rounding” the same of the model's own "
    f"numbers in bfloat16. “Its head” is at most {ROUNDING:g} times that, {100 * EXACT:g} %, and what the steps of the "
    f"served numbers leave; “near its head” at most {NEAR:g} times the "
    f"least of a control's, with p of at most {LEVEL:g} against every one of them. “Apart” is how far the served "
    "numbers are from those of the model run here at the most likely tokens, “formats” how far two number formats of "
    f"it are apart; “its numbers” are at most {FORMATS:g} times that."
)
HEADS = (
    "Whoever left the head alone has it: finetunes and adapters of one base, rounded copies whose head was not "
    "rounded. It says which head, not which of the models that have it, and nothing of the weights before it. A head "
    "that was trained or merged by less than rounding leaves has it too, and so has a parent whose head somebody "
    "worked out from what this server answers (arXiv 2403.06634)."
)
TRAINED_ON = (
    "A head near a parent's was trained on from it or from a common ancestor, merged with it or rounded. Learning from "
    "a parent's answers brings no head as near (docs/probe.md)."
)
NO_NEARER = (
    "A server that adds noise to its numbers, or bends them, fits no head: being no nearer than the controls clears "
    "nobody."
)
OTHER_NUMBERS = (
    "Other numbers fit other weights, rounding to few bits, a hidden prompt and a changed template. Rounding to 8 bits "
    "is no more than what number formats differ by."
)


def headline(found: Imaged, suspect: str) -> str:
    """The finding in few words."""
    for finding, words in (
        ("its head", "has the output head of"),
        ("near its head", "has an output head near that of"),
    ):
        if those := [judged.parent for judged in found.judged if judged.finding == finding]:
            return n.clean(f"{suspect} {words} {', '.join(those)}")
    if any(judged.finding != "could not judge" for judged in found.judged):
        return f"{suspect} has no output head nearer to a parent's than the controls'"
    same = [each.label for each in found.fits if each.numbers == "its numbers"]
    if same:
        return n.clean(f"{suspect} gives the numbers of {', '.join(same)}")
    return f"could not judge whose output head {suspect} has"


def unjudged(found: Imaged | None) -> bool:
    """Whether log-probabilities were asked for and nothing follows from them."""
    if found is None:
        return False
    return all(each.finding == "could not judge" for each in found.judged) and not any(e.numbers for e in found.fits)


def sentences(found: Imaged, suspect: str) -> list[str]:
    """A sentence a parent, one for its numbers, then what else must be known."""
    fits = {each.label: each for each in found.fits}
    told = [_sentence(each, fits[each.parent], suspect) for each in found.judged]
    told += [_numbers(each, suspect) for each in found.fits if each.role != "control" and each.numbers is not None]
    told += [f"{each.label} does not count as a control: {each.unfit}." for each in found.fits
             if each.role == "control" and each.unfit]  # fmt: skip
    return [n.clean(text) for text in (*told, *found.notes)]


def blocks(report: ProbeReport, suspect: str) -> tuple[Block, ...]:
    """The section; nothing where it was not asked for."""
    found = report.imaged
    if found is None:
        return ()
    got = f"{n.count(found.tokens)} log-probabilities after each of {n.count(found.texts)} texts, by {found.how}."
    return (
        Heading(TITLE, listed=True),
        Bullets(sentences(found, suspect)),
        Grid(_table(found), titled=EVERYWHERE),
        Text("" if found.how == "none" else got, quiet=True),
        Text(HOW, quiet=True),
        Heading("What log-probabilities do not show", 3),
        Bullets((HEADS, TRAINED_ON, NO_NEARER, OTHER_NUMBERS)),
    )


def _sentence(judged: HeadJudged, fitted: Fitted, suspect: str) -> str:
    parent = _named(fitted)
    if judged.finding == "could not judge":
        return f"Output head of {parent}: could not judge; {judged.reason}."
    own = f"{percent(fitted.outside)} of the spread lies outside it"
    if judged.finding == "its head":
        rounding = percent(fitted.rounding)
        return f"{suspect} has the output head of {parent}, to rounding: {own}, of {parent}'s own {rounding}."
    times = "" if judged.nearness is None else f", {judged.nearness:.2f} times the least of {judged.controls} controls"
    if judged.finding == "near its head":
        return f"{suspect} has an output head near that of {parent}: {own}{times}."
    return f"{suspect} has no output head nearer to that of {parent} than the controls': {own}{times}."


def _numbers(fitted: Fitted, suspect: str) -> str:
    between = f"{percent(fitted.apart)} apart, and two number formats of it {percent(fitted.formats)}"
    if fitted.numbers == "its numbers":
        return f"{suspect} gives the numbers of {_named(fitted)} run here, as far as number formats tell: {between}."
    return f"{suspect} gives other numbers than {_named(fitted)} run here: {between}."


def _named(fitted: Fitted) -> str:
    return f"the published {fitted.label}" if fitted.role == "published" else fitted.label


def _table(found: Imaged) -> Table:
    columns = (
        Column("Model", "model", numeric=False),
        Column("Role", "role", numeric=False, priority=2),
        Column("Outside", "outside"),
        Column("Rounding", "rounding", priority=2),
        Column("Apart", "apart", priority=1),
        Column("Formats", "formats", priority=3),
    )
    rows = [
        (each.label, f"{each.role}, not counted" if each.unfit else each.role, percent(each.outside),
         percent(each.rounding), percent(each.apart), percent(each.formats))
        for each in found.fits
    ]  # fmt: skip
    return make_table("Served log-probabilities beside each model", columns, rows)


def percent(share: float | None) -> str:
    """Two digits, down to a hundredth: rounding leaves 1e-9, another head nearly all."""
    if share is None:
        return n.MISSING
    value = 100 * share
    if 0 < value < LEAST:
        return f"< {LEAST} %"
    return f"{value:.0f} %" if value >= 9.95 else f"{value:.2g} %"
