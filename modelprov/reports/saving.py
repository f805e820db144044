"""Results that a file takes in the form its name says, and pages that a notebook shows. Renders nothing itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from pydantic import BaseModel

from modelprov.errors import UsageError

PAGES: Final = {".html": "html", ".json": "json", ".md": "markdown"}
WEIGHTS: Final = (".safetensors", ".safetensors.index.json")
FRAME_HEIGHT = 900  # pixels


def refuse_weights(path: Path) -> None:
    """A report never takes the place of weights."""
    if path.name.endswith(WEIGHTS):
        raise UsageError(f"{path} has the name of a weights file", "Give the report another name.")


def framed(page: str) -> str:
    """The page in a frame of its own, so that its styles stay off the notebook around it; no script may run in it."""
    shown = escape(page, quote=True)
    return f'<iframe srcdoc="{shown}" sandbox="" width="100%" height="{FRAME_HEIGHT}" style="border:0"></iframe>'


class Saved:
    """A result that can be written to a file; `forms` are its forms by the ending of the file's name."""

    forms: ClassVar[Mapping[str, str]] = {".json": "json"}

    def rendered(self, form: str) -> str:
        """The result as text, in one of the forms."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result to a file, whole or not at all, in the form that the name's ending says. Gives the path.

        Raises `UsageError` for another ending, and `UnreadableFileError` where the file cannot be written.
        """
        from modelprov.reports.writing import write_atomically

        target = Path(path).expanduser()
        form = self.forms.get(target.suffix.lower())
        if form is None:
            known = ", ".join(self.forms)
            raise UsageError(f"{target} does not say which form the report takes", f"End it in {known}.")
        refuse_weights(target)
        write_atomically(target, self.rendered(form))
        return target


class Page(Saved):
    """A result that is also a page, which a notebook shows."""

    forms: ClassVar[Mapping[str, str]] = PAGES

    def _repr_html_(self) -> str:
        """The page, where a notebook shows the result."""
        return framed(self.rendered("html"))


Kind = TypeVar("Kind", bound=BaseModel)


def as_saved(kind: type[Kind], found: BaseModel) -> Kind:
    """What was found, as the kind of the same fields that can also be saved."""
    return kind.model_construct(**dict(found))
