"""The report of an evaluation, to be saved and shown. Lays out nothing."""

from __future__ import annotations

from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.reports.saving import Page


class Evaluation(Page, EvaluationReport):
    """An `EvaluationReport` that can be saved and shown."""

    def rendered(self, form: str) -> str:
        """The report as json, markdown or html."""
        from modelprov.reports.evaluation.files import render

        return render(form, self)
