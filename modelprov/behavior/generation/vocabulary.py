"""Looks up the token ids that steer generation: thinking tags, line break, mathematics, injected words. No model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelprov.behavior.thinking import CLOSE, HARMONY, OPEN, marks
from modelprov.errors import UsageError

TERMINATION = CLOSE + "\n\nThe final answer is"

_OPERATORS = "+-*/^=<>()[]{}_|"
_COMMANDS = (
    "leq geq neq approx sim equiv to implies iff in notin subset supset subseteq supseteq cup cap emptyset varnothing "
    "frac dfrac sqrt sqrt[] binom choose cdot dots ldots cdots vdots ddots sum prod int lim min max arg deg gcd "
    "operatorname sin cos tan arcsin arccos arctan log ln exp cot cotg sec csc "
    "pi theta alpha beta gamma delta epsilon zeta lambda mu nu "
    "mathbb mathbf mathrm text mbox boxed overline underline infty circ prime ast star triangle triangleleft "
    "triangleright perp parallel angle left right mid vert Vert lceil rceil lfloor rfloor "
    "left( right) left[ right] left\\{ right\\} begin{pmatrix} end{pmatrix} "
    "because therefore forall exists wedge vee neg"
)


def math_texts() -> tuple[str, ...]:
    """What counts as mathematics in SwiReasoning: operators, digits, Latin letters, LaTeX commands."""
    lower = "abcdefghijklmnopqrstuvwxyz"
    commands = ("\\" + name for name in _COMMANDS.split())
    return (*_OPERATORS, *"0123456789", *lower, *lower.upper(), *commands)


@dataclass(frozen=True)
class Vocabulary:
    """Token ids of one tokenizer.

    `open` and `close` are the thinking tags, `math` every token that stays explicit, `special` the special tokens
    besides the tags: those that part the turns of a conversation are among them.
    """

    open: int
    close: int
    line_break: int
    math: frozenset[int]
    convergence: tuple[int, ...]
    termination: tuple[int, ...]
    special: frozenset[int] = frozenset()


def thinking_tags(tokenizer: Any) -> tuple[int, int] | None:
    """Ids of `<think>` and `</think>`, or None where the vocabulary does not hold each as one token."""
    vocabulary = tokenizer.get_vocab()
    if OPEN in vocabulary and CLOSE in vocabulary:
        return int(vocabulary[OPEN]), int(vocabulary[CLOSE])
    return None


def mark_ids(tokenizer: Any, known: frozenset[str] = marks()) -> frozenset[int]:
    """Ids of the tokens that part thoughts from answers; those of gpt-oss only where it has channels."""
    vocabulary = tokenizer.get_vocab()
    used = known if "<|channel|>" in vocabulary else known - frozenset(HARMONY)
    return frozenset(int(vocabulary[mark]) for mark in used if mark in vocabulary)


def special_ids(tokenizer: Any) -> frozenset[int]:
    """Ids of the special tokens, those that open or end a thought left out."""
    return frozenset(tokenizer.all_special_ids) - mark_ids(tokenizer, marks() - frozenset(HARMONY))


def look_up(tokenizer: Any, label: str, method: str, compat: str = "corrected") -> Vocabulary:
    """The ids that `method` needs; raises `UsageError` where the vocabulary has no thinking tags or no line break.

    `compat="reference"` takes the two characters backslash and n for the line break where the vocabulary holds them as
    a token, as the public program does.
    """
    tags = thinking_tags(tokenizer)
    if tags is None:
        raise UsageError(
            f"{method} needs {OPEN} and {CLOSE} as single tokens, and {label} lacks them",
            "Use the method cot or cot-greedy, or a model trained to think between these tags.",
        )
    close = (tags[1],)
    return Vocabulary(
        open=tags[0],
        close=tags[1],
        line_break=_line_break(tokenizer, label, method, compat),
        math=frozenset(one for text in math_texts() for one in _encoded(tokenizer, text)),
        convergence=close,
        termination=close + _encoded(tokenizer, TERMINATION.removeprefix(CLOSE)),
        special=special_ids(tokenizer),
    )


def _line_break(tokenizer: Any, label: str, method: str, compat: str) -> int:
    """The token of a line break: what it is encoded as, or the last piece of that where pieces precede it."""
    vocabulary = tokenizer.get_vocab()
    if compat == "reference" and "\\n" in vocabulary:
        return int(vocabulary["\\n"])
    pieces = _encoded(tokenizer, "\n")
    if pieces and tokenizer.decode([pieces[-1]]) == "\n":
        return pieces[-1]
    raise UsageError(
        f"{method} needs a token for a line break, and the tokenizer of {label} has none",
        "Use the method cot, cot-greedy or cot-budget.",
    )


def _encoded(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in tokenizer.encode(text, add_special_tokens=False))
