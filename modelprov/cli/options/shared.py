"""The options that several commands share, each said and read once. Types with help; runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from modelprov.called import DEVICES, parse_size
from modelprov.cli.options.completion import among
from modelprov.jobs.arguments import DTYPES

FORMS: Mapping[str, str | None] = {
    "text": None, "json": "json", "md": "markdown", "html": "html", "sarif": "sarif", "junit": "junit",
}  # fmt: skip
"""What `--format` takes, and what a report calls that form."""
OF_CHECK = ("sarif", "junit")
HELP_FILE = "Write {} to FILE; `-` is standard output."


def size(option: str) -> Callable[[str], int]:
    """Reads what an option says as bytes."""

    def read(text: str) -> int:
        return parse_size(text, option)

    return read


DeviceMemory = Annotated[
    int | None,
    typer.Option(
        "--memory", metavar="SIZE", parser=size("--memory"),
        help="Most memory of each device (default: what is free). A model that needs more is spread over GPUs, main "
        "memory and the disk.",
    ),
]  # fmt: skip
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help=HELP_FILE.format("JSON"))]
Markdown = Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help=HELP_FILE.format("Markdown"))]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help=HELP_FILE.format("one HTML page"))]


def printed(forms: Iterable[str]) -> Any:
    """The option that names one of these forms."""
    known = list(forms)
    return typer.Option(
        "--format", metavar="|".join(known), autocompletion=among(known), show_default=False,
        help="Print the report in this form on standard output, beside any files. (default: text)",
    )  # fmt: skip


Form = Annotated[str | None, printed(form for form in FORMS if form not in OF_CHECK)]
Open = Annotated[
    bool, typer.Option("--open", help="Show the HTML page in a browser (a temporary file without --html).")
]
Tables = Annotated[bool, typer.Option("--tables", help="Show the tables too, not the short report alone.")]
Memory = Annotated[
    int, typer.Option("--memory", metavar="SIZE", parser=size("--memory"), help="Most memory for buffers.")
]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Threads (default: all cores).")]
Device = Annotated[
    str,
    typer.Option("--device", metavar="|".join(DEVICES), autocompletion=among(DEVICES), help="Where to compute."),
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="|".join(DTYPES),
        autocompletion=among(DTYPES),
        help="Number format to run in; auto: as stored.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no terminal report.")]

MEMORY: Any = "512M"  # as the help shows it; what a command hears is bytes
