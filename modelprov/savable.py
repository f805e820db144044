"""What every result can do by itself: write itself to a file, and show itself in a notebook. Renders nothing.

Results lie below the reports in the house, so this names `reports.saving` and imports it when it is called.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from modelprov.errors import UsageError

PAGES: Mapping[str, str] = {".html": "html", ".json": "json", ".md": "markdown"}


class Saved:
    """A result of a job that a file can hold; `forms` are its forms by the ending of the file's name."""

    forms: ClassVar[Mapping[str, str]] = {".json": "json"}

    def rendered(self, form: str) -> str:
        """The result as text, in one of the forms; raises `UsageError` for another."""
        return str(import_module("modelprov.reports.saving").rendered(form, self))

    def check_form(self, form: str) -> None:
        """Raise `UsageError` where there is no such form of this result."""
        if form not in self.forms.values():
            raise UsageError(f"there is no {form} form of this result", f"Choose {' or '.join(self.forms.values())}.")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result to a file, whole or not at all, in the form that the name's ending says. Gives the path.

        Raises `UsageError` for another ending, and `UnreadableFileError` where the file cannot be written.
        """
        return Path(import_module("modelprov.reports.saving").save(self, path))


class Page(Saved):
    """A result that is also a page, which a notebook shows."""

    forms: ClassVar[Mapping[str, str]] = PAGES

    def _repr_html_(self) -> str:
        """The page, where a notebook shows the result."""
        return str(import_module("modelprov.reports.saving").framed(self.rendered("html")))
