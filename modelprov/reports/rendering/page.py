"""The jinja environment of every page: the templates of this package, escaped and strict. Renders nothing itself."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from modelprov.reports import numbers


@cache
def environment() -> Environment:
    """Templates under `templates/`; `page.html.j2` is the frame, `macros.html.j2` the parts; `n` is `numbers`."""
    made = Environment(
        loader=PackageLoader("modelprov.reports.rendering", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["n"] = numbers
    return made
