"""A pass as tasks for other machines: all can be pickled, tasks hold every tensor, sums have the same bits."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.errors import ChangedFileError
from modelprov.forensics.sums.kernels.interface import RecipePlan
from modelprov.forensics.sums.moments import Moments
from modelprov.forensics.sums.on_cluster import Work, batches, can_be_sent, sum_tensors, sweep_on_cluster
from tests.cli.conftest import models

__all__ = ["models"]


@pytest.fixture
def work(models: Path) -> Work:
    alignment = align([open_checkpoint(str(models / name), name) for name in ("nex", "qwen")])
    none = RecipePlan.none(1, len(alignment.tensors))
    return Work(alignment, none, None, 64 << 10, 1 << 20, 1, "auto", "cpu")


def backwards(
    work: Callable[[Any, Any], Any], shared: Any, tasks: Sequence[Any], on_result: Callable[[int, Any], None], **_: int
) -> None:
    """Another machine, as far as a test can be one: all goes there and comes back in pickles, the last task first."""
    for number in reversed(range(len(tasks))):
        found = work(pickle.loads(pickle.dumps(shared)), pickle.loads(pickle.dumps(tasks[number])))
        on_result(number, pickle.loads(pickle.dumps(found)))


def test_tasks_done_elsewhere_in_any_order_give_the_bits_of_here(work: Work) -> None:
    tensors = np.arange(len(work.alignment.tensors))
    here = sum_tensors(work, tensors)
    only, heard, read = tensors[1::2], [], []
    total = Moments.empty(2, len(tensors))
    sweep_on_cluster(work, only, total, lambda _, first: heard.append(int(first)), read.append, backwards, 50_000)
    assert np.array_equal(total.counts[only], here.counts[only])
    assert np.array_equal(total.sums[only].view(np.int64), here.sums[only].view(np.int64))
    assert not total.counts[::2].any()
    assert len(heard) > 2
    assert heard[:-1] == [only[0]] * (len(heard) - 1)  # the first task comes last
    assert heard[-1] == len(tensors)
    assert sum(read) > 0


@given(sizes=st.lists(st.integers(1, 1000), max_size=50), most=st.integers(1, 3000))
def test_tasks_hold_every_tensor_once_in_order_and_about_so_many_bytes(sizes: list[int], most: int) -> None:
    held, only = np.array(sizes, np.int64), np.arange(len(sizes))[::2]
    tasks = batches(held, only, most)
    assert [tensor for task in tasks for tensor in task.tolist()] == only.tolist()
    assert all(len(task) and int(held[task[:-1]].sum()) < most for task in tasks)


def test_what_cannot_be_pickled_stays_here(work: Work) -> None:
    assert can_be_sent(work)
    first, *others = work.alignment.checkpoints
    computed = replace(first, source=threading.Lock())  # as one that is computed when it is read holds
    assert not can_be_sent(replace(work, alignment=replace(work.alignment, checkpoints=(computed, *others))))


def test_a_shared_disk_has_another_number_on_another_machine_and_any_other_change_is_one(
    work: Work,
) -> None:
    source = work.alignment.checkpoints[0].source
    assert isinstance(source, LocalFiles)
    make, (folder, names, states) = source.__reduce__()
    make(folder, names, tuple(replace(state, device=state.device + 1) for state in states)).check_unchanged()
    for other in ({"inode": 1}, {"size": 1}, {"modified_ns": 1}, {"changed_ns": 1}):
        with pytest.raises(ChangedFileError):
            make(folder, names, tuple(replace(state, **other) for state in states)).check_unchanged()
