"""One question of a task, as asked and as graded. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Question:
    """One line of a task: `answer` is what `grader` compares with; a choice's answer is its letter."""

    id: str
    question: str
    answer: str
    grader: str
    choices: tuple[str, ...] = ()
    system: str | None = None

    @property
    def prompt(self) -> str:
        """The question as asked: a choice lists its options by letter and says how to answer."""
        if not self.choices:
            return self.question
        options = "\n".join(f"{LETTERS[i]}. {one}" for i, one in enumerate(self.choices))
        return f"{self.question}\n\n{options}\n\nAnswer with the letter of one option."

    def as_dict(self) -> dict[str, Any]:
        """Everything that shapes a result, as plain data."""
        return {key: getattr(self, key) for key in ("id", "question", "answer", "grader", "system")} | {
            "choices": list(self.choices)
        }
