"""What every result can do by itself: write itself to a file, and show itself in a notebook. Renders nothing.

Results lie below the reports in the house, so this names `reports.saving` and imports it when it is called.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path


class Savable:
    """A result of a job. `modelprov.reports.saving` knows how each kind is told."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result to a file, whole or not at all, as its name says: .html, .json or .md. Gives the path.

        Raises `UsageError` for another ending, and `UnreadableFileError` where the file cannot be written.
        """
        return Path(import_module("modelprov.reports.saving").save(self, path))

    def _repr_html_(self) -> str:
        """The page, where a notebook shows the result."""
        return str(import_module("modelprov.reports.saving").framed(self))
