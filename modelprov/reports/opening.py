"""Show a written page in the reader's browser, where there is one. Renders nothing and never fails."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path


def temporary_page() -> Path:
    """A file name in a new folder that only this user may read; nothing removes it."""
    return Path(tempfile.mkdtemp(prefix="modelprov-")) / "report.html"


def has_browser(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a window can be expected to open: BROWSER is set, or there is a screen and this is no CI job.

    Without a screen, Python would start a browser for terminals, which would wait for keys that nobody presses.
    """
    if environment.get("BROWSER"):
        return True
    if environment.get("CI"):
        return False
    if platform in ("darwin", "win32", "cygwin"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def open_page(path: Path) -> bool:
    """Open the file in the browser; False where there is none or it did not start."""
    import webbrowser

    if not has_browser(os.environ, sys.platform):
        return False
    try:
        return webbrowser.open(path.resolve().as_uri())
    except (webbrowser.Error, OSError, ValueError):
        return False
