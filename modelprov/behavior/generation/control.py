"""Decides, step by step for one sequence, which token is emitted and what the model reads next. No tensors, no model.

A control is asked once a step, with the token the model chose and the entropy of its distribution, and answers with a
`Decision`. `SwiControl` follows Shi et al. (arXiv 2510.05069); the differences of `compat` are listed in
docs/generation.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelprov.behavior.generation.interface import Method, SwiReasoning
from modelprov.behavior.generation.vocabulary import Vocabulary


@dataclass(frozen=True)
class Decision:
    """What follows from a step: `token` is emitted; the next input is soft * s + other_weight * E[other].

    s is the mean embedding under the model's distribution. With `soft` 0 the input is the embedding of `token`, and s
    need not be computed. `latent` says how the step counts: leaving latent thinking is an explicit step with a mixed
    input. `stop` ends the sequence after this token.
    """

    token: int
    soft: float = 0.0
    other: int = 0
    other_weight: float = 0.0
    latent: bool = False
    injected: bool = False
    stop: bool = False


class Control(Protocol):
    """One sequence's rule; `to_explicit` and `to_latent` count its switches so far."""

    to_explicit: int
    to_latent: int

    def step(self, number: int, chosen: int, entropy: float) -> Decision:
        """What to do at step `number` (from 0), where the model chose a token with this entropy (nats)."""


class PlainControl:
    """Chain of thought: what the model chose is emitted and read."""

    to_explicit = to_latent = 0

    def step(self, number: int, chosen: int, entropy: float) -> Decision:  # noqa: ARG002
        """The chosen token."""
        return Decision(chosen)


class BudgetControl:
    """Chain of thought whose thinking is closed after `budget` tokens of it, by the termination words.

    Tokens count while a `<think>` is open, in the prompt or in the answer; the tags do not.
    """

    to_explicit = to_latent = 0

    def __init__(self, vocabulary: Vocabulary, budget: int, prompt: Sequence[int]):
        self._vocabulary, self._left = vocabulary, budget
        self._open = is_open(prompt, vocabulary)
        self._queue: deque[int] = deque()

    def step(self, number: int, chosen: int, entropy: float) -> Decision:  # noqa: ARG002
        """The chosen token, or the next of the words that end the thinking."""
        words = self._vocabulary
        if self._open and self._left <= 0 and chosen != words.close and not self._queue:
            self._queue.extend(words.termination)
        injected = bool(self._queue)
        token = self._queue.popleft() if injected else chosen
        if token in (words.open, words.close):
            self._open = token == words.open
        elif self._open:
            self._left -= 1
        return Decision(token, injected=injected)


