"""How to take a verdict, from what was measured of these models, and what must be known beside it. Words only."""

from __future__ import annotations

from collections.abc import Iterator

from modelprov.checkpoints.adapters.joining import AS_MERGED, ON_BASE
from modelprov.checkpoints.single_file import TAKEN_FIRST
from modelprov.forensics.results import VerdictClass
from modelprov.reports import numbers as n
from modelprov.reports.comparison import words
from modelprov.reports.comparison.report import Report
from modelprov.reports.comparison.tables import parents


def meaning(report: Report) -> str:
    """What this kind of verdict means, and what the numbers of these models add to it; it says nothing against them."""
    if report.method is not None and report.verdict.rule == "method":
        said = words.BY_METHOD if report.method.by_chance is None else words.BY_MASK
        return said.format(bits="the bits" if report.method.bit_equal == 1 else "nearly all bits")
    by_recipe = report.verdict.class_ is VerdictClass.MERGE and report.verdict.rule == "reproduced"
    meant = words.BY_RECIPE if by_recipe else words.VERDICTS[report.verdict.class_].meaning
    return " ".join((meant, *_measured(report)))


def _measured(report: Report) -> Iterator[str]:
    verdict = report.verdict
    if verdict.class_ is VerdictClass.ON_LINE:
        beside = n.finite(report.after_merge.sigma_relative)
        if verdict.rule == "traced":
            yield words.BESIDE_TRACED
        elif beside is None:
            yield words.BESIDE_UNMEASURED
        else:
            yield words.BESIDE if beside else words.BESIDE_ROUNDING
    if verdict.class_ is VerdictClass.SAME_ORIGIN and len(parents(report)) > 1:
        yield words.NO_PLAIN_MIX
    bits = n.finite(report.reproduction.bit_equal)
    if verdict.class_ is VerdictClass.MERGE and verdict.rule == "reproduced" and bits is not None and bits < 1:
        yield words.FEW_OTHERS


def notes(report: Report) -> tuple[str, ...]:
    """What a reader must know beside the verdict: why it is open, roles, sampling, what was not tested."""
    verdict = report.verdict
    told = (("The reason: ", verdict.reason), ("", verdict.roles))
    said = [f"{before}{n.clean(text)}." for before, text in told if text and text not in verdict.summary]
    if verdict.formerly:
        said.append(words.FORMERLY.get(verdict.formerly, words.RENAMED).format(former=n.clean(verdict.formerly)))
    if report.beyond is not None and (report.beyond.lattice or report.beyond.rank is not None):
        said.append(n.clean(report.beyond.words or ""))
    if report.mode == "sample":
        said.append(words.SAMPLED.format(share=n.share(report.coverage.read_share)))
    said += [f"{n.clean(note)}." for note in report.coverage.notes if TAKEN_FIRST in note or AS_MERGED in note]
    return (*said, *_adapters(report), *untested(report))


def _adapters(report: Report) -> tuple[str, ...]:
    """Where two adapters on one base are compared without it: what would show whether their changes are alike."""
    bases = [
        note.partition(ON_BASE)[2].partition(f", {AS_MERGED}")[0]
        for note in report.coverage.notes if AS_MERGED in note
    ]  # fmt: skip
    if len(parents(report)) > 1 or len(bases) != 2 or len(set(bases)) > 1:
        return ()
    return (words.TWO_ADAPTERS.format(base=n.clean(bases[0])),)


def untested(report: Report) -> tuple[str, ...]:
    """What nobody tried in this comparison: a merge, where one parent was named, and a model that nobody suspects."""
    said = []
    if len(parents(report)) == 1 and words.MERGE_UNTESTED not in report.verdict.summary:
        said.append(words.ONE_PARENT)
    controlled = any(item.kind == "checkpoint" for item in report.verdict.controls)
    if not controlled:
        said.append(words.NO_CONTROL)
    return tuple(said)
