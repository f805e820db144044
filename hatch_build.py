"""What an installation does beside copying files: it builds the C kernels where there is a compiler.

And it gives the package its README, with links that resolve on an index, and its project URLs.

Without a compiler the package is pure Python, and numba computes
(docs/adr/0018-a-c-kernel-where-there-is-a-compiler.md).
"""

from __future__ import annotations

import os
import runpy
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

NATIVE = Path(__file__).parent / "modelprov" / "native"
REPOSITORY = "MODELPROV_REPOSITORY"
URLS = {
    "Repository": "",
    "Documentation": "/blob/HEAD/docs",  # `check` links the rules below it (modelprov.check.published)
    "Changelog": "/blob/HEAD/CHANGELOG.md",
    "Issues": "/issues",
}
PAGES = Path(__file__).parent / "docs" / "pages.py"


class PagesHook(MetadataHookInterface):
    """Gives the package its description and, where the repository's address is known, the addresses of its pages."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the README and the addresses in."""
        repository = os.environ.get(REPOSITORY, "").rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        told = runpy.run_path(str(PAGES))["for_index"](text, repository or None)
        metadata["readme"] = {"content-type": "text/markdown", "text": told}
        metadata["urls"] = {name: f"{repository}{path}" for name, path in URLS.items()} if repository else {}


class KernelsHook(BuildHookInterface[Any]):
    """Adds the library to a wheel, which is then for one kind of machine; in place for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, or leave the wheel as it is."""
        native = runpy.run_path(str(NATIVE / "build.py"))
        name = native["LIBRARY"]
        self.scratch = tempfile.TemporaryDirectory()
        target = (NATIVE if version == "editable" else Path(self.scratch.name)) / name
        try:
            made = native["build"](target)
        except native["CannotBuildError"] as reason:
            self.app.display_warning(f"modelprov: no C kernels, numba will compute: {reason}")
            return
        self.app.display_info(f"modelprov: C kernels built: {made}")
        if version != "editable":
            build_data["force_include"][str(target)] = f"modelprov/native/{name}"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Leave nothing behind."""
        self.scratch.cleanup()