class SwiControl:
    """SwiReasoning of one sequence; `steps` is T, the number of tokens it may have."""

    def __init__(self, vocabulary: Vocabulary, settings: SwiReasoning, steps: int):
        self._vocabulary, self._settings, self._steps = vocabulary, settings, steps
        self._reference = settings.compat == "reference"
        self._latent, self._locked = True, False
        self._reference_entropy, self._stay = 0.0, 0
        self._queue: deque[int] = deque()
        self._answer_left: int | None = None
        self.to_explicit = self.to_latent = 0

    def step(self, number: int, chosen: int, entropy: float) -> Decision:
        """One step: emit the chosen or an injected token, switch the mode, choose the next input."""
        was_locked, counting = self._locked, self._answer_left is not None and not self._queue
        injected = bool(self._queue)
        token = self._queue.popleft() if injected else chosen
        seen = chosen if self._reference else token
        self._locked = self._locked or seen == self._vocabulary.close

        leaves, enters = self._switch(number, entropy, fixed=not self._reference and (was_locked or injected))
        if leaves and self._settings.max_switches is not None and (self._reference or not self._locked):
            self._inject(self._settings.max_switches)
        stop = self._spend(counting)
        return self._decision(number, token, leaves, enters, injected, stop)

    def _switch(self, number: int, entropy: float, fixed: bool) -> tuple[bool, bool]:
        """Whether the mode changes to explicit, or to latent; `fixed` forbids both."""
        if number == 0:
            self._reference_entropy = entropy
            return False, False
        self._stay += 1
        if fixed:
            return False, False
        leaves = self._latent and entropy < self._reference_entropy
        enters = (
            not self._latent
            and entropy > self._reference_entropy
            and self._stay >= self._settings.window
            and not self._locked
        )
        if leaves or enters:
            self._latent, self._stay, self._reference_entropy = enters, 0, entropy
            self.to_explicit += leaves
            self.to_latent += enters
        return leaves, enters

    def _inject(self, limit: int) -> None:
        """Queue the words that the number of switches asks for, from the next token on."""
        if limit <= self.to_explicit <= 2 * limit:
            self._queue = deque(self._vocabulary.convergence)
        elif self.to_explicit > 2 * limit:
            self._queue = deque(self._vocabulary.termination)
            self._answer_left = self._settings.answer_budget

    def _spend(self, counting: bool) -> bool:
        """Count a token of the answer budget; whether it was the last.

        The public program counts from the step that queues the words, so the words use the budget up too.
        """
        if self._answer_left is not None and (counting or self._reference):
            self._answer_left -= 1
            return self._answer_left <= 0
        return False

    def _decision(
        self, number: int, token: int, leaves: bool, enters: bool, injected: bool, stop: bool
    ) -> Decision:  # fmt: skip
        words, settings = self._vocabulary, self._settings
        if leaves:
            beta = settings.beta + (1 - settings.beta) * number / self._steps
            return Decision(token, beta, words.close, 1 - beta, injected=injected, stop=stop)
        explicit = not self._latent or self._locked or token in words.math or (injected and not self._reference)
        if explicit:
            return Decision(token, injected=injected, stop=stop)
        if number == 0:
            return Decision(token, 0.9, words.line_break, 0.1, True, injected, stop)
        if enters:
            alpha = settings.alpha + (1 - settings.alpha) * number / self._steps
            return Decision(token, alpha, words.open, 1 - alpha, True, injected, stop)
        return Decision(token, 1.0, latent=True, injected=injected, stop=stop)


class SoftControl:
    """Soft thinking: while a thought is open, the model reads the mixture that its token was drawn with."""

    to_explicit = to_latent = 0

    def __init__(self, vocabulary: Vocabulary, prompt: Sequence[int]):
        self._vocabulary, self._open = vocabulary, is_open(prompt, vocabulary)

    def step(self, number: int, chosen: int, entropy: float) -> Decision:  # noqa: ARG002
        """The chosen token; the tags themselves are read as they are."""
        words = self._vocabulary
        if chosen in (words.open, words.close):
            opens = chosen == words.open
            self.to_latent += opens and not self._open
            self.to_explicit += self._open and not opens
            self._open = opens
            return Decision(chosen)
        return Decision(chosen, 1.0, latent=True) if self._open else Decision(chosen)


def is_open(tokens: Iterable[int], vocabulary: Vocabulary) -> bool:
    """Whether these tokens end inside a thought: the last thinking tag among them is `<think>`.

    A special token ends a thought too, so that a question that mentions `<think>` opens none in the answer.
    """
    inside = False
    for token in tokens:
        if token in (vocabulary.open, vocabulary.close) or token in vocabulary.special:
            inside = token == vocabulary.open
    return inside


def control_of(method: Method, vocabulary: Vocabulary | None, prompt: Sequence[int], steps: int) -> Control:
    """A fresh control for one sequence of this method."""
    if method.swir is not None and vocabulary is not None:
        return SwiControl(vocabulary, method.swir, steps)
    if method.soft is not None and vocabulary is not None:
        return SoftControl(vocabulary, prompt)
    if method.thinking_budget is not None and vocabulary is not None:
        return BudgetControl(vocabulary, method.thinking_budget, prompt)
    return PlainControl()
