"""The file in which a run keeps its sums, to go on from them after it was stopped. Sums and compares nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from modelprov.called import called
from modelprov.errors import InvalidSumsError, UsageError
from modelprov.forensics.sums.ledger import Ledger
from modelprov.forensics.sums.partial import Part, Partial
from modelprov.forensics.sums.sums_file import Sums, read_sums, sums_bytes
from modelprov.jobs.arguments import Location, path_of
from modelprov.locking import only_writer
from modelprov.reports.writing import refuse_weights, write_atomically


@contextmanager
def kept(state: Location | None, part: Part | None = None) -> Iterator[Ledger | None]:
    """A ledger that is saved in a file, with what the file holds already; None where nothing is asked for.

    Raises `InUseError` while another run writes it, and what `read_sums` raises.
    """
    if state is None:
        yield None if part is None else Ledger(part=part)
        return
    path = path_of(state)
    refuse_weights(path)
    if not path.parent.is_dir():
        raise UsageError(f"the folder {path.parent} does not exist", "Create it, or keep the sums elsewhere.")
    lock = path.with_name(f".{path.name}.lock")
    with only_writer(lock, path, f"Wait for it, or give another file to {called('resume')}."):
        held = read_sums(path) if path.exists() else Sums(())
        if held.part is not None:
            raise InvalidSumsError(
                f"{path} holds part {held.part} of a run, not what a stopped run left",
                f"Give another file to {called('resume')}; parts are put together by `modelprov add`.",
            )

        def save(passes: Sequence[Partial]) -> None:
            write_atomically(path, sums_bytes(Sums(passes)))

        yield Ledger(held.passes, str(path), save, part, versions=True)
