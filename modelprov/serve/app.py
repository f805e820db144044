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
    app.add_exception_handler(OldPageError, site.refused)
    app.add_exception_handler(HTTPException, site.refused)
    app.add_middleware(Gate, allowed=hosts(settings.host, settings.port), limit=settings.upload_limit)
    return app


class OldPageError(UsageError):
    """A form without the token of this server: it was open before the server was started."""


@dataclass(frozen=True)
class Filled:
    """What was filled into the form of a comparison, to be there again after a refusal."""

    suspect: str = ""
    parents: tuple[str, ...] = ()
    control: str = ""
    sample: bool = False


STATUS: dict[type[UsageError], int] = {BusyError: 409, OldPageError: 403}
"""Of answers to refused forms; 400 otherwise."""


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
        """Both forms, and the reports that are there; what came to nothing can be changed and asked again."""
        run = self.runs.last
        return self._home(Filled() if run is None or run.ended is None or run.report else _asked_again(run.asked))

    def _home(self, filled: Filled, refused: str = "", error: UsageError | None = None) -> Response:
        """`error` is why the form `refused` (run or reports) was not taken."""
        return self._page(
            "home", 200 if error is None else STATUS.get(type(error), 400), models=self._places.listed(),
            reports=list(reversed(self._reports.items())), run=self.runs.last, settings=self._settings,
            kinds=list(KINDS), parents=PARENTS, most_kept=MOST_KEPT, filled=filled, refused=refused, error=error,
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
        """Begin a comparison; where it is refused, what was filled in stays."""
        form = await _fields(request)
        filled = _filled(form)
        try:
            self._check(form)
            await run_in_threadpool(self._start, filled)
        except UsageError as error:
            return await run_in_threadpool(self._home, filled, "run", error)
        return RedirectResponse("/run", 303)

    def _start(self, filled: Filled) -> None:
        if not filled.suspect or not filled.parents:
            raise UsageError(
                "a comparison needs a model in question and a possible parent", "Choose them, the common base last."
            )
        names, controls = [filled.suspect, *filled.parents], [filled.control] if filled.control else []
        asked = Asked(self._located(names), self._located(controls), filled.sample)
        if len(asked.models) < len(names) or asked.models.keys() & asked.controls.keys():
            raise UsageError("the same model is named twice", "Name every model once, the control too.")
        self.runs.start(asked)

    async def stop(self, request: Request) -> Response:
        """End the run."""
        self._check(await _fields(request))
        await run_in_threadpool(self.runs.stop)
        return RedirectResponse("/run", 303)

    async def drop(self, request: Request) -> Response:
        """Read reports, and show them."""
        form = await _fields(request)
        given = [each for each in form.getlist("report") if isinstance(each, UploadFile)]
        dropped = [Dropped(each.filename or "a file", await each.read()) for each in given if each.filename]
        try:
            self._check(form)
            number = self._keep(await run_in_threadpool(shown, dropped))
        except UsageError as error:
            return await run_in_threadpool(self._home, Filled(), "reports", error)
        return RedirectResponse(f"/reports/{number}", 303)

    async def refused(self, _: Request, error: Exception) -> Response:
        """What went wrong, in words, where it belongs to no form."""
        if isinstance(error, HTTPException):
            return self._page("refused", error.status_code, message=str(error.detail))
        assert isinstance(error, OldPageError)
        return self._page("refused", STATUS[OldPageError], message=error.message)

    def _check(self, form: FormData) -> None:
        """Raises `OldPageError` for a form that is not of a page of ours."""
        token = form.get("token")
        if not isinstance(token, str) or not secrets.compare_digest(token.encode(), self._token.encode()):
            raise OldPageError("the page is older than the server", "It is new now: send the form once more.")

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


async def _fields(request: Request) -> FormData:
    """The fields of a form, with files of at most one of each kind."""
    return await request.form(max_files=len(KINDS), max_fields=MOST_FIELDS, max_part_size=1 << 12)


def _filled(form: FormData) -> Filled:
    """What was filled in; a second model in question or control is not in our form."""

    def words(field: str) -> list[str]:
        return [each.strip() for each in form.getlist(field) if isinstance(each, str) and each.strip()]

    suspect, control = ["", *words("suspect")][-1], ["", *words("control")][-1]
    return Filled(suspect, tuple(words("parent")), control, "sample" in form)


def _asked_again(asked: Asked) -> Filled:
    suspect, *parents = asked.models
    return Filled(suspect, tuple(parents), "".join(asked.controls), asked.sample)


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
