"""The one place that knows what the extra `behavior` installs, and says how when it is missing."""

from __future__ import annotations

from importlib.util import find_spec

from modelprov.errors import UsageError

PACKAGES = {
    "behavior": ("torch", "transformers", "httpx", "math_verify"),
    "lm-eval": ("lm_eval",),
    "inspect": ("inspect_ai",),
}


def require(what: str, extra: str = "behavior") -> None:
    """Raise `UsageError` with the command to run when a package of the extra is not installed; imports nothing."""
    missing = [name for name in PACKAGES[extra] if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"{what} needs {', '.join(missing)}, not installed here",
            f"Install it with: pip install 'modelprov[{extra}]' (from a clone: pip install -e '.[{extra}]').",
        )
