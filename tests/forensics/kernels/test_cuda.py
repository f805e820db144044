"""Streams, windows and memory of a GPU, with a driver that is acted: what happens in which order, and what is left."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.checkpoints.sources.local_access import CachedFile
from modelprov.errors import TruncatedShardError, UsageError
from modelprov.forensics.sums.kernels import choose, cuda
from modelprov.forensics.sums.kernels.cpu import cpu_kernel
from modelprov.forensics.sums.kernels.cuda import Cuda, CudaLane
from modelprov.forensics.sums.kernels.gpu import GpuKernel
from modelprov.forensics.sums.kernels.gpu_batches import Batch, Limits, batches, recipe_scalars
from modelprov.forensics.sums.kernels.gpu_columns import COLUMNS
from modelprov.forensics.sums.kernels.interface import Device
from modelprov.forensics.sums.kernels.self_check import Example, example
from modelprov.native import native, why_not
from modelprov.recipes.arithmetics import Arithmetic
from tests.forensics.kernels.acted_driver import ActedDriver

pytest.importorskip("triton", minversion="3.3")
if sys.platform != "linux":
    pytest.skip("Triton compiles on Linux", allow_module_level=True)

SMALL = Limits(capacity=4 << 20, runs=64, group=2)
ON = example([200_000, 4096, 90], [[DType.BF16] * 3] * 3, [Arithmetic.FLOAT32])


@pytest.fixture(autouse=True)
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones, so that every batch takes many."""
    monkeypatch.setattr(cuda, "WINDOW", 50_000)
    monkeypatch.setattr(CudaLane, "size", 50_000)


def image(batch: Batch, on: Example) -> tuple[np.ndarray, np.ndarray]:
    """The slab as it should arrive, and which of its bytes are meant: what lies between pieces may be anything."""
    whole, meant = np.zeros(batch.used, np.uint8), np.zeros(batch.used, bool)
    everything = [*on.buffers, batch.written_tables(recipe_scalars(on.recipes))]
    for i, source, at, size in [(-1, 0, 0, batch.tables_end), *batch.stretches()]:
        whole[at : at + size] = everything[i][source : source + size]
        meant[at : at + size] = True
    return whole, meant


def files_of(on: Example, folder: Path) -> list[CachedFile]:
    """The buffers as files."""
    for i, buffer in enumerate(on.buffers):
        (folder / f"{i}").write_bytes(buffer.tobytes())
    return [CachedFile(LocalFiles(folder, [f"{i}"]), 0) for i in range(len(on.buffers))]


