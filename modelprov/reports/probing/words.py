"""What a probe's report says in words: headline, findings, how to read it. Formats what was counted."""

from __future__ import annotations

import math

from modelprov.behavior.probing.arms import BARE, MEANINGS, SHIPPED, STRIPPED
from modelprov.behavior.probing.results import (
    NOTHING,
    OTHER,
    REFUSAL,
    SEVERAL,
    ArmResult,
    ClassShare,
    ExplainedText,
    HiddenPrompt,
    ModelProbed,
    ProbeReport,
)  # fmt: skip
from modelprov.behavior.probing.template_conditions import CONDITIONS
from modelprov.reports import numbers as n
from modelprov.reports.document import Colours, Fact, facts

COLOURS = Colours("#3a5a8c", "#9db8e6", "blue")
NOT_ASKED = "was not asked"
NOT_NAMES = (SEVERAL, REFUSAL, OTHER, NOTHING)
READERS = (
    Fact("If you report on it", "Say what was found and what it is: a model, asked who it is, answered so. Quote the "
         "share with its interval, the arm, and the controls. Do not write that one model is another: that takes the "
         "weights, which modelprov compare reads."),
    Fact("If you argue about it", "The names were declared before the run and stand below, with the digests of the "
         "weights, the questions, the seed and the command. Anyone with the same files can repeat it. Answers are not "
         "statements of whoever published the model."),
    Fact("If you build models", "Compare the arms. A name that is said as shipped and gone when stripped comes from "
         "the template; one that is said when stripped or without a template is in the weights. A model that takes on "
         "the counterfactual name takes on any."),
)  # fmt: skip
TERMS = (
    *(Fact(f"Arm: {arm}", f"{meaning[0].upper()}{meaning[1:]}.") for arm, meaning in MEANINGS.items()),
    Fact("Greedy, sampled", "The most likely word each time, one answer a question; or drawn at a temperature T, "
         "several answers a question."),
    Fact("Interval", "95 %, exact (Clopper and Pearson). Sampled answers count as as many as would tell as "
         "much if they were independent (Korn and Graubard), since answers to one question are not."),
    Fact("Several, refusal, other, no answer", "The answer says more than one declared name; declines or says it has "
         "no name; says none of the declared names; is empty, or a thought that never ended."),
    Fact("Zorb", "A name that no model has. Asked about, it shows how readily a model says yes; given in the system "
         "message, how readily it takes on a name."),
    Fact("ln P", "The natural logarithm of the probability that an answer beginning with \"I am\" goes on with the "
         "name, by the model's own numbers. A difference of 2.3 is a factor of 10."),
)  # fmt: skip


def suspect(report: ProbeReport) -> str:
    """The label of the model in question."""
    return n.clean(next((one.label for one in report.models if one.role == "suspect"), "the model"))


def arm_of(report: ProbeReport, model: str, arm: str) -> ArmResult | None:
    """The greedy answers of a model in an arm, if there are any."""
    mine = [one for one in report.arms if (one.model, one.arm) == (model, arm)]
    return next((one for one in mine if one.temperature == 0 and one.answers), None)


def leading(arm: ArmResult | None) -> ClassShare | None:
    """The name that most answers say; None where none does."""
    named = [one for one in arm.classes if one.name not in NOT_NAMES and one.count] if arm is not None else []
    return max(named, key=lambda one: one.count, default=None)


def several(arm: ArmResult | None) -> ClassShare | None:
    """Answers that say more than one declared name; None where there is none."""
    return next((one for one in arm.classes if one.name == SEVERAL and one.count), None) if arm is not None else None


def interval(share: ClassShare) -> str:
    """A share with its interval, in whole percent, bounds outwards: "79 % [71, 86]"."""
    if share.share is None:
        return n.MISSING
    low = math.floor(round(100 * (share.low or 0.0), 9))
    high = math.ceil(round(100 * (1.0 if share.high is None else share.high), 9))
    return f"{n.share(share.share, 0)} [{low}, {high}]"


def main_arm(report: ProbeReport) -> str:
    """The arm that the headline speaks of: as shipped where that was asked for, else the first one that was.

    A model that has no chat template is shipped without one.
    """
    one = next((one for one in report.models if one.role == "suspect"), None)
    arms = report.settings.arms
    bare = one is not None and one.digest is not None and not one.templates and BARE in arms
    return BARE if bare else SHIPPED if SHIPPED in arms or not arms else arms[0]


def silent(report: ProbeReport, model: str, arm: str) -> str | None:
    """Why a model gave no greedy answer in an arm, in words that follow its name; None where it gave one."""
    result = arm_of(report, model, arm)
    if result is not None:
        kind = "greedy answer" if _answered(report, model, arm) else "answer"
        return None if _said(result) else f"gave no {kind}: all were empty, or thoughts that never ended"
    reason = next((one.reason for one in report.arms if (one.model, one.arm) == (model, arm) and one.reason), None)
    return f"could not be asked: {n.clean(reason)}" if reason is not None else NOT_ASKED


