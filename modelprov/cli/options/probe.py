"""The options of `modelprov probe`. Types with help, and what they mean together; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli.options.completion import among
from modelprov.cli.options.endpoint import refuse_halves

Model = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL",
        help="The model in question: a folder, an org/name in the local cache, or a merge recipe (.yml). Leave it out "
        "with --endpoint.",
        show_default=False,
    ),
]
Name = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=ALIAS,...]",
        help="A name to look for, with its other spellings; `!PHRASE` is not it: 'Rio=Rio,!Rio de Janeiro'. Repeat. "
        "Declared before anybody has read an answer.",
    ),
]
Parent = Annotated[list[str] | None, typer.Option(metavar="CKPT", help="A possible source, asked the same. Repeat.")]
Control = Annotated[list[str] | None, typer.Option(metavar="CKPT", help="An unrelated model, asked the same. Repeat.")]
Backstory = Annotated[
    list[str] | None, typer.Option(metavar="TEXT", help="A rare phrase to look for word for word. Repeat.")
]
Tokenizer = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="The served model's tokenizer files: to ask without its template's prompt, and to count hidden tokens.",
    ),
]
Arm = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ARM",
        help="Only this arm: as shipped, stripped, no template, neutral system, counterfactual; or empty system. "
        "Repeat.",
    ),
]
Language = Annotated[
    list[str] | None,
    typer.Option(
        metavar="en|pt|zh", autocompletion=among(("en", "pt", "zh")), help="Only questions in this language. Repeat."
    ),
]
Samples = Annotated[
    int | None, typer.Option(min=0, help="Sampled answers to each question (default: 8, with --quick 2).")
]
Temperature = Annotated[
    list[float] | None, typer.Option(metavar="T", help="Of the sampled answers (default: 0.7 and 1). Repeat.")
]
Quick = Annotated[bool, typer.Option("--quick", help="A third of the questions, two samples.")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Longest answer, thinking included.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the sampled answers; written into the report.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Answers made at once, fewer where memory does not hold them.")]
Continuations = Annotated[
    int,
    typer.Option(
        metavar="PROMPTS",
        min=0,
        help="Compare how the models go on after so many random texts, 2000 say; takes three --control. Without "
        "--name, only that. (default: 0, not at all)",
        show_default=False,
    ),
]
Published = Annotated[
    str | None,
    typer.Option(
        metavar="CKPT",
        help="The weights that MODEL, or the served model, is said to be: does it complete texts as they do? (500 "
        "sampled completions of each.)",
    ),
]
Logprobs = Annotated[
    int,
    typer.Option(
        metavar="TEXTS",
        min=0,
        help="Hold the endpoint's log-probabilities after so many random texts, 12 say, against the output heads of "
        "--parent, --control and --published. (default: 0, not at all)",
        show_default=False,
    ),
]
Log = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Keep every answer here (JSONL); run again to go on from it.")
]


def the_model(local: str | None, endpoint: str | None, served: str | None) -> str:
    """Which model is asked: a local one, or the endpoint's; `UsageError` where that is not said once."""
    refuse_halves("probe", local is not None, endpoint, served, "--name NAME")
    return local or served or ""
