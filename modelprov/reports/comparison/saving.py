"""The reports on weights in the form that is asked for. Knows every renderer; imports one when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelprov.checkpoints.inspection import Inspection
from modelprov.reports.saving import Saved

if TYPE_CHECKING:
    from modelprov.reports.comparison.report import Report


class Inspected(Saved, Inspection):
    """An `Inspection` that can be saved, as .json."""

    def rendered(self, form: str) -> str:  # noqa: ARG002  (there is one)
        """The inspection as JSON."""
        from modelprov.reports.comparison.inspection import render_inspection_json

        return render_inspection_json(self)


def rendered(form: str, report: Report) -> str:
    """The report as json, markdown or html."""
    if form == "json":
        from modelprov.reports.comparison.as_json import render_json

        return render_json(report)
    if form == "markdown":
        from modelprov.reports.comparison.markdown import render_markdown

        return render_markdown(report)
    from modelprov.reports.comparison.html import render_html

    return render_html(report)
