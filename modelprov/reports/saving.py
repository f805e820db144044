"""A result in the form that is asked for: text, file, terminal, notebook. Knows every kind and every form."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.behavior.probing.results import ProbeReport
from modelprov.check.results import CheckReport
from modelprov.checkpoints.inspection import Inspection
from modelprov.errors import UsageError
from modelprov.forensics.identify.charted import Atlas
from modelprov.forensics.identify.results import Identified
from modelprov.reports.atlas import telling as atlas
from modelprov.reports.case import telling as case
from modelprov.reports.case.parts import Case
from modelprov.reports.checking import telling as checking
from modelprov.reports.comparison import telling as comparison
from modelprov.reports.comparison.report import Report
from modelprov.reports.document import Document
from modelprov.reports.evaluation import telling as evaluation
from modelprov.reports.evidence import attestation_telling as attested
from modelprov.reports.evidence import rechecking_telling as rechecking
from modelprov.reports.evidence.attestation_check import Confirmed
from modelprov.reports.evidence.rechecking import Rechecked
from modelprov.reports.identifying import telling as identifying
from modelprov.reports.inspecting import telling as inspecting
from modelprov.reports.probing import telling as probing
from modelprov.reports.verifying import telling as verifying
from modelprov.reports.verifying.verified import Verified
from modelprov.reports.verifying.verified import render_json as render_verification
from modelprov.savable import Saved

if TYPE_CHECKING:
    from rich.console import Console

Measured = (
    Report
    | CheckReport
    | ProbeReport
    | EvaluationReport
    | Inspection
    | Verified
    | Rechecked
    | Confirmed
    | Identified
    | Atlas
)
Result = Measured | Case
FRAME_HEIGHT = 900  # pixels


def told(result: Result) -> Document:
    """The result as a document, which every renderer can show."""
    match result:
        case Report():
            return comparison.tell(result)
        case CheckReport():
            return checking.tell(result)
        case ProbeReport():
            return probing.tell(result)
        case EvaluationReport():
            return evaluation.tell(result)
        case Case():
            return case.tell(result)
        case Identified():
            return identifying.tell(result)
        case Atlas():
            return atlas.tell(result)
        case Inspection():
            return inspecting.tell(result)
        case Verified():
            return verifying.tell(result)
        case Rechecked():
            return rechecking.tell(result)
        case Confirmed():
            return attested.tell(result)


def rendered(form: str, result: Result) -> str:
    """The result as json, markdown or html; a check also as sarif or junit.

    Raises `UsageError` for a form that there is not for this kind of result.
    """
    if form == "html":
        from modelprov.reports.rendering.html import render_html

        return render_html(told(result))
    if form == "markdown":
        from modelprov.reports.rendering.markdown import render_markdown

        return render_markdown(told(result))
    if form == "json" and not isinstance(result, Case):
        return _as_json(result)
    if form == "sarif" and isinstance(result, CheckReport):
        from modelprov.reports.checking.sarif import render_sarif

        return render_sarif(result, pages=result.rule_pages)
    if form == "junit" and isinstance(result, CheckReport):
        from modelprov.reports.checking.junit import render_junit

        return render_junit(result)
    result.check_form(form)
    raise UsageError(f"there is no {form} form of this result", "Choose another.")


def _as_json(result: Measured) -> str:
    match result:
        case Report():
            from modelprov.reports.comparison.as_json import render_json as compared

            return compared(result)
        case Verified():
            return render_verification(result)
        case Rechecked():
            return rechecking.render_json(result)
        case Confirmed():
            return attested.render_json(result)
    from modelprov.reports.as_json import render_json

    return render_json(result)


def show(result: Result, console: Console) -> None:
    """Print the result on a terminal, most important first."""
    from modelprov.reports.rendering.terminal import print_document

    print_document(told(result), console)


def save(result: Saved, path: str | os.PathLike[str]) -> Path:
    """Write the result whole or not at all, in the form that the name's ending says; the path that was written."""
    from modelprov.reports.writing import write_atomically

    target = Path(path).expanduser()
    form = result.forms.get(target.suffix.lower())
    if form is None:
        raise UsageError(f"{target} does not say which form the report takes", f"End it in {', '.join(result.forms)}.")
    write_atomically(target, result.rendered(form))
    return target


def framed(page: str) -> str:
    """The page in a frame of its own, so that its styles stay off the notebook around it; no script may run in it."""
    shown = escape(page, quote=True)
    return f'<iframe srcdoc="{shown}" sandbox="" width="100%" height="{FRAME_HEIGHT}" style="border:0"></iframe>'
