"""What reading a file must never do: run something, unpickle, ask the network, or touch a file that lies elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RUNS = frozenset({
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pty.spawn",
    "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "urllib.Request",
    "pickle.find_class", "ctypes.dlopen", "code.__new__",
})  # fmt: skip
"""Events of Python's audit hooks (PEP 578) that no reader may bring about."""
TEXT = frozenset({"exec", "compile"})
"""Likewise, unless a module of ours or of a library is being imported."""
PLACES = frozenset({
    "open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink",
    "os.truncate", "os.chmod", "os.utime", "shutil.rmtree", "shutil.copyfile", "shutil.move",
})  # fmt: skip
"""Events whose first argument is a path, which must lie in the folder that is read, or belong to what is installed."""
INSTALLED = (
    *(f"{Path(each).resolve()}/" for each in (sys.prefix, sys.base_prefix, Path(__file__).parents[2])),
    "/proc/", "/sys/", "/dev/null", "/dev/urandom",
)  # fmt: skip


class ForbiddenError(BaseException):
    """An input brought about what none may; no `except Exception` of a reader takes it for its own."""


_folders: list[str] = []


@contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Raise `ForbiddenError` at what a reader of `folder` must not do."""
    if _hook not in _installed:  # a hook is never taken away again
        sys.addaudithook(_hook)
        _installed.append(_hook)
    _folders.append(f"{folder}/")
    try:
        yield
    finally:
        _folders.pop()


def _hook(event: str, given: tuple[Any, ...]) -> None:
    if not _folders or not (event in RUNS or event in TEXT or event in PLACES):
        return
    if event in TEXT:
        own = not getattr(given[0], "co_filename", "").startswith(_folders[-1]) and _importing()
    elif event == "subprocess.Popen":  # a child of ours with limits
        own = given[0] == sys.executable and _installed_at(given[1][-1])
    elif event == "ctypes.dlopen":
        own = _installed_at(given[0] or "/dev/null")
    elif event in PLACES:
        own = not isinstance(given[0], str | bytes | os.PathLike) or _installed_at(given[0], _folders[-1])
        own = own or _importing()  # which looks through whatever Python's path names
    else:
        own = False
    if not own:
        raise ForbiddenError(f"{event} {given!r}"[:300])


def _installed_at(place: str | bytes | os.PathLike[str], *more: str) -> bool:
    whole = os.path.normpath(os.path.join(os.getcwd(), os.fsdecode(place))) + "/"
    return whole.startswith((*more, *INSTALLED))


def _importing() -> bool:
    """Whether a module is being imported, which runs its text; so says the stack."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


_installed: list[Any] = []
