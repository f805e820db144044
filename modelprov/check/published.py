"""Where the rules' pages are published, as the installed package says. Decides nothing."""

from __future__ import annotations

DOCUMENTATION = "Documentation"
"""The project URL below which the documents lie, which a release has (`hatch_build.py`)."""


def rule_pages() -> str | None:
    """The address of the folder of the rules' pages; None for a build that was not told where its repository is."""
    from importlib.metadata import PackageNotFoundError, metadata  # slow to import, and asked once a run

    try:
        addresses = metadata("modelprov").get_all("Project-URL") or []
    except PackageNotFoundError:
        return None
    said = dict(address.split(", ", 1) for address in addresses if ", " in address)
    return f"{said[DOCUMENTATION].rstrip('/')}/rules" if DOCUMENTATION in said else None
