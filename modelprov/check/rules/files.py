"""Rules about the files: template, code, pickles, config, tokenizer, digests, completeness."""

from __future__ import annotations

from modelprov.check.interface import Claims, Measured, Outcome, Problem, Rule
from modelprov.check.results import Location, Severity
from modelprov.check.rules.making import finding, not_judged
from modelprov.foreign.shown import shortened

MILD = "added rows"  # an added token without a row harms nobody who does not type it
SHOWN = 160  # characters of a hidden prompt in a message


def identity_prompt(_claims: Claims, measured: Measured) -> list[Outcome]:
    """The chat template tells the model who it is, unasked."""
    open_questions: list[Outcome] = []
    if "template" in measured.missing:  # of several templates, others may have been examined
        open_questions.append(not_judged(IDENTITY, measured.missing["template"]))
    return open_questions + [
        finding(
            IDENTITY,
            one.file,
            f"The chat template tells the model who it is: “{shortened(one.text, SHOWN)}”",
            measured=f"{len(one.text):,} characters that no user wrote",
            advice="Say so in the card, or remove it: what the model says of itself is then its own.",
            location=Location(file=one.file),
        )
        for one in measured.hidden_prompts
        if one.identity
    ]


def code(_claims: Claims, measured: Measured) -> list[Outcome]:
    """The folder carries code that a loader might run."""
    return [
        finding(
            CODE,
            path,
            f"{path} is code, or makes a loader run code from this folder.",
            advice="Leave it out, or say in the card why it is needed; nothing of it was run here.",
            location=Location(file=path.split(" ", maxsplit=1)[0]),
        )
        for path in measured.code_files
    ]


def pickles(_claims: Claims, measured: Measured) -> list[Outcome]:
    """Weights in a format that runs code when it is opened."""
    return [
        finding(
            PICKLES,
            path,
            f"{path} is a pickle: opening it can run code.",
            advice="Publish safetensors alone.",
            location=Location(file=path),
        )
        for path in measured.pickles
    ]


def config(_claims: Claims, measured: Measured) -> list[Outcome]:
    """config.json promises other tensors than the weights hold."""
    return _problems(CONFIG, measured, "config", "Publish the config that belongs to these weights.")


def tokenizer(_claims: Claims, measured: Measured) -> list[Outcome]:
    """The tokenizer has tokens that the embeddings have no row for, or was left out."""
    return _problems(TOKENIZER, measured, "tokenizer", "Publish the tokenizer that belongs to these weights.")


def digest(_claims: Claims, measured: Measured) -> list[Outcome]:
    """The weights are not the artefact that was evaluated."""
    return _problems(DIGEST, measured, "digest", "Publish the artefact that was evaluated, or evaluate this one.")


def complete(_claims: Claims, measured: Measured) -> list[Outcome]:
    """A shard is missing, truncated, or holds tensors twice."""
    return _problems(COMPLETE, measured, "files", "Upload the missing files, or download the model again.")


def _problems(rule: Rule, measured: Measured, topic: str, advice: str) -> list[Outcome]:
    if topic in measured.missing:
        return [not_judged(rule, measured.missing[topic])]
    found: tuple[Problem, ...] = tuple(one for one in measured.problems if one.topic == topic)
    return [
        finding(
            rule,
            f"{topic}|{one.about or one.message}",
            one.message,
            advice=advice,
            location=one.location,
            severity=Severity.WARNING if one.about == MILD else None,
        )
        for one in found
    ]


IDENTITY = Rule(
    "MP301", "identity-prompt-in-template", "The chat template tells the model who it is.",
    Severity.WARNING, identity_prompt,
)  # fmt: skip
CODE = Rule("MP302", "code-in-checkpoint", "The folder carries code.", Severity.WARNING, code)
PICKLES = Rule("MP303", "pickled-weights", "The folder carries pickled weights.", Severity.WARNING, pickles)
CONFIG = Rule(
    "MP401", "config-contradicts-weights", "config.json does not describe these weights.", Severity.ERROR, config
)
TOKENIZER = Rule(
    "MP402", "tokenizer-contradicts-weights", "The tokenizer does not fit these weights.", Severity.ERROR, tokenizer
)
DIGEST = Rule("MP403", "digest-differs", "The weights are not the expected artefact.", Severity.ERROR, digest)
COMPLETE = Rule("MP404", "files-incomplete", "Files are missing or damaged.", Severity.ERROR, complete)
FILE_RULES = (IDENTITY, CODE, PICKLES, CONFIG, TOKENIZER, DIGEST, COMPLETE)
