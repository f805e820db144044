"""A package that is called like the job of its name: `modelprov.merge(...)` beside `modelprov.merge.plan`.

Two rooms of the house have the names of public jobs. Python binds a package's name to the module as soon as anything
in it is imported, so a function of that name would be lost, or hide the room. Here the module itself is the function.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any


class CallablePackage(ModuleType):
    """A package whose call, signature and documentation are those of the job of its name, loaded when asked for."""

    def _job(self) -> Callable[..., Any]:
        root, _, name = self.__name__.rpartition(".")
        job: Callable[..., Any] = getattr(import_module(f"{root}.jobs.{name}"), name)
        return job

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the job."""
        return self._job()(*arguments, **named)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._job())

    __doc__ = property(lambda self: self._job().__doc__)  # what `help` and `?` show


def make_callable(package: str) -> None:
    """Let the package be called; `package` is its full name, and it is being imported."""
    sys.modules[package].__class__ = CallablePackage
