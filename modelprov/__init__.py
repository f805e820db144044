"""modelprov: says, from the weights themselves, where a language model came from.

The names of the library; each is loaded when it is first used, so that importing the package costs nothing and
`modelprov --help` answers at once. The jobs themselves are in `modelprov.jobs`. These names, and what their
documentation names, are all that is public (ADR 0013).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelprov.jobs.add import add
    from modelprov.jobs.atlas import atlas
    from modelprov.jobs.attest import attest
    from modelprov.jobs.check import check
    from modelprov.jobs.compare import compare
    from modelprov.jobs.compare_part import compare_part
    from modelprov.jobs.evaluate import evaluate
    from modelprov.jobs.fingerprint import fingerprint
    from modelprov.jobs.identify import identify
    from modelprov.jobs.inspect import inspect
    from modelprov.jobs.merge import merge
    from modelprov.jobs.open import open  # noqa: A004  (the public name)
    from modelprov.jobs.probe import probe
    from modelprov.jobs.recheck import recheck
    from modelprov.jobs.verify import verify

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "add",
    "atlas",
    "attest",
    "check",
    "compare",
    "compare_part",
    "evaluate",
    "fingerprint",
    "identify",
    "inspect",
    "merge",
    "open",
    "probe",
    "recheck",
    "verify",
]

_JOBS = frozenset(__all__) - {"__version__"}
_MODULES = {"errors", "progress"}
_PACKAGES = {"check", "merge"}
"""Jobs that have the name of a room: the package itself is called (`callable_package`)."""


def __getattr__(name: str) -> Any:
    """Load a job when its name is first used."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _JOBS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _PACKAGES:
        return import_module(f"{__name__}.{name}")
    job = getattr(import_module(f"{__name__}.jobs.{name}"), name)
    globals()[name] = job
    return job


def __dir__() -> list[str]:
    """Every name, loaded or not."""
    return sorted({*globals(), *__all__, *_MODULES})
