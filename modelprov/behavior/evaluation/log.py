"""The log of answers: one JSON line each, so that a stopped run goes on where it stopped. Grades nothing.

A file belongs to one set of settings; its name ends in their digest and its first line holds them, so answers made by
other settings are never mixed in. Every line after that names its question, sample and the digest of its prompt.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from modelprov.behavior.generation.interface import Answer
from modelprov.behavior.records import digest
from modelprov.called import called
from modelprov.errors import UnreadableFileError, UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.locking import lock

FORMAT = 1


@dataclass(frozen=True)
class Logged:
    """One answer as it is kept: `tokens` is their number, `prompt` the digest of the prompt's token ids.

    `finished` says that the model ended it; `final` is None for a thought that never ended (see `Answer`).
    """

    question: str
    sample: int
    prompt: str
    text: str
    thinking: str | None
    final: str | None
    finished: bool
    tokens: int
    latent_steps: int = 0
    switches: int = 0
    injected_tokens: int = 0
    mean_entropy: float | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What makes it the same answer under the same settings."""
        return self.prompt, self.sample


def logged(question: str, sample: int, prompt: str, answer: Answer) -> Logged:
    """What is kept of an answer."""
    trace = answer.trace
    return Logged(
        question, sample, prompt, answer.text, answer.thinking, answer.final, answer.finished, len(answer.tokens),
        trace.latent_steps, trace.switches_to_explicit + trace.switches_to_latent, trace.injected_tokens,
        trace.mean_entropy if trace.mean_entropy == trace.mean_entropy else None,
    )  # fmt: skip


class AnswerLog:
    """The answers made under `settings`, kept in `folder` (or only in memory where that is None)."""

    def __init__(self, folder: Path | None, names: Iterable[str], settings: Mapping[str, Any]) -> None:
        self.answers: dict[tuple[str, int], Logged] = {}
        self.path: Path | None = None
        self._file: BinaryIO | None = None
        self._settings = dict(settings)
        if folder is None:
            return
        readable = "_".join(re.sub(r"[^A-Za-z0-9.@-]+", "-", name).strip("-.")[:60] or "x" for name in names)
        self.path = folder / f"{readable}_{digest(self._settings)[:16]}.jsonl"
        with _said(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
            try:
                lock(self._file, self.path, f"Wait for it, or give another folder with {called('log')}.")
                self._read()
            except BaseException:
                self._file.close()
                raise

    def __enter__(self) -> AnswerLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, answers: Iterable[Logged]) -> None:
        """Keep these answers; on disk before it returns."""
        new = list(answers)
        if self._file is not None and self.path is not None:
            with _said(self.path):
                self._write("".join(_line(asdict(one)) for one in new))
        self.answers |= {one.key: one for one in new}

    def _write(self, text: str) -> None:
        assert self._file is not None
        self._file.write(text.encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self) -> None:
        """Take over the answers of an earlier run; a last line that was cut short is removed."""
        assert self._file is not None
        self._file.seek(0)
        lines = self._file.read().split(b"\n")
        whole = len(lines) - 1  # what follows the last line feed was cut short
        if whole and _parsed(lines[whole - 1]) is None:
            whole -= 1  # a torn write may also leave bytes that are no JSON before a line feed
        kept = sum(len(line) + 1 for line in lines[:whole])
        self._file.truncate(kept)
        if not whole:
            self._write(_line({"modelprov_answers": FORMAT, "settings": self._settings}))
            return
        head = _parsed(lines[0])
        if head is None or head.get("modelprov_answers") != FORMAT or head.get("settings") != _plain(self._settings):
            raise UsageError(
                f"{self.path} is no log of these settings",
                f"Move it away, or give another folder with {called('log')}.",
            )
        for number, line in enumerate(lines[1:whole], 2):
            data = _parsed(line)
            try:
                found = Logged(**(data or {}))
            except TypeError as error:
                raise UsageError(
                    f"{self.path}, line {number}: this is no answer that modelprov wrote",
                    "Delete that line; its question will be asked again.",
                ) from error
            self.answers.setdefault(found.key, found)


@contextlib.contextmanager
def _said(path: Path) -> Any:
    """Turn what the system refuses into an error that names the file."""
    try:
        yield
    except OSError as error:
        raise UnreadableFileError(
            f"could not keep answers in {path}: {error.strerror or error}",
            f"Check the disk and permissions, or choose another folder with {called('log')}. Answers kept so far stay.",
        ) from error


def _line(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=True, allow_nan=False) + "\n"


def _plain(data: Any) -> Any:
    return json.loads(json.dumps(data))


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        data = parse_json(line, unique=True, finite=True)
    except JsonError:
        return None
    return data if isinstance(data, dict) else None
