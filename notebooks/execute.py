"""Runs a notebook from its first cell to its last and saves it with its outputs, without times or versions.

Run: `python notebooks/execute.py [NOTEBOOK ...]`. Knows nothing of what the notebooks are about.
"""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parent
SECONDS = 300
COLOURS = 64
"""Of a stored picture: plenty for plots, a third of the size."""


def run(path: Path) -> NotebookNode:
    """The notebook with fresh outputs; raises `CellExecutionError` where a cell does.

    Runs in a kernel of this Python whose working directory is the notebook's folder.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        coalesce_streams=True,  # else what is printed comes in as many parts as the system likes
        resources={"metadata": {"path": str(path.parent)}},
    )
    return tidy(client.execute())


def tidy(notebook: NotebookNode) -> NotebookNode:
    """The same notebook without what differs from run to run: times, versions, addresses, the places of bars."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = NotebookNode(kernelspec=kernel, language_info={"name": "python"})
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "outputs" in cell:  # a bar that is done is an empty picture
            cell.outputs = [output for output in cell.outputs if output.get("data", {}).get("text/html") != ""]
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if len(data) > 1:
                data.pop("text/plain", None)
            if "image/png" in data:
                output.metadata = NotebookNode()
                data["image/png"] = small(data["image/png"])
    return notebook


def small(picture: str) -> str:
    """The same PNG (base64) with few colours."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def main() -> None:
    """Run the notebooks named, or all of this folder."""
    for path in map(Path, sys.argv[1:] or sorted(map(str, FOLDER.glob("*.ipynb")))):
        nbformat.write(run(path), path)


if __name__ == "__main__":
    main()
