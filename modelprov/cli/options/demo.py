"""The options of `modelprov demo`. Types with help; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Option("--folder", "-o", help="Where the models and the reports go.")]
Seed = Annotated[int, typer.Option(min=0, help="Another family.")]
Train = Annotated[bool, typer.Option("--train", help="Train the small models anew, a few minutes on one core.")]
OnlyModels = Annotated[
    bool, typer.Option("--only-models", help="Put the trained models, rio's recipe and the sums there; no more.")
]
