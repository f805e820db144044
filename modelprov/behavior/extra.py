"""The one place that knows what the extra `behavior` installs, and says how when it is missing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from modelprov.errors import UsageError

PACKAGES = {
    "behavior": ("torch", "transformers", "httpx", "math_verify", "psutil"),
    "lm-eval": ("lm_eval",),
    "inspect": ("inspect_ai",),
}


def require(what: str, extra: str = "behavior", packages: Sequence[str] = ()) -> None:
    """Raise `UsageError` with the command to run when a package of the extra is not installed; imports nothing.

    `packages` are those to look for, where not the extra's usual ones.
    """
    missing = [name for name in packages or PACKAGES[extra] if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"{what} needs {', '.join(missing)}, not installed here",
            f"Install it with: pip install 'modelprov[{extra}]' (from a clone: pip install -e '.[{extra}]').",
        )
