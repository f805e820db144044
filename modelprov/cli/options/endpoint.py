"""The options of every command that asks a served model: one home, so that `probe` and `eval` take the same."""

from __future__ import annotations

from typing import Annotated

import typer

from modelprov.cli.options.completion import among
from modelprov.errors import UsageError

Endpoint = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="An OpenAI-compatible server (vLLM, SGLang, transformers serve) instead of MODEL. Its key: "
        "MODELPROV_API_KEY.",
    ),
]
Served = Annotated[str | None, typer.Option("--model", metavar="NAME", help="The model's name there.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds for one answer of --endpoint.")]
TIMEOUT = 60.0
Thinking = Annotated[
    str | None,
    typer.Option(
        metavar="on|off",
        autocompletion=among(("on", "off")),
        help="Ask the endpoint's chat template to think, or not to (default: its own way).",
    ),
]
ExtraBody = Annotated[
    str | None, typer.Option(metavar="JSON", help="Further fields of every request to the endpoint, as a JSON object.")
]


def refuse_halves(command: str, given: bool, endpoint: str | None, served: str | None, rest: str) -> None:
    """`UsageError` unless models were `given`, or else an endpoint with the name of its model."""
    if given == (endpoint is not None):
        raise UsageError(
            f"{command} needs a model, either local or served",
            f"Usage: modelprov {command} MODEL {rest}, or modelprov {command} --endpoint URL --model NAME {rest}.",
        )
    if (endpoint is None) != (served is None):
        raise UsageError("--endpoint and --model belong together", "--model is the name that the server knows.")
