"""Runs `modelprov probe`: opens models in turn, asks, assembles the report. Renders nothing."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from modelprov.cli.terminal import say, terminal
from modelprov.errors import EndpointError, InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelprov.behavior.probing.probe import Findings, Plan
    from modelprov.behavior.probing.results import ProbeReport
    from modelprov.behavior.probing.subjects import Subject
    from modelprov.cli.progress import Bar

Server = tuple[str, str, Path | None, float]
"""Its URL, the model's name there, a folder with the tokenizer, seconds for one answer."""


def run(
    members: Sequence[tuple[str, str]], plan: Plan, log: Path | None, *, device: str = "auto", dtype: str = "auto",
    server: Server | None = None, quiet: bool = False,
) -> ProbeReport:  # fmt: skip
    """Open, ask and assemble the report; `members` are (location, role) with the suspect first, or a server's."""
    from modelprov.behavior.probing.answer_log import AnswerLog
    from modelprov.behavior.probing.probe import probe as ask_all
    from modelprov.cli.behavior_models import runnable
    from modelprov.cli.progress import Bar

    _calm_transformers()
    started, clock = datetime.now(UTC), time.perf_counter()
    with ExitStack() as stack:
        bar = stack.enter_context(Bar(terminal(error=True), quiet))
        answers = stack.enter_context(AnswerLog(log))
        if answers.kept and not quiet:
            say(f"{log}: {answers.kept:,} answers are there already")
        folders = stack.enter_context(runnable([where for where, _ in members], bar))
        openers = _openers(members, folders, plan, device, dtype)
        if server is not None:
            openers.insert(0, _server(server, plan, stack, bar))
        try:
            found = ask_all(openers, plan, answers, bar)
        except KeyboardInterrupt as error:
            raise InterruptedRunError("stopped by the user", _kept(log)) from error
        except EndpointError as error:
            raise EndpointError(
                error.message, f"{error.advice} {_kept(log)}".strip(), status=error.status, passing=error.passing
            ) from error
    return _report(found, plan, started, time.perf_counter() - clock)


def _report(found: Findings, plan: Plan, started: datetime, seconds: float) -> ProbeReport:
    from modelprov.behavior.probing.results import ProbeReport
    from modelprov.behavior.probing.wording import does_not_show
    from modelprov.behavior.records import environment

    return ProbeReport(
        command=shlex.join(["modelprov", *sys.argv[1:]]), settings=plan.settings(), models=tuple(found.models),
        arms=tuple(found.arms), log_probabilities=tuple(found.log_probabilities), examples=tuple(found.examples),
        does_not_show=does_not_show(found.models),
        environment=environment(
            ", ".join(dict.fromkeys(found.devices)), ", ".join(dict.fromkeys(found.dtypes)), started, seconds
        ),
    )  # fmt: skip


def _openers(
    members: Sequence[tuple[str, str]], folders: dict[str, str], plan: Plan, device: str, dtype: str
) -> list[Callable[[], Subject]]:
    """One function a model, that loads it when its turn comes."""
    from modelprov.checkpoints.labels import unique_labels

    labels = unique_labels([where.removesuffix(".yml").removesuffix(".yaml") for where, _ in members])

    def opener(where: str, role: str, label: str) -> Callable[[], Subject]:
        def opened() -> Subject:
            from dataclasses import replace
            from typing import cast

            from modelprov.behavior.loading import load_model
            from modelprov.behavior.probing.results import Role
            from modelprov.behavior.probing.subjects import local_subject

            model = replace(load_model(folders[where], label, device, dtype), location=where)
            notes = [f"a merge that {where} describes, written for this probe"] if folders[where] != where else []
            return local_subject(model, cast("Role", role), plan.batch_size, notes)

        return opened

    return [opener(where, role, label) for (where, role), label in zip(members, labels, strict=True)]


def _server(
    server: tuple[str, str, Path | None, float], plan: Plan, stack: ExitStack, bar: Bar
) -> Callable[[], Subject]:
    def opened() -> Subject:
        from modelprov.behavior.probing.endpoint_local import local_side
        from modelprov.behavior.probing.endpoint_sampling import check_sampling
        from modelprov.behavior.probing.endpoints import Endpoint
        from modelprov.behavior.probing.results import ServedPrompt
        from modelprov.behavior.probing.subjects import endpoint_subject
        from modelprov.behavior.probing.token_counts import count_prompts
        from modelprov.behavior.templates.rendering import Renderer

        url, name, tokenizer, timeout = server
        endpoint = stack.enter_context(Endpoint(url, name, timeout=timeout))
        counted, renderer = None, Renderer()
        if tokenizer is not None:
            bar.stage("counting the server's tokens")
            counts = count_prompts(endpoint, local_side(tokenizer, renderer=renderer))
            counted = ServedPrompt(tokens=counts.tokens, explanation=counts.explanation)
        sampling = None
        if plan.samples and any(plan.temperatures):
            bar.stage("asking whether the server samples")
            sampling = check_sampling(endpoint)
        return endpoint_subject(endpoint, endpoint.url, name, tokenizer, plan.batch_size, counted, sampling, renderer)

    return opened


def _kept(log: Path | None) -> str:
    if log is None:
        return "Nothing was kept; with --log FILE the next run can be gone on from."
    return f"Every answer so far is in {log}: run the same command again to go on."


def _calm_transformers() -> None:
    """Its progress bars and warnings would run through ours."""
    import os

    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
