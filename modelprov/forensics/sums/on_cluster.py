"""A pass over the weights as tasks for other machines: what each is sent, does, and brings back. Judges nothing."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.plan import plan_pass, tensor_bytes
from modelprov.checkpoints.types import Alignment
from modelprov.engines.ray import run_on_ray
from modelprov.forensics.sums.kernels.choose import pick_device
from modelprov.forensics.sums.kernels.cpu import compile_kernel
from modelprov.forensics.sums.kernels.interface import RecipePlan
from modelprov.forensics.sums.moments import Moments
from modelprov.forensics.sums.partial import Int64
from modelprov.forensics.sums.sweep import Complete, Progress, block_bytes, sweep, threads_within

BATCH = 1 << 30  # bytes of all checkpoints in a task: seconds of work, a fraction of a second of overhead
THREADS = 4  # of a task where none are asked for


@dataclass(frozen=True, eq=False)
class Work:
    """What every task needs: can be pickled where the sources can, and reads where they lie."""

    alignment: Alignment
    recipes: RecipePlan
    precision: Int64 | None
    piece: int
    memory: int
    threads: int
    method: str
    device: str


def sum_tensors(work: Work, only: Int64) -> Moments:
    """Moments of these tensors, ascending, a row each; on whatever machine this is called."""
    checkpoints = work.alignment.checkpoints
    compile_kernel()
    device = pick_device(work.device)
    threads = threads_within(work.memory, min(work.threads, device.threads or work.threads), len(checkpoints))
    plan = plan_pass(work.alignment, block_bytes(work.memory, threads, len(checkpoints), device), work.piece, only)
    total = sweep(
        checkpoints, plan, len(work.alignment.tensors), work.recipes, device, threads=threads, method=work.method,
        precision=work.precision,
    )  # fmt: skip
    return total[only]


def can_be_sent(work: Work) -> bool:
    """Whether another machine can read what it reads; what is computed when it is read cannot be, yet."""
    try:
        pickle.dumps(work)
    except (TypeError, AttributeError, pickle.PicklingError):
        return False
    return True


def batches(sizes: Int64, only: Int64, most: int) -> list[Int64]:
    """The tensors of `only` in their order, in groups of about `most` bytes; `sizes` int64 [t] of every tensor."""
    begins = np.cumsum(sizes[only]) - sizes[only]
    return [group for group in np.split(only, np.flatnonzero(np.diff(begins // most)) + 1) if len(group)]


def sweep_on_cluster(
    work: Work, only: Int64, total: Moments, on_sums: Complete | None, on_bytes: Progress,
    send: Callable[..., None] = run_on_ray, batch: int = BATCH,
) -> Moments:  # fmt: skip
    """As `sweep`, on the cluster that this process is connected to: the moments of `only` put into their rows."""
    sizes = tensor_bytes(work.alignment)
    tasks = batches(sizes, only, batch)
    left = set(range(len(tasks)))

    def on_result(number: int, rows: Moments) -> None:
        total.counts[tasks[number]], total.sums[tasks[number]] = rows.counts, rows.sums
        left.discard(number)
        on_bytes(int(sizes[tasks[number]].sum()))
        if on_sums is not None:
            on_sums(total, tasks[min(left)][0] if left else len(total.sums))

    send(sum_tensors, work, tasks, on_result, processors=work.threads, devices=int(work.device == "cuda"))
    for checkpoint in work.alignment.checkpoints:
        checkpoint.source.check_unchanged()
    return total