class Elsewhere:
    """Stored bytes, and how they were asked for."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.asked = data, list[tuple[int, int]]()

    def descriptor(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def read_into(self, start: int, out: memoryview) -> None:
        self.asked.append((start, len(out)))
        out[:] = self.data[start : start + len(out)].data


def all_that_arrives(driver: ActedDriver, batch: Batch) -> list[np.ndarray]:
    """What the slab holds whenever sums are asked for, which are all nothing."""
    arrived: list[np.ndarray] = []

    def results(pointers: list[int], count: int) -> None:
        slab = driver.launches[-2][2][0]
        arrived.append(np.frombuffer(ctypes.string_at(slab, batch.used), np.uint8))
        ctypes.memset(pointers[2], 0, 8 * COLUMNS * count)

    driver.results = results
    return arrived


WITH_C = pytest.mark.skipif(native() is None, reason=f"no C kernels: {why_not()}")


@pytest.mark.parametrize("in_c", [pytest.param(True, marks=WITH_C), False])
def test_what_arrives_is_what_was_to_be_sent_though_windows_are_used_again(
    monkeypatch: pytest.MonkeyPatch, in_c: bool
) -> None:
    driver = ActedDriver()
    if not in_c:
        monkeypatch.setattr(cuda, "native", lambda: None)
    (batch,) = batches(ON.segments, np.arange(3), 1, SMALL)
    arrived = all_that_arrives(driver, batch)
    GpuKernel([Cuda(driver)], limits=SMALL, lanes=1)(ON.buffers, ON.segments, ON.recipes)
    expected, meant = image(batch, ON)
    assert batch.used > 10 * 50_000
    assert len(arrived) == 1
    assert np.array_equal(arrived[0][meant], expected[meant])
    assert len(driver.called_by_c) == (3 * -(-batch.used // 50_000) if in_c else 0)


@WITH_C
def test_files_are_read_without_python(tmp_path: Path) -> None:
    files = files_of(ON, tmp_path)
    driver = ActedDriver()
    (batch,) = batches(ON.segments, np.arange(3), 1, SMALL)
    arrived = all_that_arrives(driver, batch)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LocalFiles, "read_into", None)
        GpuKernel([Cuda(driver)], limits=SMALL, lanes=1)(files, ON.segments, ON.recipes)
    expected, meant = image(batch, ON)
    assert np.array_equal(arrived[0][meant], expected[meant])


@WITH_C
def test_a_file_that_was_cut_short_is_an_error_in_words_and_the_lane_goes_on(tmp_path: Path) -> None:
    files = files_of(ON, tmp_path)
    kernel = GpuKernel([Cuda(ActedDriver())], limits=SMALL, lanes=1)
    whole = Path(files[1].source.place(0)).read_bytes()
    os.truncate(files[1].source.place(0), len(whole) - 100)
    with pytest.raises(TruncatedShardError, match="100 bytes before the end"):
        kernel(files, ON.segments, ON.recipes)
    Path(files[1].source.place(0)).write_bytes(whole)
    kernel([files[0], ON.buffers[1], files[2]], ON.segments, ON.recipes)


@WITH_C
@pytest.mark.parametrize("name", ["cuMemcpyHtoDAsync", "cuEventRecord", "cuEventSynchronize"])
def test_what_fails_in_c_is_said_in_words(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    driver = ActedDriver()
    monkeypatch.setattr(driver, name, lambda *_: (719,))
    with pytest.raises(UsageError, match="the GPU's driver says: error 719"):
        GpuKernel([Cuda(driver)], limits=SMALL, lanes=1)(ON.buffers, ON.segments, ON.recipes)


def test_a_driver_that_names_no_functions_is_spoken_to_from_python(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = ActedDriver()
    monkeypatch.setattr(driver, "cuGetProcAddress", lambda *_: (500, None, 0))
    (batch,) = batches(ON.segments, np.arange(3), 1, SMALL)
    arrived = all_that_arrives(driver, batch)
    GpuKernel([Cuda(driver)], limits=SMALL, lanes=1)(ON.buffers, ON.segments, ON.recipes)
    expected, meant = image(batch, ON)
    assert np.array_equal(arrived[0][meant], expected[meant])
    assert not driver.called_by_c


def test_stored_bytes_are_read_once_into_windows_and_what_is_the_processors_is_read_for_it() -> None:
    driver = ActedDriver()
    on = example([200_000, 40, 4096], [[DType.BF16] * 3] * 3, [Arithmetic.FLOAT32])
    batch, *_ = batches(on.segments, np.array([0, 2]), 1, SMALL)
    arrived = all_that_arrives(driver, batch)
    stored = tuple(map(Elsewhere, on.buffers))
    found = GpuKernel([Cuda(driver)], limits=SMALL, lanes=1)(stored, on.segments, on.recipes)
    expected, meant = image(batch, on)
    assert np.array_equal(arrived[0][meant], expected[meant])
    alone = cpu_kernel(on.buffers, on.segments.select(np.array([1])), on.recipes)
    assert np.array_equal(found.counts[1], alone.counts[0])
    for of in stored:
        assert max(size for _, size in of.asked) <= 50_000
        assert sum(size for _, size in of.asked) == 2 * (200_000 + 40 + 4096)


def test_rows_that_a_gpu_adds_come_back_as_the_sums_of_their_segments() -> None:
    driver = ActedDriver()

    def results(pointers: list[int], count: int) -> None:
        rows = np.zeros((count, COLUMNS))
        rows[:, 0], rows[:, 20] = 0.5, 7
        ctypes.memmove(pointers[2], rows.ctypes.data, rows.nbytes)

    driver.results = results
    found = GpuKernel([Cuda(driver)], limits=SMALL)(ON.buffers, ON.segments, ON.recipes)
    groups = [-(-runs // 2) for runs in (49, 1, 1)]
    assert found.sums[:, 0].tolist() == [0.5 * g for g in groups]
    assert found.counts[:, 0].tolist() == [7 * g for g in groups]


def test_a_program_reads_what_it_is_told_where_the_tables_lie() -> None:
    driver = ActedDriver()
    (batch,) = batches(ON.segments, np.arange(3), 1, SMALL)
    GpuKernel([Cuda(driver)], limits=SMALL)(ON.buffers, ON.segments, ON.recipes)
    (name, programs, pointers), (adding, groups, others) = driver.launches
    slab = pointers[0]
    assert (name, programs, adding, groups) == (b"run_rows", 51, b"group_sums", 27)
    assert [p - slab for p in pointers[1:5]] == [0, batch.tables[2].start, batch.tables[0].start, batch.tables[1].start]
    assert pointers[6] == 0
    assert others[:2] == [pointers[5], slab + batch.tables[3].start]
    assert others[3] == 27
    assert set(pointers[7:] + others[4:]) <= {0}


def test_lanes_are_dealt_to_all_gpus() -> None:
    driver = ActedDriver(gpus=2)
    kernel = GpuKernel([Cuda(driver, 0), Cuda(driver, 1)], limits=SMALL, lanes=4)
    assert kernel.description == "2 x acted 0 (Triton)"
    threads = [threading.Thread(target=kernel, args=(ON.buffers, ON.segments, ON.recipes)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert driver.used == {0, 1}
    assert len(driver.launches) == 16


def test_memory_that_a_gpu_does_not_have_is_a_refusal_and_nothing_stays_allocated() -> None:
    driver = ActedDriver(memory=(4 << 20) + 50_000)
    kernel = GpuKernel([Cuda(driver)], limits=SMALL, lanes=1)
    for _ in range(2):  # the second time shows that the lane was given back
        with pytest.raises(UsageError, match="no memory for"):
            kernel(ON.buffers, ON.segments, ON.recipes)
        assert not driver.held


def test_a_lane_gives_its_memory_back() -> None:
    driver = ActedDriver()
    lane = Cuda(driver).lane(SMALL)
    assert len(driver.held) == 6
    lane.close()
    assert not driver.held


def test_a_failed_launch_is_an_error_in_words_and_frees_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = ActedDriver()
    kernel = GpuKernel([Cuda(driver)], limits=SMALL, lanes=1)
    with monkeypatch.context() as patched:
        patched.setattr(driver, "cuLaunchKernel", lambda *_: (719,))
        with pytest.raises(UsageError, match="the GPU's driver says: error 719"):
            kernel(ON.buffers, ON.segments, ON.recipes)
    kernel(ON.buffers, ON.segments, ON.recipes)


def test_five_checkpoints_are_the_processors() -> None:
    five = example([5000], [[DType.BF16]] * 5, [])
    driver = ActedDriver()
    found = GpuKernel([Cuda(driver)])(five.buffers, five.segments, five.recipes)
    assert np.array_equal(found.sums, cpu_kernel(five.buffers, five.segments, five.recipes).sums)
    assert not driver.launches


def test_no_driver_is_no_gpu() -> None:
    def missing(_flags: int) -> None:
        raise RuntimeError("libcuda.so is not here")

    driver = ActedDriver()
    assert Cuda.count(driver) == 1
    driver.cuInit = missing  # type: ignore[assignment, method-assign]
    assert Cuda.count(driver) == 0


def test_a_gpu_whose_numbers_are_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "bindings", ActedDriver)
    with pytest.raises(UsageError, match="acted 0 failed its check: count"):
        choose.pick_device("cuda")
    monkeypatch.setattr(choose, "_gpu_possible", lambda: True)
    chosen = choose.pick_device("auto", 1 << 40, 2)
    assert chosen.kernel is cpu_kernel
    assert "failed its check" in chosen.description


@pytest.mark.parametrize("sooner", [True, False])
def test_auto_takes_what_was_faster_and_says_what_it_measured(monkeypatch: pytest.MonkeyPatch, sooner: bool) -> None:
    gpu = Device(cpu_kernel, "acted 0 (Triton)", threads=12)
    monkeypatch.setattr(choose, "_gpu_possible", lambda: True)
    monkeypatch.setattr(choose, "_checked_gpu", lambda: gpu)
    monkeypatch.setattr(choose, "rate", lambda _kernel, threads: (40e9 if sooner else 4e9) if threads == 12 else 20e9)
    chosen = choose.pick_device("auto", 1 << 40, 16)
    assert chosen.description.startswith("acted 0 (Triton); measured 40.0" if sooner else "processor")
    assert "the processor's 16 threads 20.0" in chosen.description
    assert chosen.threads == (12 if sooner else None)
