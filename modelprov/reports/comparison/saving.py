"""A report in the form that is asked for, as text or in a file. Knows every renderer; imports one when it is used."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelprov.errors import UsageError

if TYPE_CHECKING:
    from modelprov.reports.comparison.report import Report

FORMS: Final = {".html": "html", ".json": "json", ".md": "markdown"}
WEIGHTS: Final = (".safetensors", ".safetensors.index.json")
FRAME_HEIGHT = 900  # pixels


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


def refuse_weights(path: Path) -> None:
    """A report never takes the place of weights."""
    if path.name.endswith(WEIGHTS):
        raise UsageError(f"{path} has the name of a weights file", "Give the report another name.")


def save(report: Report, path: str | os.PathLike[str]) -> Path:
    """Write the report whole or not at all, in the form that the name's ending says; the path that was written."""
    from modelprov.reports.writing import write_atomically

    target = Path(path).expanduser()
    form = FORMS.get(target.suffix.lower())
    if form is None:
        raise UsageError(f"{target} does not say which form the report takes", f"End it in {', '.join(FORMS)}.")
    refuse_weights(target)
    write_atomically(target, rendered(form, report))
    return target


def framed(report: Report) -> str:
    """The page in a frame of its own, so that its styles stay off the notebook around it; no script may run in it."""
    page = escape(rendered("html", report), quote=True)
    return f'<iframe srcdoc="{page}" sandbox="" width="100%" height="{FRAME_HEIGHT}" style="border:0"></iframe>'
