"""modelprov itself, in full, by sample and by fingerprint, through its public functions; reads verdict and shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import modelprov
from benchmarks.lineage.labels import UNDONE, Answer
from benchmarks.lineage.peers.interface import Cost, Files, bytes_of
from benchmarks.lineage.scorer import WITHIN
from modelprov.errors import ModelprovError
from modelprov.reports.comparison.report import Report

SAMPLE = 128 << 10
"""Bytes of each model that `sample` reads: a quarter of the models here, as 16 MB are a small part of real ones."""
KIN_ALL_THE_SAME = frozenset(
    {"rounded", "two-directions", "shared-direction", "extrapolated", "picked", "ties", "whole-parts", "near-copy",
     "beneath-rounding", "other-child", "quantised", "pruned", "recoded", "projected", "layers-mixed",
     "sparsified", "proportional"}
)  # fmt: skip
"""Rules of open verdicts that are reached only by models whose weights correlate: the act is open, kinship is not."""
PARTIAL, UNRELATED = "partial", "would be called unrelated"
"""The rule of too little that could be compared, and what it says of it where that is no kin: else it is a part that
both have, or have from one place."""
SAID = {"copy": "copy", "merge": "merge", "same-origin": "same-origin", "unrelated": "stranger", UNDONE: UNDONE}
ALTERED_COPY = frozenset({"rounded", "pruned"})
"""Rules of verdicts that say "S is P1, rounded", or "with numbers set to zero": a copy of P1, whoever came first."""


@dataclass(frozen=True)
class Ours:
    """One way of asking."""

    how: Literal["in full", "by sample", "by fingerprint"] = "in full"

    @property
    def name(self) -> str:
        """As the leaderboard calls it."""
        return f"modelprov {self.how}"

    @property
    def absent(self) -> str:
        """Never."""
        return ""

    def ask(self, files: Files) -> tuple[Answer, Cost]:
        """The verdict of `compare`; an error that says why is a refusal."""
        try:
            report, read = self._report(files)
        except ModelprovError as error:
            return Answer(refused=True, words=f"{type(error).__name__}: {error.message}"[:300]), Cost()
        return answer_of(report), Cost(read)

    def _report(self, files: Files) -> tuple[Report, int]:
        sample = self.how == "by sample"
        taken = files.all
        if self.how == "by fingerprint":
            taken = tuple(
                _fingerprint(path, files.folder / f"{_name(place)}.mpf") for place, path in enumerate(files.all)
            )
        report = modelprov.compare(*map(str, taken), sample=sample, sample_size=SAMPLE, threads=1, device="cpu")
        return report, bytes_of(taken) if self.how == "by fingerprint" else report.environment.bytes_read


def _name(place: int) -> str:
    return f"P{place}" if place else "S"


def _fingerprint(path: Path, to: Path) -> Path:
    """A fingerprint of it, or the packed file as it is: of those no fingerprint can be taken."""
    if path.is_file() or (path / "packed").exists():
        return path
    modelprov.fingerprint(str(path), str(to))
    return to


def answer_of(report: Report) -> Answer:
    """The verdict in the set's words: what it leaves open stays open, and a place on a line is a share."""
    verdict, class_ = report.verdict, str(report.verdict.class_)
    relation = "copy" if verdict.rule in ALTERED_COPY else SAID.get(class_)
    related = None if class_ == "inconclusive" else class_ != "unrelated"
    if verdict.rule in KIN_ALL_THE_SAME or (verdict.rule == PARTIAL and UNRELATED not in verdict.summary):
        related = True
    shares = method = trained = direction = None
    if class_ in ("merge", "on-line") or (class_ == "inconclusive" and _certain(report)):
        shares = _shares(report)
    if class_ == "merge":
        method = "linear"
        trained, direction = (None if verdict.rule == "partly-exact" else False), "suspect"
    if report.method is not None:  # a method that gives the bits is named, whether or not the class accuses
        method = report.method.name
    if verdict.roles:
        direction = "another"
    return Answer(
        related, relation, shares, method, trained, direction, f"{class_} ({verdict.rule}): {verdict.summary}"
    )


def _certain(report: Report) -> bool:
    """Whether shares are told, if it is a merge: an interval within a hundredth for every parent.

    The verdict stays open, and the shares are those of a merge that nothing was done to but packing.
    """
    bounds = [(each.low, each.high) for each in report.mixing.coefficients]
    return bool(bounds) and all(
        low is not None and high is not None and high - low <= 2 * WITHIN for low, high in bounds
    )


def _shares(report: Report) -> dict[int, float] | None:
    labels = [given.label for given in report.inputs if given.role in ("parent", "reference")]
    alphas = {each.parent: each.alpha for each in report.mixing.coefficients if each.alpha is not None}
    if report.method is not None or not alphas:
        return None
    found = {place: alphas[label] for place, label in enumerate(labels, 1) if label in alphas}
    if len(found) == len(labels) - 1:
        found[len(labels)] = 1 - sum(found.values())
    return found
