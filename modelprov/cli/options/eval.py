"""The options of `modelprov eval`. Types with help; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli.options.completion import methods

Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL [MODEL ...]",
        help="A folder, an org/name in the local Hugging Face cache, or a merge recipe (.yml).",
        show_default=False,
    ),
]
Task = Annotated[
    str,
    typer.Option(
        metavar="FILE|NAME", help="A JSONL file of questions, a shipped task (sums, arithmetic), or lm-eval:NAME."
    ),
]
Method = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        metavar="NAME",
        autocompletion=methods,
        help="How to answer: cot (default), cot-greedy, cot-budget, swir, soft-gumbel, multiplex. Repeat it to "
        "compare.",
    ),
]
Budget = Annotated[
    list[int] | None,
    typer.Option(
        metavar="TOKENS",
        help="Most tokens of an answer, thinking included. Repeat it for the curve of accuracy against tokens.",
    ),
]
AnswerTokens = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Under a budget, cot-budget stops thinking so many tokens before it (default: a quarter of it, at most "
        "32).",
    ),
]
Samples = Annotated[int, typer.Option(min=1, help="Answers to each question.")]
Seed = Annotated[int, typer.Option(min=0, help="For sampling and resampling; written into the report.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first so many questions (default: all).")]
Log = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep every answer here; the same command goes on after a stop.")
]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Most tokens of an answer, without --budget.")]
ThinkingBudget = Annotated[
    int | None, typer.Option(min=0, help="cot-budget: most tokens of thinking (default: half of all).")
]
Temperature = Annotated[
    float | None, typer.Option(help="Of the sampled tokens. (default: 0.6)", show_default=False),
]  # fmt: skip
TopK = Annotated[
    int | None, typer.Option(help="Among so many likeliest tokens, 0 all. (default: 20)", show_default=False)
]
TopP = Annotated[
    float | None, typer.Option(help="Among the likeliest up to this sum. (default: 0.95)", show_default=False)
]
Greedy = Annotated[bool, typer.Option("--greedy", help="Every method takes the most likely token.")]
Alpha = Annotated[float | None, typer.Option(help="swir: weight of the soft input. (default: 1)", show_default=False)]
ChooseAlpha = Annotated[
    str | None, typer.Option(metavar="TASK", help="swir: other questions, on which alpha is chosen.")
]
Window = Annotated[int | None, typer.Option(help="swir: fewest steps in words. (default: 512)", show_default=False)]
MaxSwitches = Annotated[int | None, typer.Option(min=0, help="swir: end thinking after so many (default: never).")]
NoiseTemperature = Annotated[
    float | None,
    typer.Option(help="soft-gumbel: near 0 mixes one token. (default: 0.5)", show_default=False),
]
Width = Annotated[
    int | None, typer.Option(help="multiplex: tokens drawn for each step. (default: 3)", show_default=False)
]
System = Annotated[str | None, typer.Option(metavar="TEXT", help="System prompt where a question has none.")]
ChatTemplate = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Another chat template than the model's (Jinja).")
]
Raw = Annotated[bool, typer.Option("--raw", help="No chat template: the question as plain text.")]
IncludePath = Annotated[Path | None, typer.Option(metavar="DIR", help="lm-eval: a folder of task files of your own.")]
BatchSize = Annotated[
    int | None,
    typer.Option(min=1, help="Most prompts at a time (default: as many as memory holds, at most 8, on a GPU 64)."),
]
