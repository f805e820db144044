"""The GPU kernel against the float64 oracle: Triton in its interpreter, torch on the processor. No GPU needed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from modelprov.checkpoints.formats.dtypes import DType, encode
from modelprov.errors import UsageError
from modelprov.forensics.sums.kernels import choose
from modelprov.forensics.sums.kernels.cpu import cpu_kernel, description
from modelprov.forensics.sums.kernels.gpu_batches import Limits
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan, Segments
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.kernels.self_check import Example, disagreement, example, quick_example
from modelprov.recipes.arithmetics import Arithmetic

BF16, F16, F32, F64 = DType
SMALL = Limits(capacity=4 << 20, runs=4, group=2)  # so that a few thousand elements already need several slabs
COUNTS = [4096, 1, 9001, 64, 130]
ALL = list(Arithmetic)


def uniform(n: int, dtype: DType, segments: int = len(COUNTS)) -> list[list[DType]]:
    return [[dtype] * segments for _ in range(n)]


def mixed(n: int) -> list[list[DType]]:
    """Formats that differ between checkpoints and between segments; one F64 among them."""
    return [[(BF16, F16, F32)[(i + s) % 3] if (i, s) != (1, 4) else F64 for s in range(len(COUNTS))] for i in range(n)]


EXAMPLES: dict[str, Example] = {
    "two checkpoints": example(COUNTS, uniform(2, BF16), [Arithmetic.FLOAT32, Arithmetic.STEPWISE]),
    "three bf16 checkpoints": example(COUNTS, uniform(3, BF16), ALL[:8], nonfinite=0.01),
    "three f16 checkpoints": example(COUNTS, uniform(3, F16), ALL[1:], nonfinite=0.01),
    "three f32 checkpoints": example(COUNTS, uniform(3, F32), ALL[:8], nonfinite=0.01),
    "lerp": example(COUNTS, uniform(3, F32), [Arithmetic.FLOAT32_LERP] * 2),
    "four bf16 checkpoints": example(COUNTS, uniform(4, BF16), ALL[:8]),
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


EXAMPLES["zeros"] = equal_everywhere()
EXAMPLES["rounding twice"] = rounded_twice_would_differ()


def check_triton_in_this_process() -> None:
    """Every example in Triton's interpreter, where TRITON_INTERPRET was set before triton was imported."""
    from modelprov.forensics.sums.kernels.gpu import GpuKernel
    from modelprov.forensics.sums.kernels.triton_kernel import INTERPRETED

    assert INTERPRETED
    kernel = GpuKernel("cpu", backend="triton", limits=SMALL, slabs=2)
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
def test_triton_compiles_for_gpus_without_contraction_or_flushing_and_reads_16_bytes_at_once(architecture: int) -> None:
    """The compiler runs without a GPU: what cannot be run here can at least be read."""
    pytest.importorskip("torch")
    triton = pytest.importorskip("triton", minversion="3.3")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from modelprov.forensics.sums.kernels.triton_kernel import INTERPRETED, run_rows

    if INTERPRETED or sys.platform != "linux":
        pytest.skip("Triton's compiler is not at hand")
    constants = {
        "N": 3, "FORMATS": 0, "RECIPES": 2, "ARITHMETICS": 0x10, "ORDERS": 0b000100_000100, "EMULATE_FMA": False,
        "SIZE": 4096, "WIDTH": 41,
    }  # fmt: skip
    pointers = dict(zip(run_rows.arg_names, ("*i16", "*i32", "*i32", "*i64", "*fp64", "*fp64"), strict=False))
    source = ASTSource(
        fn=run_rows, signature=pointers | {"first_run": "i32"} | dict.fromkeys(constants, "constexpr"),
        constexprs={(run_rows.arg_names.index(name),): value for name, value in constants.items()},
        attrs={(i,): [["tt.divisibility", 16]] for i in range(len(pointers))},
    )  # fmt: skip
    options = {"num_warps": 8, "enable_fp_fusion": False, "maxnreg": 128}
    ptx = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=options).asm["ptx"]
    assert ptx.count("fma.rn.f32") == 4096 // 256  # one an element, all of them in the fused recipe
    assert "fma.rn.f64" not in ptx
    assert ".ftz" not in ptx
    assert "div.full" not in ptx
    assert "ld.global.v4.b32" in ptx
    assert "ld.global.b16" not in ptx


@pytest.mark.parametrize("name", EXAMPLES)
def test_torch_computes_what_the_oracle_computes(name: str) -> None:
    pytest.importorskip("torch")
    from modelprov.forensics.sums.kernels.gpu import GpuKernel

    assert disagreement(GpuKernel("cpu", backend="torch", limits=SMALL, slabs=2), EXAMPLES[name]) == ""


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


def test_slabs_and_groups_do_not_change_the_counts_and_hardly_the_sums() -> None:
    pytest.importorskip("torch")
    from modelprov.forensics.sums.kernels.gpu import GpuKernel

    on = EXAMPLES["three bf16 checkpoints"]
    one, many = (
        GpuKernel("cpu", backend="torch", limits=limits)(on.buffers, on.segments, on.recipes)
        for limits in (Limits(), Limits(capacity=2 << 20, runs=1, group=1))
    )
    assert np.array_equal(one.counts, many.counts)
    np.testing.assert_allclose(one.sums, many.sums, rtol=1e-12)


