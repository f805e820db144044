"""What identity probes do not show: sentences of every report of them. Chooses by facts, formats nothing."""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.behavior.probing.results import ModelProbed

CORROBORATION = (
    "What a model says about itself corroborates; weights decide. Without any reuse, 26 % of 27 public language models "
    "confused who they are (arXiv 2411.10683), usually because the web they learned from is full of other models' "
    "answers. Use modelprov compare for the weights."
)
NO_ALPHA = (
    "How often a model says a name is no estimate of how much of that model is in it. Identity flips like a switch: in "
    "the trained miniature of this project 0.6 of a parent made the merge say the parent's name almost always, 0.4 "
    "seldom."
)
NO_ALL_CLEAR = (
    "A model that never says a name may still hold that model's weights: a short finetune, or a line in a template, "
    "changes what it says and almost nothing of what it is."
)
NO_INTENT = "Who did what, when, or with what permission. A hidden prompt may be branding as well as concealment."
RULES = (
    "Answers are placed by fixed rules on names declared before the run. A name that an answer denies or only quotes "
    "is not counted; one that it says in passing is. With --log every answer can be read."
)
NO_CONTROL = "Whether an unrelated model would answer alike: no --control was given."
NO_PARENTS = "Whether the suspected sources answer alike: no --parent was given."
SERVED = (
    "Which weights a server holds. It may add prompts, filter answers, or send them to different models; its word on "
    "token counts is all that shows of it."
)


def few(questions: int, *, quick: bool) -> str:
    """What so many questions about name, maker and origin cannot tell."""
    least = 100 * (1 - 0.025 ** (1 / max(questions, 1)))
    text = (
        f"Rare names: with {questions:,} questions about name, maker and origin, one that no greedy answer says may "
        f"still be said in up to {least:.1f} % of such answers."
    )
    more = " With --quick neither languages nor kinds of question can be told apart; leave it out for that."
    return text + (more if quick else "")


def does_not_show(models: Sequence[ModelProbed], questions: int = 0, *, quick: bool = False) -> tuple[str, ...]:
    """The limits of a probe of these models, the general ones first; `questions` are those about name and maker."""
    roles = {one.role for one in models}
    missing = [text for role, text in (("parent", NO_PARENTS), ("control", NO_CONTROL)) if role not in roles]
    served = [SERVED] if any(one.digest is None for one in models) else []
    rare = [few(questions, quick=quick)] if questions else []
    return (CORROBORATION, NO_ALPHA, NO_ALL_CLEAR, NO_INTENT, RULES, *rare, *missing, *served)
