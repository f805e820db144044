"""What `modelprov merge` did, or would do, in lines for the terminal. Formats a plan; computes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from modelprov.foreign.shown import clean
from modelprov.merge.planned import MergePlan
from modelprov.merge.writing import Written
from modelprov.reports.numbers import plural, size


def said(plan: MergePlan, written: Written | None, out: Path, seconds: float) -> Iterator[str]:
    """What was merged, what must be known of it, and what lies in the folder after so many seconds.

    After a dry run nothing was `written`: then what would be merged.
    """
    yield from _summary(plan, plan.notes if written is None else written.notes)
    if written is None:
        yield "dry run: nothing was written"
        return
    kept = f"; {written.resumed} finished shards were kept" if written.resumed else ""
    if written.remade:
        kept += f"; {written.remade} of an unfinished run were not those of this merge and were made anew"
    shards = plural(len(written.files), "shard")
    yield f"wrote {clean(str(out))}: {shards}, {size(plan.bytes)} in {seconds:,.1f} s{kept}"


def _summary(plan: MergePlan, notes: Iterable[str]) -> Iterator[str]:
    merged = sum(tensor.copy is None for tensor in plan.tensors)
    yield (
        f"{plan.method.name} of {len(plan.checkpoints)} models in {plan.arithmetic}: {merged:,} tensors merged, "
        f"{len(plan.tensors) - merged:,} copied, {size(plan.bytes)}"
    )
    yield from (clean(f"note: {note}") for note in notes)