def test_neighbouring_segments_travel_in_one_copy_without_changing_anything() -> None:
    pytest.importorskip("torch")
    from modelprov.forensics.sums.kernels.gpu import GpuKernel

    whole = example([8192], uniform(3, BF16, 1), [Arithmetic.FLOAT32])
    zero, half = np.zeros((3, 1), np.int64), np.full((3, 1), 8192)
    halves = Segments(
        np.zeros(2, np.int64), np.array([4096, 4096]), np.hstack([zero, half]), np.zeros((3, 2), np.int64)
    )
    kernel = GpuKernel("cpu", backend="torch")
    together = kernel(whole.buffers, whole.segments, whole.recipes)
    apart = kernel(whole.buffers, halves, whole.recipes).total()
    assert np.array_equal(together.counts[0], apart.counts)
    np.testing.assert_allclose(together.sums[0], apart.sums, rtol=1e-12)


@pytest.mark.parametrize("name", ["three bf16 checkpoints", "three checkpoints, mixed formats", "without recipes"])
def test_weights_that_a_device_cannot_fetch_by_itself_are_staged_first(name: str) -> None:
    """Maps of files may not be written to: they are no memory of the device's."""
    pytest.importorskip("torch")
    from modelprov.forensics.sums.kernels.gpu import GpuKernel

    on = EXAMPLES[name]
    mapped = tuple(buffer.copy() for buffer in on.buffers)
    for buffer in mapped:
        buffer.flags.writeable = False
    kernel = GpuKernel("cpu", backend="torch", limits=SMALL, slabs=2)
    assert disagreement(kernel, Example(mapped, on.segments, on.recipes)) == ""


def test_many_scattered_pieces_are_put_together_before_they_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from modelprov.forensics.sums.kernels import gpu

    def copies() -> int:
        sent = []
        kernel = gpu.GpuKernel("cpu", backend="torch")
        submit = kernel.submit
        monkeypatch.setattr(kernel, "submit", lambda *given: sent.append(len(given[3])) or submit(*given))
        assert disagreement(kernel, EXAMPLES["three bf16 checkpoints"]) == ""
        return max(sent)

    assert copies() > 3
    monkeypatch.setattr(gpu, "STRETCHES", 2)
    assert copies() == 1


def test_many_threads_share_two_slabs_without_waiting_for_each_other_forever() -> None:
    pytest.importorskip("torch")
    from modelprov.forensics.sums.kernels.gpu import GpuKernel

    on = EXAMPLES["three bf16 checkpoints"]
    kernel = GpuKernel("cpu", backend="torch", limits=SMALL, slabs=2)
    wrong: list[str] = []
    threads = [threading.Thread(target=lambda: wrong.append(disagreement(kernel, on))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == [""] * 4


def test_a_kernel_that_is_off_by_one_is_found() -> None:
    def off(buffers: object, segments: Segments, recipes: RecipePlan) -> object:
        moments = cpu_kernel(buffers, segments, recipes)  # type: ignore[arg-type]
        moments.counts[1, 6] += 1
        return moments

    assert "count 6 of segment 1" in disagreement(off, quick_example())  # type: ignore[arg-type]


def test_choosing_the_processor_imports_no_torch() -> None:
    code = (
        "import sys; from modelprov.forensics.sums.kernels.choose import pick_device; "
        "print(pick_device('cpu').description, 'torch' in sys.modules, 'triton' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{description()} False False"


def test_auto_is_the_processor_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "DEVICE_FILES", ("no such device",))
    monkeypatch.setattr(sys, "platform", "linux")
    assert choose.pick_device("auto") == Device(cpu_kernel, description())


def test_auto_leaves_a_gpu_alone_that_would_end_later_than_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_gpu_possible", lambda: True)
    monkeypatch.setattr(choose, "_checked_gpu", lambda: Device(cpu_kernel, "the GPU"))
    assert "not the GPU" in choose.pick_device("auto", 1 << 30, threads=16).description
    assert choose.pick_device("auto", 1 << 40, threads=2).description == "the GPU"
    assert choose.pick_device("cuda", 1 << 30, threads=16).description == "the GPU"


def test_a_faster_processor_and_a_smaller_model_speak_against_a_gpu() -> None:
    assert not choose.worth_starting(0, 1)
    assert [choose.worth_starting(24 << 30, threads) for threads in (1, 2, 16)] == [True, True, False]
    assert choose.worth_starting(10 << 40, 64)


def test_asking_for_a_gpu_without_one_says_so() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UsageError, match="no GPU") as caught:
        choose.pick_device("cuda")
    assert "device='cpu'" in caught.value.advice


def test_asking_for_a_gpu_without_torch_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match="torch") as caught:
        choose.pick_device("cuda")
    assert "modelprov[gpu]" in caught.value.advice


@pytest.mark.parametrize("backend", ["auto", "triton", "torch"])
def test_a_real_gpu_computes_what_the_oracle_computes(backend: str) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    from modelprov.forensics.sums.kernels.gpu import GpuKernel

    kernel = GpuKernel("cuda", backend=backend, limits=SMALL, slabs=2)  # type: ignore[arg-type]
    assert {name: disagreement(kernel, on) for name, on in EXAMPLES.items()} == dict.fromkeys(EXAMPLES, "")