def suspect_silent(report: ProbeReport) -> str | None:
    """Why the suspect said nothing, greedy or sampled, in the arm of the headline; None where it said something."""
    declared = next((one.label for one in report.models if one.role == "suspect"), "")
    main = main_arm(report)
    return None if _answered(report, declared, main) else silent(report, declared, main)


def _answered(report: ProbeReport, model: str, arm: str) -> bool:
    return any(_said(one) for one in report.arms if (one.model, one.arm) == (model, arm))


def _said(arm: ArmResult) -> bool:
    return any(one.count for one in arm.classes if one.name != NOTHING)


def _says(report: ProbeReport, model: str, arm: str) -> str | None:
    why = silent(report, model, arm)
    if why is not None:
        return None if why == NOT_ASKED else why
    first, many = leading(arm_of(report, model, arm)), several(arm_of(report, model, arm))
    if many is not None and (first is None or many.count > first.count):
        return f"says several of the declared names at once in {interval(many)} of its answers"
    if first is None:
        return "says none of the declared names"
    return f"says {n.clean(first.name)} in {interval(first)} of its answers"


def headline(report: ProbeReport) -> str:
    """What the suspect says it is, in a few words; or that it could not be asked, and why."""
    label, declared = suspect(report), next((one.label for one in report.models if one.role == "suspect"), "")
    main = main_arm(report)
    why = silent(report, declared, main)
    if why is not None:
        what, colon, rest = why.partition(":")
        return f"{label} {what} {'as shipped' if main == SHIPPED else f'in the arm “{main}”'}{colon}{rest}"
    first, stripped = leading(arm_of(report, declared, main)), leading(arm_of(report, declared, STRIPPED))
    many = several(arm_of(report, declared, main))
    if many is not None and (first is None or many.count > first.count):
        where = "" if main == SHIPPED else f", {main},"
        return f"{label}{where} names several of the declared names at once, in {interval(many)} of its answers"
    unlike = main == SHIPPED and first is not None and stripped is not None and first.name != stripped.name
    if unlike and _replaced(report) and first is not None and stripped is not None:
        return f"{label} says {n.clean(first.name)} with its hidden prompt, {n.clean(stripped.name)} without"
    where = "" if main == SHIPPED else f", {main},"
    if first is None:
        return f"{label}{where} says none of the declared names"
    if (first.share or 0.0) > 0.5:
        return f"{label}{where} mostly names {n.clean(first.name)}"
    return f"{label}{where} names {n.clean(first.name)} most, in {interval(first)} of its answers"


def summary(report: ProbeReport) -> str:
    """The suspect's answers as shipped and stripped, in one or two sentences."""
    label = next((one.label for one in report.models if one.role == "suspect"), "")
    parts = []
    shipped, stripped = _says(report, label, SHIPPED), _says(report, label, STRIPPED)
    if shipped is not None:
        parts.append(f"As shipped, {suspect(report)} {shipped}.")
    same = next((one.same_as for one in report.arms if (one.model, one.arm) == (label, STRIPPED)), None)
    if same is not None:
        parts.append("Its template adds nothing, so there is nothing to strip.")
    elif stripped is not None and arm_of(report, label, STRIPPED) is not None:
        parts.append(f"Without what its template adds, it {stripped}.")
    main = main_arm(report)
    others = [arm for arm in dict.fromkeys((main, BARE)) if arm not in (SHIPPED, STRIPPED)]
    if suspect_silent(report) is not None or main not in (SHIPPED, STRIPPED):
        told = ((arm, _says(report, label, arm)) for arm in others)
        parts += [f"In the arm “{arm}” it {says}." for arm, says in told if says is not None]
    return " ".join(parts) or f"{suspect(report)} gave no answer in these arms."


