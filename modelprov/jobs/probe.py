"""The job of `modelprov probe`: a model and names in, who it says it is out; beside its possible sources."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from modelprov.behavior.continuations.completing import Completing
from modelprov.behavior.continuations.continuing import Continuing
from modelprov.behavior.continuations.imaging import Imaging
from modelprov.behavior.continuations.judging import PROMPTS
from modelprov.behavior.continuations.softmax_image import LEAST_TEXTS
from modelprov.behavior.extra import require
from modelprov.behavior.probing.answer_log import AnswerLog
from modelprov.behavior.probing.arms import ARMS, check_arms
from modelprov.behavior.probing.names import parse_names
from modelprov.behavior.probing.probe import OPENING, Findings, Plan
from modelprov.behavior.probing.probe import probe as ask_all
from modelprov.behavior.probing.questions import LANGUAGES
from modelprov.behavior.probing.results import ProbeReport
from modelprov.behavior.probing.wording import does_not_show
from modelprov.behavior.records import environment
from modelprov.called import DEVICES, called, refuse_other
from modelprov.errors import EndpointError, InterruptedRunError
from modelprov.jobs.arguments import (
    DTYPES,
    Location,
    command_line,
    extra_fields,
    path_of,
    refuse_below,
    refuse_repeated,
    several,
    text_of,
)
from modelprov.jobs.notebooks import shown_in_notebooks
from modelprov.jobs.probe_refused import refuse_unmeant, refuse_without_weights
from modelprov.jobs.probed import (
    Members,
    Server,
    local_openers,
    quiet_transformers,
    server_opener,
)
from modelprov.jobs.runnable import runnable
from modelprov.progress import SILENT, Progress, announce

QUICK_SAMPLES = 2
SAMPLES = 8
TEMPERATURES = (0.7, 1.0)


@shown_in_notebooks
def probe(
    model: Location,
    *,
    name: str | Iterable[str] = (),
    parent: Location | Iterable[Location] = (),
    control: Location | Iterable[Location] = (),
    backstory: str | Iterable[str] = (),
    endpoint: str | None = None,
    tokenizer: Location | None = None,
    arm: str | Iterable[str] = ARMS,
    language: str | Iterable[str] = LANGUAGES,
    samples: int | None = None,
    temperature: float | Iterable[float] = TEMPERATURES,
    quick: bool = False,
    max_new_tokens: int = 256,
    seed: int = 0,
    batch_size: int = 16,
    memory: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
    timeout: float = 60.0,
    thinking: str | None = None,
    extra_body: str | None = None,
    log: Location | None = None,
    continuations: int = 0,
    published: Location | None = None,
    logprobs: int = 0,
    progress: Progress = SILENT,
    command: str | None = None,
) -> ProbeReport:
    """Ask a model who it is, with and without the prompts hidden in its files, beside its possible sources.

    With `continuations` it is also asked to go on after random words, as its parents and at least three controls are;
    with `published`, whether it completes texts as those weights do; without `name` nothing but these. No code of a
    checkpoint is executed. Needs the extra `behavior`.

    Args:
        model: The model in question: a folder, an org/name in the local cache, or a merge recipe (.yml); with
            `endpoint`, its name there.
        name: Names to look for, each with its other spellings: "Rio", "Nex=Nex-AGI", "Rio=Rio,!Rio de Janeiro".
        parent: Possible sources, asked the same.
        control: Unrelated models, asked the same.
        backstory: Rare phrases to look for word for word.
        endpoint: The URL of an OpenAI-compatible server that runs the model. Its key: MODELPROV_API_KEY.
        tokenizer: The folder of the served model's tokenizer, to ask without its template's prompt.
        arm: Only these: as shipped, stripped, no template, neutral system, counterfactual, empty system.
        language: Only questions in these: en, pt, zh.
        samples: Sampled answers to each question; None for 8, with `quick` 2. One greedy answer is always asked for.
        temperature: Of the sampled answers.
        quick: A third of the questions, two samples.
        max_new_tokens: Longest answer in tokens, thinking included.
        seed: Of the sampled answers; written into the report.
        batch_size: Answers made at once, fewer where memory does not hold them.
        memory: Most bytes of each device for weights and answers (None: what is free); a model that needs more is
            spread over GPUs, main memory and the disk.
        device: Where to run the models: auto, cpu or cuda.
        dtype: Number format to run them in: auto (as stored), float32, bfloat16 or float16.
        timeout: Seconds for one answer of the endpoint.
        thinking: "on" or "off" asks the endpoint's chat template to think, or not to; None leaves it as it is.
        extra_body: Further fields of every request to the endpoint, as the text of a JSON object.
        log: A file that keeps every answer (JSONL); the same call goes on from it.
        continuations: Compare the greedy next token after so many random texts, at least 500 (2,000 say); 0 for none.
        published: The checkpoint that the model in question is said to be: sampled completions of both are compared.
        logprobs: Hold the endpoint's log-probabilities after so many random texts (12, say) against the output heads
            and the numbers of `parent`, `control` and `published`; 0 for none.
        progress: Hears how far the run has come; by default nobody does, and in a notebook a bar.
        command: What the report says was run; by default, the command line that does the same.

    Returns:
        The report: `arms` counts for each model and way of asking how many answers gave which name (`classes`, with
        shares from 0 to 1 and their intervals), `models` says what is hidden in the files, `examples` are answers;
        `continued.judged` says of each parent whether the model answers like it beyond every control, `equality`
        whether it completes texts as the published weights do, `imaged.judged` whose output head it has.
        `save("probe.html")` writes it, also as .json or .md.

    Raises:
        UsageError: the arguments do not fit together, or the extra is not installed.
        EndpointError: the server did not answer as asked.
        InterruptedRunError: somebody pressed Ctrl-C; says what is kept.
        ModelprovError: a model cannot be read; its subclasses say why.

    Example:
        said = modelprov.probe("rio", name=["Rio", "Nex=Nex-AGI"], parent="nex", quick=True)
        for arm in said.arms:
            print(arm.model, arm.arm, {each.name: each.count for each in arm.classes})
        said.save("probe.html")

    """
    require("probing")
    names, phrases, arms, languages = _words(name), _words(backstory), _words(arm), _words(language)
    heat = tuple(dict.fromkeys([temperature] if isinstance(temperature, int | float) else temperature))
    folder = None if tokenizer is None else path_of(tokenizer)
    refuse_unmeant(
        names, phrases, heat, folder, endpoint, otherwise=bool(continuations or published is not None or logprobs)
    )
    refuse_other("device", device, DEVICES)
    refuse_other("dtype", dtype, DTYPES)
    refuse_below(0, seed=seed, samples=samples)
    if continuations:
        refuse_below(PROMPTS, continuations=continuations)
    if logprobs:
        refuse_below(LEAST_TEXTS, logprobs=logprobs)
        refuse_without_weights(endpoint, parent, published)
    if not names:
        languages = arms = ()
    refuse_below(1, max_new_tokens=max_new_tokens, batch_size=batch_size, memory=memory)
    plan = Plan(
        names=parse_names(names) if names else (), backstory=phrases, languages=languages, arms=check_arms(arms),
        temperatures=heat,
        samples=samples if samples is not None else QUICK_SAMPLES if quick else SAMPLES,
        max_new_tokens=max_new_tokens, seed=seed, quick=quick, batch_size=batch_size,
    )  # fmt: skip
    plan.questions()  # says what is wrong with them before a model is loaded
    card = None if published is None else text_of(published)
    asked, parents, controls = text_of(model), several(parent), several(control)
    suspects = [asked] if endpoint is None else []
    refuse_repeated([*suspects, *parents, *controls])
    members: Members = [
        *((where, "suspect") for where in suspects),
        *((where, "parent") for where in parents),
        *((where, "control") for where in controls),
    ]
    extra = extra_fields(thinking, extra_body, endpoint)
    server = None if endpoint is None else Server(endpoint, asked, folder, timeout, extra)
    line = command or command_line(
        "probe",
        suspects,
        (
            ("--endpoint", endpoint, None),
            ("--model", None if endpoint is None else asked, None),
            ("--tokenizer", tokenizer, None),
            ("--name", names, ()),
            ("--parent", parents, []),
            ("--control", controls, []),
            ("--backstory", phrases, ()),
            ("--arm", arms, ARMS if names else ()),
            ("--language", languages, LANGUAGES if names else ()),
            ("--samples", samples, None),
            ("--temperature", heat, TEMPERATURES),
            ("--quick", quick, False),
            ("--max-new-tokens", max_new_tokens, 256),
            ("--seed", seed, 0),
            ("--batch-size", batch_size, 16),
            ("--memory", memory, None),
            ("--device", device, "auto"),
            ("--dtype", dtype, "auto"),
            ("--timeout", timeout, 60.0),
            ("--thinking", thinking, None),
            ("--extra-body", extra_body, None),
            ("--log", log, None),
            ("--continuations", continuations, 0),
            ("--published", published, None),
            ("--logprobs", logprobs, 0),
        ),
    )
    kept = None if log is None else path_of(log)
    return _ask(members, server, plan, kept, device, dtype, memory, line, progress, (continuations, logprobs), card)


def answers_kept(log: Location | None) -> int:
    """How many answers an earlier run left in the log; 0 where there is none."""
    path = None if log is None else path_of(log)
    if path is None or not path.exists():
        return 0
    with AnswerLog(path) as answers:
        return answers.kept


def _words(given: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([given] if isinstance(given, str) else given))


def _ask(
    members: Members, server: Server | None, plan: Plan, log: Path | None, device: str, dtype: str,
    memory: int | None, line: str, progress: Progress, beside: tuple[int, int], published: str | None,
) -> ProbeReport:  # fmt: skip
    """Open, ask and assemble the report; `members` have the suspect first, unless it is a server's.

    `beside` says after how many texts answers, and log-probabilities, are compared.
    """
    quiet_transformers()
    started, clock = datetime.now(UTC), time.perf_counter()
    with ExitStack() as stack:
        answers = stack.enter_context(AnswerLog(log))
        everything = [where for where, _ in members] + ([] if published is None else [published])
        models = stack.enter_context(runnable(everything, progress))
        served = None if server is None else server.model
        openers = local_openers(members, models, plan, device, dtype, memory, progress, served)
        if server is not None:
            openers = {server.model: server_opener(server, plan, stack, progress), **openers}
        announce(progress, [OPENING.format(each) for each in (*openers, *([] if published is None else [published]))])
        continuations, logprobs = beside
        continuing = Continuing(continuations, plan.seed, answers, progress, plan.batch_size) if continuations else None
        imaging = Imaging(logprobs, plan.seed, answers, progress, plan.batch_size) if logprobs else None
        completing = Completing(plan.seed, progress, plan.batch_size) if published is not None else None
        hearers = [each.hear for each in (continuing, completing, imaging) if each is not None]
        try:
            found = ask_all(openers, plan, answers, progress, hearers)
        except KeyboardInterrupt as error:
            raise InterruptedRunError("stopped by the user", _kept(log)) from error
        except EndpointError as error:
            raise EndpointError(
                error.message, f"{error.advice} {_kept(log)}".strip(), status=error.status, passing=error.passing
            ) from error
        equality = None
        if published is not None and completing is not None:
            progress.stage(OPENING.format(published))
            card = models[published].load(None, device, dtype, memory)
            equality = completing.found(card)
            if imaging is not None:
                imaging.hold_against(card, "published")
    compared = {
        "continued": continuing.found() if continuing else None, "equality": equality,
        "imaged": imaging.found() if imaging else None,
    }  # fmt: skip
    report = _report(found, plan, line, started, time.perf_counter() - clock)
    return report.model_copy(update=compared)


def _report(found: Findings, plan: Plan, line: str, started: datetime, seconds: float) -> ProbeReport:
    return ProbeReport(
        command=line, settings=plan.settings(), models=tuple(found.models),
        arms=tuple(found.arms), log_probabilities=tuple(found.log_probabilities), examples=tuple(found.examples),
        does_not_show=does_not_show(
            found.models, sum(each.kind != "denial" for each in plan.questions()), quick=plan.quick
        ) if plan.names else (),
        environment=environment(
            ", ".join(dict.fromkeys(found.devices)), ", ".join(dict.fromkeys(found.dtypes)), started, seconds
        ),
    )  # fmt: skip


def _kept(log: Path | None) -> str:
    if log is None:
        return f"Nothing was kept; with {called('log')} FILE the next run can be gone on from."
    return f"Every answer so far is in {log}: run the same command again to go on."
