"""The models that a probe asks: each opened when its turn comes, here or at a server. Asks nobody who they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from modelprov.behavior.probing.probe import Plan
from modelprov.behavior.probing.results import Role, ServedPrompt
from modelprov.behavior.probing.subjects import Subject
from modelprov.called import called
from modelprov.checkpoints.labels import unique_labels
from modelprov.jobs.runnable import Runnable
from modelprov.progress import Progress, tell

NOT_COUNTED = f"What stands before a conversation was not counted: that takes {called('tokenizer')}."
Members = Sequence[tuple[str, Role]]
"""Where a model is, and what it is to the suspect."""


@dataclass(frozen=True)
class Server:
    """Where a model is served, its name there, a folder with its tokenizer, seconds for one answer, further fields."""

    url: str
    model: str
    tokenizer: Path | None
    timeout: float
    extra: Mapping[str, Any] = field(default_factory=dict)


def local_openers(
    members: Members, found: Mapping[str, Runnable], plan: Plan, device: str, dtype: str, memory: int | None,
    progress: Progress, served: str | None = None,
) -> dict[str, Callable[[], Subject]]:  # fmt: skip
    """For each model's label a function that loads it when its turn comes; `found` has each by its location.

    None of their labels is `served`, what a served suspect is called: answers are kept by label.
    """
    places = [where.removesuffix(".yml").removesuffix(".yaml") for where, _ in members]
    labels = unique_labels(places) if served is None else unique_labels([served, *places], [served])[1:]

    def opener(where: str, role: Role, label: str) -> Callable[[], Subject]:
        def opened() -> Subject:
            from modelprov.behavior.probing.subjects import local_subject

            model = found[where].load(label, device, dtype, memory)
            merged = [f"the merge that {where} describes, computed in memory"] if found[where].plan is not None else []
            spread = [] if model.spread is None else [model.spread]
            return local_subject(model, role, plan.batch_size, (*merged, *spread), partial(tell, progress))

        return opened

    return {label: opener(where, role, label) for (where, role), label in zip(members, labels, strict=True)}


def server_opener(server: Server, plan: Plan, stack: ExitStack, progress: Progress) -> Callable[[], Subject]:
    """A function that meets the server when its turn comes; `stack` closes the connection."""

    def opened() -> Subject:
        from modelprov.behavior.probing.endpoint_local import local_side
        from modelprov.behavior.probing.endpoint_sampling import check_sampling
        from modelprov.behavior.probing.endpoints import Endpoint
        from modelprov.behavior.probing.served_checks import check_served
        from modelprov.behavior.probing.subjects import endpoint_subject
        from modelprov.behavior.probing.token_counts import count_prompts
        from modelprov.behavior.templates.rendering import Renderer

        endpoint = stack.enter_context(Endpoint(server.url, server.model, timeout=server.timeout, extra=server.extra))
        counts, local, renderer = None, None, Renderer()
        if server.tokenizer is not None:
            progress.stage("counting the server's tokens")
            template_values = server.extra.get("chat_template_kwargs")
            local = local_side(server.tokenizer, renderer=renderer, variables=template_values)
            counts = count_prompts(endpoint, local)
        progress.stage("asking the server the same again")
        checks = check_served(endpoint, local, counts.tokens if counts is not None else None)
        counted = ServedPrompt(
            tokens=counts.tokens if counts is not None else None,
            explanation=counts.explanation if counts is not None else NOT_COUNTED,
            checks=checks.sentences,
            answers_differ=checks.differs,
        )
        sampling = None
        if plan.samples and any(plan.temperatures):
            progress.stage("asking whether the server samples")
            sampling = check_sampling(endpoint)
        return endpoint_subject(
            endpoint, endpoint.url, server.model, server.tokenizer, plan.batch_size, counted, sampling, renderer
        )

    return opened


def quiet_transformers() -> None:
    """Its progress bars and warnings would run through ours."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
