"""Hook of mkdocs (mkdocs.yml): gives it the pages of the site (docs/pages.py) in place of the repository's texts.

The reference of Python has a page for each public name, written by mkdocstrings from the docstrings.
"""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
import pages

API = """# {name}

::: modelprov.jobs.{name}.{name}
"""


def public() -> list[str]:
    """The public names that are jobs, as `modelprov/__init__.py` lists them."""
    tree = ast.parse((pages.ROOT / "modelprov" / "__init__.py").read_text(encoding="utf-8"))
    listed = next(
        each.value for each in tree.body if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__all__"
    )
    return [name for name in ast.literal_eval(listed) if not name.startswith("_")]


def site() -> dict[str, tuple[pages.Part, ...]]:
    """The pages, with links into the repository where its address is known."""
    return pages.site(os.environ.get("MODELPROV_REPOSITORY", "").rstrip("/") or None)


def on_config(config: Any) -> Any:
    """Put every part of a long text into the navigation, below the text, and the names of the reference."""
    config.nav = _unfolded(config.nav, site())
    return config


def _unfolded(nav: list[Any], found: dict[str, tuple[pages.Part, ...]]) -> list[Any]:
    unfolded: list[Any] = []
    for entry in nav:
        ((title, inner),) = entry.items() if isinstance(entry, dict) else ((None, entry),)
        if isinstance(inner, list):
            unfolded.append({title: _unfolded(inner, found)})
        elif str(inner).endswith("/README.md"):
            folder = inner.removesuffix("README.md")
            others = [{several[0].title: file} for file, several in found.items() if file.startswith(folder)]
            unfolded.append({title: [inner, *(other for other in others if inner not in other.values())]})
        elif inner == "api":
            unfolded.append({title: [{name: f"api/{name}.md"} for name in public()]})
        elif inner in found and len(found[inner]) > 1:
            first, *rest = found[inner]
            unfolded.append({title or first.title: [first.file, *({part.title: part.file} for part in rest)]})
        else:
            unfolded.append(entry)
    return unfolded


def on_files(files: Files, config: Any) -> Files:
    """Replace the texts by the pages that are made of them."""
    made = {part.file: part.text for several in site().values() for part in several}
    made |= {f"api/{name}.md": API.format(name=name) for name in public()}
    for file, text in made.items():
        if (there := files.get_file_from_path(file)) is not None:
            files.remove(there)
        files.append(File.generated(config, file, content=text))
    return files
