"""The pages: a form for reports, a form for a comparison, its progress, finished reports. No script is needed."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from modelprov.errors import UsageError
from modelprov.foreign.shown import clean
from modelprov.reports.numbers import duration, size
from modelprov.serve.dropped import KINDS, Dropped, Shown, shown
from modelprov.serve.gate import REPORT, Gate, hosts
from modelprov.serve.places import Places
from modelprov.serve.runs import Asked, BusyError, Runs

PARENTS = 3
"""Fields for parents; the last that is filled in is the reference."""
MOST_FIELDS = 12
MOST_KEPT = 16
REFRESH = "2"  # seconds
BACK = '<nav class="masthead" aria-label="This page"><a href="/">Back to the forms and other reports</a></nav>'
"""Above a report, which knows nothing of where it is shown; the page of its run leads to it, and never away."""


@dataclass(frozen=True)
class Settings:
    """What whoever starts the page allows; sizes in bytes."""

    host: str
    port: int
    models: Path | None = None
    network: bool = False
    upload_limit: int = 32 << 20
    memory: int = 512 << 20
    threads: int | None = None


def make(settings: Settings) -> FastAPI:
    """The application, behind its gate."""
    site = Site(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        site.runs.stop()

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    for path, page, method in (
        ("/", site.home, "GET"),
        ("/style.css", site.style, "GET"),
        ("/run", site.progress, "GET"),
        ("/reports/{number}", site.report, "GET"),
        ("/reports/{number}/json", site.report_json, "GET"),
        ("/run", site.start, "POST"),
        ("/stop", site.stop, "POST"),
        ("/reports", site.drop, "POST"),
    ):
        app.add_api_route(path, page, methods=[method], response_model=None)
    app.add_exception_handler(UsageError, site.refused)
    app.add_exception_handler(HTTPException, site.refused)
    app.add_middleware(Gate, allowed=hosts(settings.host, settings.port), limit=settings.upload_limit)
    return app


class Site:
    """What the pages show: the places that may be named, the one run, and the last reports, which no disk holds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = Places(None if settings.models is None else settings.models.resolve(), settings.network)
        self._token = secrets.token_urlsafe(32)
        self._reports: OrderedDict[str, Shown] = OrderedDict()
        self.runs = Runs(
            self._keep, network=settings.network, memory=settings.memory, threads=settings.threads
        )  # fmt: skip

    def home(self) -> Response:
        """Both forms, and the reports that are there."""
        return self._page(
            "home", models=self._places.listed(), reports=list(reversed(self._reports.items())), run=self.runs.last,
            settings=self._settings, kinds=list(KINDS), parents=PARENTS, most_kept=MOST_KEPT,
        )  # fmt: skip

    def style(self) -> Response:
        """The style of reports, and what forms need."""
        return Response(_style(), media_type="text/css")

    def progress(self, still: bool = False) -> Response:
        """How far the run has come; its report when it is done."""
        run = self.runs.last
        if run is None:
            return RedirectResponse("/", 303)
        if run.report in self._reports:
            return RedirectResponse(f"/reports/{run.report}", 303)
        answer = self._page("run", run=run, still=still)
        if run.ended is None and not still:
            answer.headers["Refresh"] = REFRESH
        return answer

    def report(self, number: str) -> Response:
        """A report as its page, which may do nothing but lead back."""
        page = self._kept(number).page.replace("<body>", f"<body>{BACK}", 1)
        return HTMLResponse(page.encode(errors="backslashreplace"), headers={"Content-Security-Policy": REPORT})

    def report_json(self, number: str) -> Response:
        """A report as its file."""
        json = self._kept(number).json
        if json is None:
            raise HTTPException(404, "Several reports on one page have no JSON form.")
        named = {"Content-Disposition": 'attachment; filename="report.json"'}
        return Response(json, media_type="application/json", headers=named)

    async def start(self, request: Request) -> Response:
        """Begin a comparison."""
        form = await self._form(request)
        suspect, controls = _words(form, "suspect"), _words(form, "control")
        parents = _words(form, "parent")
        if len(suspect) != 1 or not parents:
            raise UsageError(
                "a comparison needs a model in question and a possible parent", "Choose them, the common base last."
            )
        names = [*suspect, *parents]
        asked = Asked(await run_in_threadpool(self._located, names), await run_in_threadpool(self._located, controls),
                      sample="sample" in form)  # fmt: skip
        if len(asked.models) < len(names) or asked.models.keys() & asked.controls.keys():
            raise UsageError("the same model is named twice", "Name every model once, the control too.")
        await run_in_threadpool(self.runs.start, asked)
        return RedirectResponse("/run", 303)

    async def stop(self, request: Request) -> Response:
        """End the run."""
        await self._form(request)
        await run_in_threadpool(self.runs.stop)
        return RedirectResponse("/run", 303)

    async def drop(self, request: Request) -> Response:
        """Read reports, and show them."""
        form = await self._form(request)
        given = [each for each in form.getlist("report") if isinstance(each, UploadFile)]
        dropped = [Dropped(each.filename or "a file", await each.read()) for each in given if each.filename]
        number = self._keep(await run_in_threadpool(shown, dropped))
        return RedirectResponse(f"/reports/{number}", 303)

    async def refused(self, _: Request, error: Exception) -> Response:
        """What went wrong, in words."""
        if isinstance(error, HTTPException):
            return self._page("refused", error.status_code, message=str(error.detail), advice="")
        assert isinstance(error, UsageError)
        status = 409 if isinstance(error, BusyError) else 400
        return self._page("refused", status, message=error.message, advice=error.advice)

    async def _form(self, request: Request) -> FormData:
        """The fields of a form of ours, with files of at most one of each kind."""
        form = await request.form(max_files=len(KINDS), max_fields=MOST_FIELDS, max_part_size=1 << 12)
        token = form.get("token")
        if not isinstance(token, str) or not secrets.compare_digest(token.encode(), self._token.encode()):
            raise HTTPException(403, "The page is older than the server. Open it anew.")
        return form

    def _located(self, names: list[str]) -> dict[str, str]:
        return {name: self._places.located(name) for name in names}

    def _keep(self, report: Shown) -> str:
        number = secrets.token_urlsafe(8)
        self._reports[number] = report
        while len(self._reports) > MOST_KEPT:
            self._reports.popitem(last=False)
        return number

    def _kept(self, number: str) -> Shown:
        found = self._reports.get(number)
        if found is None:
            raise HTTPException(404, "There is no such report; only the last ones are kept, until the server stops.")
        return found

    def _page(self, name: str, status: int = 200, **given: Any) -> HTMLResponse:
        page = _templates().get_template(f"{name}.html.j2").render(token=self._token, **given)
        return HTMLResponse(page, status)


def _words(form: FormData, field: str) -> list[str]:
    """What was filled in under this name."""
    return [each.strip() for each in form.getlist(field) if isinstance(each, str) and each.strip()]


@cache
def _templates() -> Environment:
    """The templates beside this file: every text is made safe to show, and escaped."""
    made = Environment(
        loader=PackageLoader("modelprov.serve", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_safe,
    )  # fmt: skip
    made.filters["size"] = size
    made.filters["sentence"] = lambda text: text[:1].upper() + text[1:]  # of a stage, which begins with no name
    made.filters["duration"] = lambda seconds: duration(int(seconds)).replace(".0 s", " s")
    return made


def _safe(value: Any) -> Any:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _style() -> str:
    reports, own = files("modelprov.reports.rendering"), files("modelprov.serve")
    return "".join(
        each.joinpath("templates", name).read_text() for each, name in ((reports, "report.css"), (own, "serve.css"))
    )
