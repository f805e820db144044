"""What `probe` refuses before a model is loaded, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelprov.called import called
from modelprov.errors import UsageError

HOTTEST = 10


def refuse_unmeant(
    names: Sequence[str], phrases: Sequence[str], heat: Sequence[float], tokenizer: Path | None, endpoint: str | None,
    *, otherwise: bool,
) -> None:  # fmt: skip
    """Names, phrases and temperatures; `otherwise` says that something else than names is asked about."""
    if not names and not otherwise:
        raise UsageError(
            "probe needs the names to look for", f"Declare them: {called('name')} Rio {called('name')} Nex=Nex-AGI."
        )
    if not all(0 < each <= HOTTEST for each in heat):
        raise UsageError(
            f"{called('temperature')} is above 0 and at most {HOTTEST}", "Greedy answers are always made too."
        )
    if any(not each.strip() for each in phrases):
        raise UsageError(f"{called('backstory')} is empty", "Give a phrase that only one model would say.")
    if tokenizer is not None and endpoint is None:
        raise UsageError(f"{called('tokenizer')} is for {called('endpoint')}", "A local model has its own.")
    if tokenizer is not None and not tokenizer.is_dir():
        raise UsageError(f"{tokenizer} is no folder", "Give the folder with tokenizer.json and its chat template.")


def refuse_without_weights(endpoint: str | None, parent: object, published: object) -> None:
    """Whose weights log-probabilities are held against, and whose they are."""
    if endpoint is None:
        raise UsageError(
            f"{called('logprobs')} is for {called('endpoint')}",
            "Heads of models that are here are compared by modelprov compare, tensor by tensor.",
        )
    if not parent and published is None:
        raise UsageError(
            f"{called('logprobs')} needs weights to hold the numbers against",
            f"Give {called('parent')} or {called('published')}, and three {called('control')} of the same kind.",
        )
