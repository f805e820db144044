"""The options of `modelprov inspect`. Types with help; runs nothing."""

from __future__ import annotations

from typing import Annotated

import typer

Checkpoint = Annotated[
    str,
    typer.Argument(
        metavar="CKPT",
        help="A folder, a .safetensors file, org/name, an address, BASE+ADAPTER, or a merge recipe (.yml).",
    ),
]
Digest = Annotated[bool, typer.Option("--digest", help="Also hash every byte of the weights (reads all of them).")]
