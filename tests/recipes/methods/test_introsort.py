"""Of equal sizes those come first that the sort of the GNU C++ library, and so torch, puts first."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.native import for_merging
from modelprov.recipes.methods import introsort
from modelprov.recipes.methods.interface import Inputs, Whole
from modelprov.recipes.methods.introsort import ProgramSteps, chosen
from modelprov.recipes.methods.steps import FLOAT32, Steps, base_of

pytestmark = pytest.mark.skipif(for_merging() is None, reason="no C kernels here")
PROGRAM = ProgramSteps(np.float32, DType.F32, lanes=True)
KINDS = (
    "few sizes", "many sizes", "ascending", "descending", "all the same", "to a heap", "to a heap, the other way",
)  # fmt: skip


def _against_median_of_three(count: int) -> npt.NDArray[np.float32]:
    """Sizes for which the median of three is next to the smallest each time (Musser 1997): the sort turns to a heap."""
    half = count // 2
    values = np.empty(2 * half, np.float32)
    places = np.arange(half)
    values[:half] = np.where(places % 2 == 0, places + 1, half + places + places % 2)
    values[half:] = 2 * (places + 1)
    return values


def _sizes(kind: str, count: int) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(count)
    made = {
        "few sizes": rng.integers(0, 5, count),
        "many sizes": rng.integers(0, 1 + count // 3, count),
        "ascending": np.sort(rng.integers(0, 1 + count // 2, count)),
        "descending": np.sort(rng.integers(0, 1 + count // 2, count))[::-1],
        "all the same": np.ones(count),
        "to a heap": _against_median_of_three(count) // 3,
        "to a heap, the other way": count - _against_median_of_three(count) // 3,
    }
    return np.ascontiguousarray(made[kind], np.float32)


@pytest.mark.parametrize("at_once", [introsort.AT_ONCE, 17, 100])
@pytest.mark.parametrize("count", [1, 2, 16, 17, 33, 300, 1_000, 40_000])
@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_are_those_that_torch_sorts_first(
    kind: str, count: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where parts are parted a bit an element before they are small enough to be sorted with their places."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(introsort, "AT_ONCE", at_once)
    sizes = _sizes(kind, count)
    given = torch.from_numpy(sizes)
    for share in (0.0, 0.1, 0.5, 0.97, 1.0):
        wanted = int(share * len(sizes))
        mask = np.zeros(len(sizes), bool)
        mask[given.argsort(descending=True)[:wanted].numpy()] = True
        np.testing.assert_array_equal(PROGRAM.largest(sizes, wanted), mask)
        dropped = len(sizes) // 20
        stop = len(sizes) - dropped
        mask = np.zeros(len(sizes), bool)
        mask[given.argsort()[max(stop - wanted, 0) : stop].numpy()] = True
        np.testing.assert_array_equal(PROGRAM.between(sizes, dropped, wanted), mask)


def test_a_sort_that_turns_to_a_heap_leaves_equal_sizes_in_the_heaps_order() -> None:
    """The smallest of many equal sizes, after a sort whose parts are as uneven as can be."""
    sizes = _against_median_of_three(4_000) // 3
    stable = Steps.largest(FLOAT32, sizes, 777)
    assert not np.array_equal(PROGRAM.largest(sizes, 777), stable)


def test_as_many_elements_are_chosen_as_were_asked_for() -> None:
    sizes = _sizes("few sizes", 1_003)
    for first, last in ((0, 0), (0, 1_003), (1, 1_002), (500, 501)):
        assert int(PROGRAM.between(sizes, 1_003 - last, last - first).sum()) == last - first


@pytest.mark.parametrize(("at_once", "threads"), [(introsort.AT_ONCE, 1), (40, 1), (40, 3)])
@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
def test_blocks_of_a_tensor_are_thinned_as_all_of_it_is_sorted(
    dtype: DType, at_once: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where both borders lie among changes of the same size, and where a size is on one side of them."""
    monkeypatch.setattr(introsort, "AT_ONCE", at_once)
    library = for_merging()
    assert library is not None
    step = ProgramSteps(np.float32, dtype)
    rng = np.random.default_rng(7)
    tensor, base = (step(rng.integers(-9, 9, 5_000) / 64).astype(np.float32) for _ in range(2))
    about = Inputs([np.empty(0, np.float32)], np.empty(0, np.float32), (5_000,), [{}])

    def blocks(start: int) -> Iterator[tuple[int, Inputs]]:
        for first in range(start, 5_000, 640):
            part = slice(first, first + 640)
            yield first, replace(about, tensors=[tensor[part]], base=base[part])

    delta, whole = step(tensor - base), Whole(about, 5_000, blocks, threads=threads)
    zeros = int((delta == 0).sum())
    for start, stop in ((0, 1_800), (300, 4_000), (2_000, 2_010), (0, zeros), (0, 5_000), (4_999, 5_000)):
        for largest_first in (True, False):
            (found,) = chosen(library, whole, step, [(start, stop)], largest_first)
            thinned = np.empty((8, 640), np.float32)
            for number, (first, block) in enumerate(blocks(0)):
                found.thin(
                    library, block.tensors[0], base_of(block), step, first, thinned[number, : len(block.tensors[0])]
                )
            mask = step.largest(np.abs(delta), stop) & ~step.largest(np.abs(delta), start)
            if not largest_first:
                mask = step.between(np.abs(delta), 5_000 - stop, stop - start)
            np.testing.assert_array_equal(thinned.reshape(-1)[:5_000], np.where(mask, delta, 0))


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
def test_a_sort_takes_no_more_memory_than_it_says(dtype: DType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted when memory is asked for and when it is given back; three models sort one after the other."""
    monkeypatch.setattr(introsort, "AT_ONCE", 1_000)
    held, peak, ask = 0, 0, introsort._new

    def give_back(size: int) -> None:
        nonlocal held
        held -= size

    def counted(count: int, kind: type[np.generic]) -> npt.NDArray[np.generic]:
        nonlocal held, peak
        made = ask(count, kind)
        weakref.finalize(made, give_back, made.nbytes)
        held += made.nbytes
        peak = max(peak, held)
        return made

    monkeypatch.setattr(introsort, "_new", counted)
    library, step, count = for_merging(), ProgramSteps(np.float32, dtype), 300_000
    assert library is not None
    rng = np.random.default_rng(3)
    tensors = [step(rng.standard_normal(count).astype(np.float32)).astype(np.float32) for _ in range(3)]
    about = Inputs(tensors, np.zeros(count, np.float32), (count,), [{}] * 3)
    whole = Whole(about, count, lambda _: iter([(0, about)]), threads=2)
    found = chosen(library, whole, step, [(0, count // 2), (0, count // 5), (9, count // 3)], True)
    assert [int(one.mask(count).sum()) for one in found] == [count // 2, count // 5, count // 3 - 9]
    told = introsort.bytes_to_sort(step, count) + 3 * introsort.bytes_chosen(count)
    keys = count * (2 if dtype is DType.BF16 else 4)
    assert keys < peak < told


def test_an_expert_stack_of_a_397b_model_is_sorted_in_14_gb() -> None:
    """8 GiB in bf16, in a preset; the whole of it in float32 would take 34 GB."""
    step = ProgramSteps(np.float32, DType.BF16)
    assert introsort.bytes_to_sort(step, 1 << 32) + introsort.bytes_chosen(1 << 32) < 14e9
