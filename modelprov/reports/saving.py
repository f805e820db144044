"""A result in the form that is asked for: text, file, terminal, notebook. Knows every kind and every form.

Of a kind it knows the names: whoever writes one report loads what tells that one, and no other.
"""

from __future__ import annotations

import os
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from modelprov.errors import UsageError
from modelprov.reports.document import Document
from modelprov.savable import Saved

if TYPE_CHECKING:
    from rich.console import Console

    from modelprov.behavior.evaluation.results import EvaluationReport
    from modelprov.behavior.probing.results import ProbeReport
    from modelprov.check.results import CheckReport
    from modelprov.checkpoints.inspection import Inspection
    from modelprov.forensics.identify.charted import Atlas
    from modelprov.forensics.identify.results import Identified
    from modelprov.forensics.search.verified import Verified
    from modelprov.reports.case.parts import Case
    from modelprov.reports.comparison.report import Report
    from modelprov.reports.evidence.attestation_check import Confirmed
    from modelprov.reports.evidence.rechecking import Rechecked

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

PLAIN = "modelprov.reports.as_json"
KINDS = {
    "modelprov.reports.comparison.report.Report": (
        "modelprov.reports.comparison.telling", "modelprov.reports.comparison.as_json",
    ),
    "modelprov.check.results.CheckReport": ("modelprov.reports.checking.telling", PLAIN),
    "modelprov.behavior.probing.results.ProbeReport": ("modelprov.reports.probing.telling", PLAIN),
    "modelprov.behavior.evaluation.results.EvaluationReport": ("modelprov.reports.evaluation.telling", PLAIN),
    "modelprov.checkpoints.inspection.Inspection": ("modelprov.reports.inspecting.telling", PLAIN),
    "modelprov.forensics.identify.results.Identified": ("modelprov.reports.identifying.telling", PLAIN),
    "modelprov.forensics.identify.charted.Atlas": ("modelprov.reports.atlas.telling", PLAIN),
    "modelprov.reports.case.parts.Case": ("modelprov.reports.case.telling", ""),
    "modelprov.forensics.search.verified.Verified": ("modelprov.reports.verifying.telling", PLAIN),
    "modelprov.reports.evidence.rechecking.Rechecked": ("modelprov.reports.evidence.rechecking_telling",) * 2,
    "modelprov.reports.evidence.attestation_check.Confirmed": ("modelprov.reports.evidence.attestation_telling",) * 2,
}  # fmt: skip
"""Of each kind of result: where it is told (`tell`), and where written as JSON (`render_json`; none of a case)."""
FRAME_HEIGHT = 900  # pixels


def told_from_file(result: Result) -> Document:
    """`told`, of a result that a file held; raises `UsageError` where its parts do not fit each other."""
    try:
        return told(result)
    except (LookupError, ArithmeticError, ValueError) as error:
        raise UsageError("the parts of the report do not fit each other", "Was it edited? Write it anew.") from error


def told(result: Result) -> Document:
    """The result as a document, which every renderer can show."""
    document: Document = import_module(_of_kind(result)[0]).tell(result)
    return document


def _of_kind(result: Result) -> tuple[str, str]:
    """The two modules of the kind that the result is of."""
    return next(KINDS[name] for each in type(result).__mro__ if (name := f"{each.__module__}.{each.__name__}") in KINDS)


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
    if form == "json" and (writer := _of_kind(result)[1]):
        return str(import_module(writer).render_json(result))
    if form == "sarif" and form in result.forms.values():
        from modelprov.reports.checking.sarif import render_sarif

        check = cast("CheckReport", result)
        return render_sarif(check, pages=check.rule_pages)
    if form == "junit" and form in result.forms.values():
        from modelprov.reports.checking.junit import render_junit

        return render_junit(cast("CheckReport", result))
    result.check_form(form)
    raise UsageError(f"there is no {form} form of this result", "Choose another.")


def show(result: Result, console: Console, *, brief: bool = False) -> bool:
    """Print the result on a terminal, most important first; `brief`: without its tables. Whether any were left out."""
    from modelprov.reports.rendering.terminal import print_document

    document = told(result)
    print_document(document, console, brief=brief)
    return brief and bool(document.brief)


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
