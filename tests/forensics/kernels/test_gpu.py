"""The GPU kernel against the float64 oracle, in Triton's interpreter, and how a device is chosen. No GPU needed."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from modelprov.checkpoints.formats.dtypes import SIZES, DType, encode
from modelprov.errors import UsageError
from modelprov.forensics.sums.kernels import choose, cuda
from modelprov.forensics.sums.kernels.cpu import cpu_kernel, description, processor
from modelprov.forensics.sums.kernels.gpu import GpuKernel
from modelprov.forensics.sums.kernels.gpu_batches import Launch, Limits, batches
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan, Segments
from modelprov.forensics.sums.kernels.interpreted import Interpreted
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.kernels.self_check import Example, disagreement, example, quick_example
from modelprov.recipes.arithmetics import MEANS, Arithmetic
from tests.forensics.kernels.acted_driver import ActedDriver

BF16, F16, F32, F64 = DType
SMALL = Limits(capacity=4 << 20, runs=4, group=2)  # so that a few thousand elements already need several slabs
COUNTS = [4096, 1, 9001, 64, 130]
ALL = list(Arithmetic)
TORCH = [Arithmetic.TORCH_SUM, Arithmetic.TORCH_DELTA, Arithmetic.TORCH_ALPHA]
LATER = [Arithmetic.TORCH_ALPHA_FROM_ZERO, Arithmetic.TORCH_DELTA_ALPHA, Arithmetic.TORCH_DELTA_SUM, *MEANS]


def uniform(n: int, dtype: DType, segments: int = len(COUNTS)) -> list[list[DType]]:
    return [[dtype] * segments for _ in range(n)]


def mixed(n: int) -> list[list[DType]]:
    """Formats that differ between checkpoints and between segments; one F64 among them."""
    return [[(BF16, F16, F32)[(i + s) % 3] if (i, s) != (1, 4) else F64 for s in range(len(COUNTS))] for i in range(n)]


EXAMPLES: dict[str, Example] = {
    "two checkpoints": example(COUNTS, uniform(2, BF16), [Arithmetic.FLOAT32, Arithmetic.STEPWISE]),
    "three bf16 checkpoints": example(COUNTS, uniform(3, BF16), ALL[:8], nonfinite=0.01),
    "three f16 checkpoints": example(COUNTS, uniform(3, F16), ALL[1:9], nonfinite=0.01),
    "three f32 checkpoints": example(COUNTS, uniform(3, F32), ALL[:8], nonfinite=0.01),
    "lerp": example(COUNTS, uniform(3, F32), [Arithmetic.FLOAT32_LERP] * 2),
    "torch's, f32": example(COUNTS, uniform(3, F32), [*TORCH, Arithmetic.TORCH_LERP], nonfinite=0.01),
    "torch's, bf16": example(COUNTS, uniform(3, BF16), [*TORCH, Arithmetic.TORCH_LERP], nonfinite=0.01),
    "torch's, f16, three parents": example(COUNTS, uniform(4, F16), [*TORCH, *TORCH], seed=3),
    "torch's, bf16, three parents": example(COUNTS, uniform(4, BF16), [*TORCH, *TORCH], nonfinite=0.01),
    "means and other sums of torch, bf16": example(COUNTS, uniform(4, BF16), LATER, nonfinite=0.01),
    "means and other sums of torch, f16": example(COUNTS, uniform(3, F16), LATER),
    "means and other sums of torch, f32": example(COUNTS, uniform(4, F32), LATER, nonfinite=0.01),
    "four bf16 checkpoints": example(COUNTS, uniform(4, BF16), ALL[:8]),
    "two of three parents": example(COUNTS, uniform(4, BF16), ALL[:8], taken=2),
    "two of three parents, torch's and lerp": example(COUNTS, uniform(4, F32), ALL[8:16], taken=2, seed=1),
    "two of three parents, means": example(COUNTS, uniform(4, BF16), ALL[13:], taken=2, seed=2),
    "four f32 checkpoints": example(COUNTS, uniform(4, F32), ALL[:8], seed=3),
    "two checkpoints, mixed formats": example(COUNTS, mixed(2), [Arithmetic.FLOAT32_FUSED], nonfinite=0.01),
    "three checkpoints, mixed formats": example(COUNTS, mixed(3), ALL[:8], nonfinite=0.01),
    "four checkpoints, mixed formats": example(COUNTS, mixed(4), ALL[:8], nonfinite=0.01),
    "five checkpoints": example(COUNTS, uniform(5, BF16), ALL[:8], nonfinite=0.01),
    "without recipes": example(COUNTS, uniform(3, BF16), []),
    "squares below float32's range": example(COUNTS, uniform(3, BF16), ALL[:3], scale=1e-20),
    "subnormal numbers": example(COUNTS, uniform(3, F32), ALL[:5], scale=1e-40),
    "f16 subnormal numbers": example(COUNTS, uniform(3, F16), ALL[:8], scale=1e-6),
    "squares above float32's range": example(COUNTS, uniform(3, F32), ALL[:3], scale=1e25),
    "f32 beyond what f16 can store": example([5000], [[F16], [F32], [F32]], ALL[:3], scale=3e4),
    "nothing finite": example([4096, 70], uniform(3, BF16, 2), ALL[:2], nonfinite=3.0),
    "an empty segment": example([0, 100, 0], uniform(3, BF16, 3), ALL[:2]),
    "no segments": example([], [[], [], []], ALL[:2]),
}


def equal_everywhere() -> Example:
    """Zero differences and a reference of zeros: float32 cannot tell them from underflow, the answer must be exact."""
    zeros = np.zeros(2 * 4200, np.uint8)
    base = example([4200], uniform(3, BF16, 1), [Arithmetic.FLOAT32])
    return Example((zeros, zeros, zeros), base.segments, base.recipes)


def rounded_twice_would_differ() -> Example:
    """FLOAT64 sums of 1 + 2**-8 + 2**-40: just above the middle between two bf16 numbers, in the middle in float32."""
    count = 100
    values = (1 + 2.0**-7, BF16), (1 + 2.0**-8, F32), (1.0, F32)
    buffers = tuple(encode(np.full(count, value), dtype) for value, dtype in values)
    zero = np.zeros(1, np.int64)
    segments = Segments(zero, np.array([count]), np.zeros((3, 1), np.int64), np.array([[0], [2], [2]]))
    weights = np.array([[[1.0, 2.0**-40]]])
    return Example(buffers, segments, RecipePlan(np.array([Arithmetic.FLOAT64]), np.array([[0, 1]]), weights))


def coarser_than_stored(n: int, dtype: DType, precision: DType) -> Example:
    """A suspect whose every second segment holds numbers of a coarser format than it is stored in."""
    on = example(COUNTS, uniform(n, dtype), ALL[:8], nonfinite=0.01)
    codes = np.where(np.arange(len(COUNTS)) % 2, on.segments.dtype[0], precision.code)
    segments = Segments(on.segments.tensor, on.segments.count, on.segments.start, on.segments.dtype, codes)
    return Example(on.buffers, segments, on.recipes)


EXAMPLES["bf16 numbers in f32"] = coarser_than_stored(3, F32, BF16)
EXAMPLES["f16 numbers in f32, four checkpoints"] = coarser_than_stored(4, F32, F16)
EXAMPLES["bf16 numbers in f16, two checkpoints"] = coarser_than_stored(2, F16, BF16)
EXAMPLES["zeros"] = equal_everywhere()
EXAMPLES["rounding twice"] = rounded_twice_would_differ()


def check_triton_in_this_process() -> None:
    """Every example in Triton's interpreter, where TRITON_INTERPRET was set before triton was imported."""
    kernel = GpuKernel([Interpreted()], limits=SMALL, lanes=2)
    wrong = {name: disagreement(kernel, on) for name, on in EXAMPLES.items()}
    for name, what in wrong.items():
        print(f"{name}: {what or 'as the oracle'}")
    sys.exit(int(any(wrong.values())))


