"""The options of `modelprov serve`. Types with help; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from modelprov.cli.options.shared import size

Models = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folders of models under DIR may be named on the page; without it, reports are read only."
    ),
]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen; anyone who reaches it can use the page.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")]
AllowNetwork = Annotated[
    bool, typer.Option("--allow-network", help="Let the page name org/name and addresses, and fetch from them.")
]
UploadLimit = Annotated[
    int, typer.Option(metavar="SIZE", parser=size("--upload-limit"), help="Most that can be sent at once.")
]
Open = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]

UPLOAD_LIMIT: Any = "32M"  # as the help shows it; what the command hears is bytes
