"""Every answer, kept as it comes: a JSON Lines file that a stopped run goes on from. Judges nothing."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from modelprov.called import called
from modelprov.errors import UnreadableFileError, UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.locking import lock

KIND = "modelprov probe answer"


@dataclass(frozen=True)
class Spoken:
    """One answer: `final` is what follows the thinking, None for a thought that never ended."""

    thinking: str | None
    final: str | None
    finished: bool


class AnswerLog:
    """Answers by key; with a path, each is on disk as soon as it is known, and no other run writes there meanwhile.

    The key of an answer is a digest of everything that shapes it (model, prompt, sampling, seed, number): a log may
    serve other runs, and never gives an answer to another question. A last line cut by a crash is dropped.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._answers: dict[str, Spoken] = {}
        self._file: FileIO | None = None
        self.kept = 0

    def __enter__(self) -> AnswerLog:
        if self._path is None:
            return self
        with _said(self._path):
            if self._path.exists() and not self._path.is_file():
                raise UsageError(f"{self._path} is no file", f"Give {called('log')} a new file, or one of probe's own.")
            self._file = self._path.open("a+b", buffering=0)
            try:
                lock(self._file, self._path, f"Wait for it, or give another file with {called('log')}.")
                self._read(self._file, self._path)
            except BaseException:
                self._file.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def get(self, key: str) -> Spoken | None:
        """The answer with this key, if it was given before."""
        return self._answers.get(key)

    def put(self, key: str, spoken: Spoken, about: Mapping[str, Any]) -> None:
        """Keep an answer; `about` is for readers of the file."""
        self.put_all([(key, spoken, about)])

    def put_all(self, rows: Iterable[tuple[str, Spoken, Mapping[str, Any]]]) -> None:
        """Keep these answers; on disk before it returns."""
        new = list(rows)
        if self._file is not None and self._path is not None:
            with _said(self._path):
                _write(self._file, "".join(_line(key, spoken, about) for key, spoken, about in new).encode())
        self._answers |= {key: spoken for key, spoken, _ in new}

    def _read(self, file: FileIO, path: Path) -> None:
        file.seek(0)
        data = file.readall()
        whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = parse_json(line, unique=True, finite=True)
                if row["kind"] != KIND:
                    raise KeyError("kind")
                self._answers[str(row["key"])] = Spoken(row["thinking"], row["answer"], bool(row["finished"]))
            except (JsonError, KeyError, TypeError) as error:
                raise UsageError(
                    f"line {number} of {path} is no answer of a probe",
                    f"Give {called('log')} a new file, or one of probe's own.",
                ) from error
        self.kept = len(self._answers)
        if len(whole) < len(data):
            if not whole and not data.startswith(b'{"kind": "modelprov'[: len(data)]):
                raise UsageError(
                    f"{path} is no log of a probe", f"Give {called('log')} a new file, or one of probe's own."
                )
            file.truncate(len(whole))


def _line(key: str, spoken: Spoken, about: Mapping[str, Any]) -> str:
    row = {
        "kind": KIND, "key": key, **about,
        "thinking": spoken.thinking, "answer": spoken.final, "finished": spoken.finished,
    }  # fmt: skip
    return json.dumps(row, ensure_ascii=True) + "\n"


def _write(file: FileIO, data: bytes) -> None:
    """All of it, down to the disk. The file has no buffer: what did not fit is not tried again when it is closed."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn what the system refuses into an error that names the file."""
    try:
        yield
    except OSError as error:
        raise UnreadableFileError(
            f"could not keep answers in {path}: {error.strerror or error}",
            f"Check the disk and permissions, or give another file with {called('log')}. Answers kept so far stay; "
            "run the same command again to go on.",
        ) from error
