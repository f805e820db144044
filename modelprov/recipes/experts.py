"""What a mixture of experts says (mergekit-moe): models, prompts that route to each, how gates are made. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from modelprov.errors import UsageError
from modelprov.recipes.numbers_given import number
from modelprov.records import Frozen

MIXTURE: Final = "moe"
"""The merge_method of such a recipe; mergekit-moe's own files say none."""
DRAWN: Final = ("random", "uniform_random")
GateMode = Literal["hidden", "hidden_avg", "hidden_last", "cheap_embed", "random", "uniform_random"]
Number = Annotated[float, BeforeValidator(number)]


class Expert(Frozen):
    """A model whose MLPs become one expert of every layer."""

    source_model: Annotated[str, Field(max_length=4096)]
    positive_prompts: tuple[str, ...] = ()
    negative_prompts: tuple[str, ...] = ()
    noise_scale: Number | None = None
    residual_scale: Number | None = None


def check_experts(experts: Sequence[Expert], shared: Sequence[Expert], mode: GateMode, per_token: int) -> None:
    """Raise `UsageError` for what mergekit-moe refuses, and for noise, which no other program can repeat."""
    noisy = next((each.source_model for each in (*experts, *shared) if each.noise_scale is not None), None)
    if noisy is not None:
        raise UsageError(f"noise_scale (of {noisy}) is not built: it adds random numbers to an expert", "Leave it out.")
    if not 1 <= per_token <= len(experts):
        raise UsageError(
            f"experts_per_token is {per_token} of {len(experts)} experts", "Name as many experts as work on a token."
        )
    if len(experts) > 1 and len({each.source_model for each in experts}) == 1:
        raise UsageError("all experts are the same model, so the mixture would be that model", "Name others.")
    if mode in DRAWN:
        return
    without = next((each.source_model for each in experts if not each.positive_prompts), None)
    if without is not None:
        raise UsageError(
            f"the expert {without} has no positive_prompts, which gate_mode {mode} makes its gate of",
            "Add some, or say `gate_mode: random`.",
        )
    if len({(each.positive_prompts, each.negative_prompts) for each in experts}) == 1 < len(experts):
        raise UsageError("all experts have the same prompts, so that nothing tells them apart", "Give each its own.")
    if any(not each.positive_prompts for each in shared):
        raise UsageError("a shared expert has no positive_prompts", "Add some, or say `gate_mode: random`.")
