"""What is known of a run's sums: made before, by others, or so far, and kept now and then. Knows no files.

One ledger serves a part of a run, the run that adds parts, and a run that goes on after it was stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from modelprov.called import called
from modelprov.errors import InterruptedRunError, ModelprovError, OtherRunError, UnreadableFileError
from modelprov.forensics.sums.moments import Moments, layout
from modelprov.forensics.sums.partial import Int64, Part, Partial, Pass, Read
from modelprov.forensics.sums.sweep import Complete

EVERY = 60.0  # seconds between two savings
Reading = Callable[[Int64, Moments, Complete], object]
"""Reads some tensors, ascending, and adds their sums to rows; tells as a sweep does how far it is."""


@dataclass(eq=False)
class Ledger:
    """Sums by the name of their pass. `where` is what messages call the place that `known` comes from.

    `save` is given all sums before a pass, about every minute, at its end, and when it stops. `part` limits
    what is read to a share of the tensors; the sums are then those of that share. `versions` says whether files must be
    the very ones that `known` was read from, not copies of them. `device` are the words for what computed `known`.
    """

    known: Sequence[Partial] = ()
    where: str = "the sums given"
    save: Callable[[Sequence[Partial]], None] | None = None
    part: Part | None = None
    versions: bool = False
    device: str | None = None
    every: float = EVERY
    _passes: dict[str, Partial] = field(default_factory=dict, init=False)
    _keys: dict[str, str] = field(default_factory=dict, init=False)
    _wanted: dict[str, tuple[Int64, Read]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._passes = {partial.name: partial for partial in self.known}
        self._saved = time.monotonic()

    @property
    def passes(self) -> tuple[Partial, ...]:
        """All sums there are."""
        return tuple(self._passes.values())

    def share(self) -> tuple[Partial, ...]:
        """The sums of its part alone, of every pass asked for since it was made; without versions of files."""
        return tuple(
            replace(self._passes[name].take(wanted), read=read) for name, (wanted, read) in self._wanted.items()
        )

    def sums(self, work: Pass, read: Reading) -> Moments:
        """Moments [t] of the pass, a row a tensor; what is not known is read. Rows outside the part are empty.

        Raises `OtherRunError` where what is known under this name is of another pass, and what reading raises.
        """
        while self._keys.setdefault(work.name, work.key) != work.key:  # a run may look at one model in several ways
            work = replace(work, name=f"{work.name}, again")
        count, n = len(work.alignment.tensors), len(work.alignment.checkpoints)
        total, known = Moments.empty(n, count), self._of(work, n)
        wanted = np.arange(count) if self.part is None else self.part.tensors(work.sizes)
        self._wanted[work.name] = wanted, work.read(versions=False)
        if known is not None:
            total.counts[known.tensors], total.sums[known.tensors] = known.moments.counts, known.moments.sums
        have = np.zeros(0, np.int64) if known is None else known.tensors
        missing = np.ones(count, np.bool_)
        missing[have] = False
        left = wanted[missing[wanted]]
        if not len(left) and known is not None:
            return total
        complete = 0
        described = work.key, work.read(versions=self.versions), count

        def note() -> None:
            done = np.sort(np.concatenate([have, left[left < complete]]))
            self._passes[work.name] = Partial(work.name, *described, done, total[done])
            self._saved = time.monotonic()
            if self.save is not None:
                self.save(self.passes)

        def on_sums(_total: Moments, first: int | np.integer) -> None:
            nonlocal complete
            complete = int(first)
            if self.save is not None and time.monotonic() - self._saved >= self.every:
                with suppress(UnreadableFileError):
                    note()

        if self.save is not None:
            note()  # a place that cannot be written to is found out now; later, what cannot be kept stops no run
        try:
            read(left, total, on_sums)
            complete = count
        except ModelprovError as stopped:
            if self.save is None:
                raise
            note()
            if not isinstance(stopped, InterruptedRunError):
                raise
            raise InterruptedRunError(
                stopped.message, f"Run the same command again: it goes on from {self.where}."
            ) from None
        with suppress(UnreadableFileError):
            note()
        return total

    def _of(self, work: Pass, n: int) -> Partial | None:
        """What is known of this very pass; raises `OtherRunError` where it is of another."""
        known = self._passes.get(work.name)
        if known is None:
            return None
        now = dict(work.read(versions=self.versions))
        for label, digest in known.read:
            if now.get(label) != digest:
                raise OtherRunError(
                    f"{label} has changed: it is not what the sums in {self.where} are of",
                    "Sums of different weights do not add: bring back what was read then, or begin anew.",
                )
        shape = known.moments.counts.shape, known.moments.sums.shape
        fits = shape == ((len(known.tensors), layout(n).counts), (len(known.tensors), layout(n).sums))
        if known.key != work.key or known.total != len(work.alignment.tensors) or not fits:
            raise OtherRunError(
                f"the sums of {work.name} in {self.where} are of another run: its scout found or was asked otherwise",
                f"Give the same {called('seed')} and {called('memory')} as then, on the same kind of machine; "
                "or begin anew.",
            )
        return known
