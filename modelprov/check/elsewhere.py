"""The files beside the weights of a model that is elsewhere, brought here: what a check reads of them lies in a folder.

Weights stay where they are: in their places are files without content. Judges nothing, and runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from modelprov.checkpoints.json_files import MAX_JSON_BYTES
from modelprov.checkpoints.locating import located, path_here
from modelprov.checkpoints.remote.home import RemoteHome
from modelprov.checkpoints.remote.locations import OnHub, OnWeb, name_of, parse, shown
from modelprov.errors import UnreadableFileError, UsageError

READ = frozenset({"", ".md", ".json", ".yml", ".yaml", ".jinja", ".txt", ".py", ".toml", ".model", ".tiktoken"})
MOST_FILES, MOST_BYTES = 10_000, 512 << 20


@dataclass(frozen=True, eq=False)
class Beside:
    """The folder of a model, or what stands for it for as long as this is held; `far` where the model is elsewhere."""

    folder: Path
    held: TemporaryDirectory[str] | None = None

    @property
    def far(self) -> bool:
        """Whether the weights are elsewhere."""
        return self.held is not None


def beside_weights(location: str) -> Beside:
    """The folder at `location`, or one with the files that lie beside the weights there.

    Raises a `RemoteError` that says why it cannot be had, `UsageError` for a place that does not list its files.
    """
    if path_here(location) is not None or (meant := parse(location)) is None:
        return Beside(Path(location))
    home, name = located(location, near=False)
    if home.folder is not None:
        return Beside(home.folder)
    if name is not None or isinstance(meant, OnWeb) or not isinstance(home, RemoteHome):
        raise UsageError(
            f"{shown(location)}: what lies beside the weights cannot be listed there, and a check is of all of it",
            "Give a repository of the Hub, a folder of a bucket, or download it and give its folder.",
        )
    held = TemporaryDirectory(prefix="modelprov-")
    folder = Path(held.name) / (name_of(location) or "model")
    if isinstance(meant, OnHub):  # as its local cache has it, from which names are read
        folder = Path(held.name) / f"models--{meant.repository.replace('/', '--')}/snapshots/{home.revision}"
        folder /= meant.inside.strip("/")
    _bring(home, folder)
    return Beside(folder, held)


def _bring(home: RemoteHome, folder: Path) -> None:
    """Write every file that is text by its name, and one of the same size without content for each other."""
    files = home.files()
    small = {name for name, size in files.items() if PurePosixPath(name).suffix in READ and size <= MAX_JSON_BYTES}
    if len(files) > MOST_FILES or sum(files[name] for name in small) > MOST_BYTES:
        raise UnreadableFileError(f"{home.place()} holds more files than a model has", "Download it, give its folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable():
            raise UnreadableFileError(f"{home.place()} names a file {name[:80]!r}", "No model has such a file.")
        content = home.read(name, MAX_JSON_BYTES) if name in small else b""
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with (folder / path).open("wb") as out:
                out.write(content)
                out.truncate(size)
        except OSError as error:
            raise UnreadableFileError(f"{home.place(name)} cannot be kept here: {error.strerror}", "") from error