def test_triton_computes_what_the_oracle_computes() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("triton")
    code = "from tests.forensics.kernels.test_gpu import check_triton_in_this_process as check; check()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"TRITON_INTERPRET": "1"}, cwd=Path(__file__).parents[3],
        capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("as the oracle") == len(EXAMPLES)


@pytest.mark.parametrize("architecture", [80, 90])
def test_triton_compiles_for_gpus_without_contraction_or_flushing_and_reads_16_bytes_at_once(
    architecture: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler runs without a GPU: what cannot be run here can at least be read."""
    triton = pytest.importorskip("triton", minversion="3.3")
    from modelprov.forensics.sums.kernels.triton_kernel import INTERPRETED, compiled_rows

    if INTERPRETED or sys.platform != "linux":
        pytest.skip("Triton's compiler is not at hand")
    texts: list[str] = []
    compiled = triton.compile

    def read(*given: object, **options: object) -> object:
        made = compiled(*given, **options)
        texts.append(made.asm["ptx"])
        return made

    monkeypatch.setattr(triton, "compile", read)
    recipes = RecipePlan(
        np.array([Arithmetic.FLOAT32, Arithmetic.FLOAT32_FUSED]), np.tile([0, 1], (2, 1)), np.zeros((2, 1, 2))
    )
    compiled_rows(3, Launch(formats=0, precision=0, first_run=0, runs=1), recipes, architecture)
    (ptx,) = texts
    assert ptx.count("fma.rn.f32") == 4096 // 256  # one an element, all of them in the fused recipe
    assert "fma.rn.f64" not in ptx
    assert ".ftz" not in ptx
    assert "div.full" not in ptx
    assert "ld.global.v4.b32" in ptx
    assert "ld.global.b16" not in ptx


def test_examples_reach_what_they_are_named_for() -> None:
    def counts(name: str) -> npt.NDArray[np.int64]:
        on = EXAMPLES[name]
        return reference_kernel(on.buffers, on.segments, on.recipes).total().counts

    bf16 = counts("three bf16 checkpoints")
    assert bf16[1] > 50
    assert (bf16[9:17] > 500).all()
    assert (counts("four f32 checkpoints")[12:20] > 500).all()
    assert counts("nothing finite")[0] < 30
    assert counts("rounding twice")[9] == 100


def test_recipes_tell_fused_from_unfused_arithmetic() -> None:
    on = EXAMPLES["three f32 checkpoints"]
    found = reference_kernel(on.buffers, on.segments, on.recipes).counts.sum(axis=0)
    assert found[9] != found[10]


def test_pieces_and_neighbours_lie_in_the_slab_as_they_lie_in_the_buffers() -> None:
    """Whatever the limits: every piece of every checkpoint is found where the tables say."""
    on = EXAMPLES["three checkpoints, mixed formats"]
    which = np.flatnonzero((on.segments.count >= 64) & (on.segments.dtype != F64.code).all(axis=0))
    for limits in (Limits(), SMALL, Limits(capacity=2 << 20, runs=1, group=1)):
        seen = np.zeros(len(COUNTS), np.int64)
        for batch in batches(on.segments, which, len(on.recipes.arithmetic), limits):
            assert batch.used <= limits.capacity
            assert len(batch.run_piece) <= limits.runs
            slab = np.zeros(batch.used, np.uint8)
            for begin, _, parts in batch.windows(1000):
                for i, source, at, size in parts:
                    if i >= 0:
                        slab[begin + at : begin + at + size] = on.buffers[i][source : source + size]
            for p in range(len(batch.row)):
                seen[batch.row[p]] += batch.count[p]
                for i in range(3):
                    size = int(batch.count[p] * SIZES[batch.dtype[i, p]])
                    source, at = batch.source[i, p], batch.at[i, p]
                    assert at % 16 == 0
                    assert np.array_equal(slab[at : at + size], on.buffers[i][source : source + size])
        assert seen[which].tolist() == on.segments.count[which].tolist()


def test_neighbouring_segments_travel_as_a_single_stretch() -> None:
    whole = example([8192], uniform(3, BF16, 1), [Arithmetic.FLOAT32])
    zero, half = np.zeros((3, 1), np.int64), np.full((3, 1), 8192)
    halves = Segments(
        np.zeros(2, np.int64), np.array([4096, 4096]), np.hstack([zero, half]), np.zeros((3, 2), np.int64)
    )
    for segments in (whole.segments, halves):
        (batch,) = batches(segments, np.arange(len(segments.count)), 1, Limits())
        assert [stretch.size for stretch in batch.stretches()] == [16384] * 3


def test_a_kernel_that_is_off_by_one_is_found() -> None:
    def off(buffers: object, segments: Segments, recipes: RecipePlan) -> object:
        moments = cpu_kernel(buffers, segments, recipes)  # type: ignore[arg-type]
        moments.counts[1, 6] += 1
        return moments

    assert "count 6 of segment 1" in disagreement(off, quick_example())  # type: ignore[arg-type]


def test_choosing_the_processor_imports_nothing_of_a_gpus() -> None:
    code = (
        "import sys; from modelprov.forensics.sums.kernels.choose import pick_device; "
        "print(pick_device('cpu').description, *(name in sys.modules for name in ('torch', 'triton', 'cuda')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{description()} False False False"


def test_auto_is_the_processor_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "DEVICE_FILES", ("no such device",))
    monkeypatch.setattr(sys, "platform", "linux")
    assert choose.pick_device("auto") == processor()


def test_auto_leaves_a_gpu_alone_that_would_end_later_than_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Device(cpu_kernel, "the GPU")
    monkeypatch.setattr(choose, "_gpu_possible", lambda: True)
    monkeypatch.setattr(choose, "_checked_gpu", lambda: gpu)
    monkeypatch.setattr(choose, "faster", lambda _processor, gpu, _threads: gpu)
    assert "not the GPU" in choose.pick_device("auto", 1 << 30, threads=16).description
    assert choose.pick_device("auto", 1 << 40, threads=2) is gpu
    assert choose.pick_device("cuda", 1 << 30, threads=16) is gpu


def test_a_faster_processor_and_a_smaller_model_speak_against_a_gpu() -> None:
    assert not choose.worth_starting(0, 1)
    assert [choose.worth_starting(24 << 30, threads) for threads in (1, 2, 16)] == [True, True, False]
    assert choose.rate(cpu_kernel, 2, size=1 << 16) > 0
    assert choose.worth_starting(10 << 40, 64)


def test_asking_for_a_gpu_without_one_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "bindings", lambda: ActedDriver(gpus=0))
    with pytest.raises(UsageError, match="no GPU") as caught:
        choose.pick_device("cuda")
    assert "device='cpu'" in caught.value.advice


def test_asking_for_a_gpu_without_its_bindings_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(UsageError, match="cuda-bindings") as caught:
        choose.pick_device("cuda")
    assert "modelprov[gpu]" in caught.value.advice


def real_gpu() -> cuda.Cuda:
    try:
        driver = cuda.bindings()
    except UsageError:
        pytest.skip("no bindings")
    if not cuda.Cuda.count(driver):
        pytest.skip("no GPU")
    return cuda.Cuda(driver)


@pytest.mark.parametrize("limits", [SMALL, Limits()])
def test_a_real_gpu_computes_what_the_oracle_computes(limits: Limits) -> None:
    kernel = GpuKernel([real_gpu()], limits=limits, lanes=2)
    assert {name: disagreement(kernel, on) for name, on in EXAMPLES.items()} == dict.fromkeys(EXAMPLES, "")


def test_many_threads_share_two_lanes_of_a_real_gpu() -> None:
    kernel = GpuKernel([real_gpu()], limits=SMALL, lanes=2)
    on = EXAMPLES["three bf16 checkpoints"]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: disagreement(kernel, on), range(40))) == {""}
