"""Models for jobs that run them: a merge recipe is first written to a temporary folder. Loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from modelprov.merge.virtual import plan_recipe
from modelprov.merge.writing import WriteOptions, write_merge
from modelprov.progress import Progress
from modelprov.recipes.reading import load
from modelprov.recipes.suffixes import is_recipe


@contextmanager
def runnable(locations: Sequence[str], progress: Progress) -> Iterator[dict[str, str]]:
    """Where each location can be loaded from: itself, or the folder that its recipe was written to for the while.

    Raises what planning and writing a merge raise.
    """
    with TemporaryDirectory(prefix="modelprov-") as folder:
        found = {}
        for number, location in enumerate(dict.fromkeys(locations)):
            path = Path(location).expanduser()
            if not is_recipe(location) or not path.is_file():
                found[location] = location
                continue
            out = Path(folder) / f"{number}" / path.stem
            out.parent.mkdir()
            progress.stage(f"writing the merge of {path.name}")
            write_merge(plan_recipe(load(path), path.parent), out, WriteOptions(), progress)
            found[location] = str(out)
        yield found
