"""Every answer, kept as it comes: a JSON Lines file that a stopped run goes on from. Judges nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from modelprov.errors import UnreadableFileError, UsageError

KIND = "modelprov probe answer"


@dataclass(frozen=True)
class Spoken:
    """One answer: `final` is what follows the thinking, None for a thought that never ended."""

    thinking: str | None
    final: str | None
    finished: bool


class AnswerLog:
    """Answers by key; with a path, each is written as soon as it is known.

    The key of an answer is a digest of everything that shapes it (model, prompt, sampling, seed, number): a log may
    serve other runs, and never gives an answer to another question. A last line cut by a crash is dropped.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._answers: dict[str, Spoken] = {}
        self._file: TextIO | None = None
        self.kept = 0

    def __enter__(self) -> AnswerLog:
        if self._path is None:
            return self
        try:
            self._read(self._path)
            self._file = self._path.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise UnreadableFileError(f"the log {self._path} cannot be used: {error}", "Give another --log.") from error
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
        self._answers[key] = spoken
        if self._file is None:
            return
        row = {
            "kind": KIND, "key": key, **about,
            "thinking": spoken.thinking, "answer": spoken.final, "finished": spoken.finished,
        }  # fmt: skip
        try:
            self._file.write(json.dumps(row, ensure_ascii=True) + "\n")
            self._file.flush()
        except OSError as error:
            raise UnreadableFileError(
                f"the log {self._path} cannot be written: {error}", "Free some space and run the command again."
            ) from error

    def _read(self, path: Path) -> None:
        if not path.exists():
            return
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = json.loads(line)
                if row["kind"] != KIND:
                    raise KeyError("kind")
                self._answers[str(row["key"])] = Spoken(row["thinking"], row["answer"], bool(row["finished"]))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise UsageError(
                    f"line {number} of {path} is no answer of a probe", "Give --log a new file, or one of probe's own."
                ) from error
        self.kept = len(self._answers)
        if len(whole) < len(data):
            if not whole and not data.startswith(b'{"kind": "modelprov'[: len(data)]):
                raise UsageError(f"{path} is no log of a probe", "Give --log a new file, or one of probe's own.")
            os.truncate(path, len(whole))