def findings(report: ProbeReport) -> list[str]:
    """Further sentences: the other models, hidden prompts, code, servers, notes."""
    found = []
    for one in report.models:
        where = next((arm for arm in (STRIPPED, SHIPPED, BARE) if arm_of(report, one.label, arm)), SHIPPED)
        says = _says(report, one.label, where)
        if one.role != "suspect" and says is not None:
            found.append(f"{one.label} ({one.role}), {where}, {says}.")
    for one in report.models:
        texts = dict.fromkeys(hidden.text for hidden in one.hidden_prompts if "as it is" in hidden.conditions)
        if texts:
            found.append(
                f"The chat template of {one.label} adds a prompt that users do not see: {_quoted(list(texts))}."
            )
        seldom = dict.fromkeys(
            hidden.text
            for hidden in one.hidden_prompts
            if "as it is" not in hidden.conditions and hidden.text not in texts
        )
        if seldom:
            found.append(
                f"Under some conditions, the chat template of {one.label} adds {n.count(len(seldom))} further "
                f"{'text' if len(seldom) == 1 else 'texts'}, shown with their conditions below."
            )
        if one.code:
            names = ", ".join(dict.fromkeys(code.file for code in one.code[:5]))
            found.append(f"{one.label} carries code or pickles, none of which was run: {names}.")
        if one.served is not None:
            found += [f"{one.label}: {told}" for told in (one.served.explanation, *one.served.checks)]
        found += [f"{one.label}: {note.rstrip('.')}." for note in one.notes]
        found += [f"{one.label}, {seen.source}: {seen.error}." for seen in one.templates if seen.error]
    if (unlike := languages_differ(report)) is not None:
        found.append(unlike)
    reasons: dict[tuple[str, str], list[str]] = {}
    for arm in report.arms:
        if arm.reason:
            reasons.setdefault((arm.model, arm.reason), []).append(arm.arm)
    found += [f"{model} could not be asked ({', '.join(arms)}): {why}." for (model, why), arms in reasons.items()]
    return [n.clean(text) for text in found]


def languages_differ(report: ProbeReport) -> str | None:
    """What the suspect mostly says in each language, where that is not the same in all; None with few questions."""
    declared = next((one.label for one in report.models if one.role == "suspect"), "")
    arm = arm_of(report, declared, main_arm(report))
    if arm is None or report.settings.quick or len(arm.by_language) < 2:
        return None
    most = {language: max(counts, key=counts.__getitem__) for language, counts in arm.by_language.items()}
    if len(set(most.values())) == 1:
        return None
    told = [
        f"{language}: {most[language]} {arm.by_language[language][most[language]]} of "
        f"{sum(arm.by_language[language].values())}" for language in most
    ]  # fmt: skip
    return f"{declared} does not answer alike in every language ({'; '.join(told)})."


def _quoted(texts: list[str]) -> str:
    short = [text if len(text) <= 160 else text[:159] + "…" for text in (" ".join(one.split()) for one in texts)]
    return ", ".join(f"“{text}”" for text in short)


def _replaced(report: ProbeReport) -> list[HiddenPrompt]:
    return [one for model in report.models if model.role == "suspect" for one in model.hidden_prompts]


def place(model: ModelProbed, hidden: HiddenPrompt) -> str:
    """Where a hidden prompt was found, ending in a colon."""
    name = "" if hidden.template == "default" else f" ({n.clean(hidden.template)})"
    return f"{n.clean(model.label)}, {n.clean(hidden.source)}{name}, {hidden.where}, {conditions(hidden)}:"


def explained_place(model: ModelProbed, text: ExplainedText) -> str:
    """Where a text was found that no one hid, and what explains it, ending in a colon."""
    name = "" if text.template == "default" else f" ({n.clean(text.template)})"
    return f"{n.clean(model.label)}, {n.clean(text.source)}{name}, {text.why}, {conditions(text)}:"


def conditions(hidden: HiddenPrompt | ExplainedText) -> str:
    """When the text was there."""
    if set(CONDITIONS) <= set(hidden.conditions):
        return "in every condition"
    shown = hidden.conditions[:6]
    more = f" and {len(hidden.conditions) - 6} more" if len(hidden.conditions) > 6 else ""
    return ", ".join(n.clean(one) for one in shown) + more


def settings_facts(report: ProbeReport) -> tuple[Fact, ...]:
    """What was asked, and how."""
    settings = report.settings
    names = "; ".join(
        ", ".join(one.aliases)
        + (f" (not: {', '.join(one.excluded)})" if one.excluded else "")
        + (" (the decoy)" if one.decoy else "")
        for one in settings.names
    )
    heats = ", ".join(f"{one:g}" for one in settings.temperatures)
    sampled = f", {settings.samples} at each temperature of {heats}" if settings.samples else ""
    return facts(
        ("Names declared before the run", names),
        ("Phrases looked for", "; ".join(settings.backstory)),
        ("Questions", f"{n.count(settings.questions)} in {', '.join(settings.languages)}"
                      + (" (--quick: a third of them)" if settings.quick else "")),
        ("Digest of the questions", settings.questions_digest),
        ("Answers to each", f"one greedy{sampled}; at most {settings.max_new_tokens} tokens"),
        ("Seed", str(settings.seed)),
    )  # fmt: skip


def environment_facts(report: ProbeReport) -> tuple[Fact, ...]:
    """Where it ran."""
    env = report.environment
    packages = ", ".join(f"{name} {version}" for name, version in env.packages.items())
    return facts(
        ("Started", env.started), ("Took", n.duration(env.seconds)), ("Device", f"{env.device}, {env.dtype}"),
        ("modelprov", env.modelprov), ("Python", env.python), ("Packages", packages), ("Machine", env.platform),
    )  # fmt: skip
