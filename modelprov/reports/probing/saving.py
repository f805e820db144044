"""The report of a probe in the form that is asked for. Knows every renderer; imports one when it is used."""

from __future__ import annotations

from modelprov.behavior.probing.results import ProbeReport
from modelprov.reports.saving import Page


class Probe(Page, ProbeReport):
    """A `ProbeReport` that can be saved and shown."""

    def rendered(self, form: str) -> str:
        """The report as json, markdown or html."""
        if form == "json":
            from modelprov.reports.probing.telling import render_probe_json

            return render_probe_json(self)
        if form == "markdown":
            from modelprov.reports.probing.telling import render_probe_markdown

            return render_probe_markdown(self)
        from modelprov.reports.probing.html import render_probe_html

        return render_probe_html(self)
