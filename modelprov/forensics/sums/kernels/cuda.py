"""GPUs through NVIDIA's driver: memory, copies and launches of one stream. Knows no weights; compiles nothing itself.

NVIDIA's own bindings (`cuda-bindings`, some megabytes) and Triton's compiler are all it takes: no torch, whose import
and start take longer than a pass over most models. Both are imported only when a GPU is asked for.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.called import called
from modelprov.errors import UsageError
from modelprov.forensics.sums.kernels.gpu_batches import OVERREAD, Batch, Limits
from modelprov.forensics.sums.kernels.gpu_columns import COLUMNS
from modelprov.forensics.sums.kernels.interface import RecipePlan
from modelprov.native import native

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
WINDOW = 4 << 20
"""Bytes of pinned memory that travel at once: small enough that the processors' cache still holds them when the GPU
fetches them (16 MiB came a third slower on an H200's host), large enough that the link is busy."""
WINDOWS = 2
LANES_CALL, LANES_SINCE = (b"cuMemcpyHtoDAsync", b"cuEventRecord", b"cuEventSynchronize"), 12000
"""Functions of the driver that C calls, as they were from that version of CUDA on."""


class Cuda:
    """The GPU with this number; raises `UsageError` where the driver says that there is none.

    `driver` is `cuda.bindings.driver`, or what stands in for it.
    """

    def __init__(self, driver: Any, number: int = 0) -> None:
        self.driver = driver
        self.do("cuInit", 0)
        self._number = self.do("cuDeviceGet", number)
        self._context = self.do("cuDevicePrimaryCtxRetain", self._number)
        self._lock = threading.Lock()
        self._functions: dict[Any, tuple[Any, Any]] = {}

    @staticmethod
    def count(driver: Any) -> int:
        """How many GPUs there are; none where there is no driver, or none that starts."""
        try:
            error, *_ = driver.cuInit(0)
            error, count = (error, 0) if int(error) else driver.cuDeviceGetCount()
        except RuntimeError:  # the bindings are there and the driver's library is not
            return 0
        return 0 if int(error) else int(count)

    @property
    def name(self) -> str:
        """What the maker calls it."""
        raw = self.do("cuDeviceGetName", 128, self._number)
        return str(raw.split(b"\0")[0].decode())

    @property
    def architecture(self) -> int:
        """Its compute capability, 90 for 9.0."""
        kinds, capability = self.driver.CUdevice_attribute, "CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_"
        major, minor = (
            int(self.do("cuDeviceGetAttribute", getattr(kinds, capability + part), self._number))
            for part in ("MAJOR", "MINOR")
        )
        return 10 * major + minor

    def enter(self) -> None:
        """Make this GPU the one that the calling thread speaks to."""
        self.do("cuCtxSetCurrent", self._context)

    def lane(self, limits: Limits) -> CudaLane:
        """A new lane. Raises `UsageError` where there is no memory for it."""
        self.enter()
        return CudaLane(self, limits)

    def rows(self, n: int, launch: Any, recipes: RecipePlan) -> tuple[Any, Any]:
        """The function for a launch, ready here, and its program; compiled once, however many threads ask."""
        key = (n, launch.formats, launch.precision, recipes.arithmetic.tobytes(), recipes.order.tobytes())
        return self._loaded(key, lambda compiler: compiler.compiled_rows(n, launch, recipes, self.architecture))

    def groups(self, group: int) -> tuple[Any, Any]:
        """The function that adds rows by groups, and its program."""
        return self._loaded(group, lambda compiler: compiler.compiled_groups(group, self.architecture))

    def _loaded(self, key: Any, compiled: Any) -> tuple[Any, Any]:
        found = self._functions.get(key)
        if found is None:
            with self._lock:
                found = self._functions.get(key)
                if found is None:
                    from modelprov.forensics.sums.kernels import triton_kernel

                    program = compiled(triton_kernel)
                    module = self.do("cuModuleLoadData", program.code)
                    function = self.do("cuModuleGetFunction", module, program.name.encode())
                    found = self._functions[key] = (function, program)
        return found

    def launch(self, loaded: tuple[Any, Any], programs: int, stream: Any, pointers: list[int], number: int) -> None:
        """Enqueue so many programs of a kernel whose arguments are `pointers` and, last, an int32."""
        function, program = loaded
        values = (*pointers, number, *[0] * program.hidden)
        types = (*[ctypes.c_void_p] * len(pointers), ctypes.c_int32, *[ctypes.c_void_p] * program.hidden)
        shape = (programs, 1, 1, program.threads, 1, 1)
        self.do("cuLaunchKernel", function, *shape, program.shared, stream, (values, types), 0)

    @cached_property
    def functions_of_lanes(self) -> tuple[int, ...]:
        """The addresses of the driver's functions that copy to a GPU, record an event and wait for it, for C; or none.

        A driver older than CUDA 12 has none that we know.
        """
        with contextlib.suppress(UsageError, AttributeError, TypeError):
            return tuple(int(self.do("cuGetProcAddress", name, LANES_SINCE, 0)) for name in LANES_CALL)
        return ()

    def allocated(self, size: int) -> int:
        """The address of new memory on the GPU."""
        return int(self._ok(self.driver.cuMemAlloc(size), size))

    def pinned(self, size: int) -> Bytes:
        """New memory of the host that the GPU copies from and to by itself."""
        address = int(self._ok(self.driver.cuMemHostAlloc(size, 0), size))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def _ok(self, answer: tuple[Any, ...], size: int = 0) -> Any:
        """What a call of the driver returned; raises `UsageError` where that is an error."""
        error, *values = answer
        if int(error):
            _, text = self.driver.cuGetErrorString(error)
            words = text.decode() if isinstance(text, bytes) else str(error)
            what = f"no memory for {size >> 20} MiB: {words}" if size else words
            raise UsageError(f"the GPU's driver says: {what}", f"Use {called('device', 'cpu')}.")
        return values[0] if values else None

    def do(self, name: str, *arguments: Any) -> Any:
        """Call a function of the driver by name; raises `UsageError` where it fails."""
        return self._ok(getattr(self.driver, name)(*arguments))


class CudaLane:
    """One stream of a GPU with a slab there and windows here; see `gpu.Lane`. Belongs to one thread at a time."""

    size = WINDOW

    def __init__(self, gpu: Cuda, limits: Limits) -> None:
        self._gpu, self._limits = gpu, limits
        self._held: list[tuple[str, int]] = []
        try:
            self._stream = gpu.do("cuStreamCreate", 1)  # beside the default stream, not after it
            self._slab = self._allocated(limits.capacity + OVERREAD)
            self._rows = self._allocated(8 * COLUMNS * limits.runs)
            self._sums = self._allocated(8 * COLUMNS * limits.runs)
            self._windows = [self._pinned(WINDOW) for _ in range(WINDOWS)]
            self._result = self._pinned(8 * COLUMNS * limits.runs)
            self._copied = [gpu.do("cuEventCreate", 2) for _ in range(WINDOWS)]  # without times
            self._turn = 0
        except BaseException:
            self.close()
            raise

    def enter(self) -> None:
        """Make the lane's GPU the one that the calling thread speaks to."""
        self._gpu.enter()

    def window(self) -> Bytes:
        """Memory for what travels next; waits until what travelled in it before has arrived."""
        self._gpu.do("cuEventSynchronize", self._copied[self._turn])
        return self._windows[self._turn]

    def send(self, size: int, at: int) -> None:
        """Enqueue the first `size` bytes of the window for byte `at` of the slab."""
        window, copied = self._windows[self._turn], self._copied[self._turn]
        self._gpu.do("cuMemcpyHtoDAsync", self._slab + at, window.ctypes.data, size, self._stream)
        self._gpu.do("cuEventRecord", copied, self._stream)
        self._turn = (self._turn + 1) % WINDOWS

    def send_all(self, windows: Int64, parts: Int64) -> bool:
        """Fill and send windows in C, where there is that; see `gpu_windows.Lane`."""
        library, functions = native(), self._gpu.functions_of_lanes
        if library is None or not functions:
            return False
        addresses = [window.ctypes.data for window in self._windows]
        lane = [self._turn, WINDOWS, self._slab, int(self._stream), *functions, *addresses, *map(int, self._copied)]
        turn = library.send_windows(np.array(lane, np.int64), windows, parts)
        if turn is None:
            self.settle()
            return False
        self._turn = turn
        return True

    def compute(self, batch: Batch, recipes: RecipePlan) -> None:
        """Enqueue the kernels for a batch that was sent."""
        gpu, slab = self._gpu, self._slab
        pieces, scalars, run_piece, groups = (slab + part.start for part in batch.tables)
        for launch in batch.launches:
            loaded = gpu.rows(len(batch.dtype), launch, recipes)
            pointers = [slab, slab, run_piece, pieces, scalars, self._rows]
            gpu.launch(loaded, launch.runs, self._stream, pointers, launch.first_run)
        count = batch.group_runs.shape[1]
        gpu.launch(gpu.groups(self._limits.group), count, self._stream, [self._rows, groups, self._sums], count)

    def sums(self, batch: Batch, recipes: RecipePlan) -> npt.NDArray[np.float64]:
        """The rows of a batch that was sent, added by groups, float64 [groups, columns]; waits for them."""
        self.compute(batch, recipes)
        count = batch.group_runs.shape[1]
        size = 8 * COLUMNS * count
        self._gpu.do("cuMemcpyDtoHAsync", self._result.ctypes.data, self._sums, size, self._stream)
        self.settle()
        return self._result[:size].view(np.float64).reshape(count, COLUMNS)

    def settle(self) -> None:
        """Wait for everything that was enqueued."""
        self._gpu.do("cuStreamSynchronize", self._stream)

    def close(self) -> None:
        """Give the memory back, on the GPU and here."""
        with contextlib.suppress(UsageError):
            self._gpu.enter()
            if hasattr(self, "_stream"):
                self.settle()
        while self._held:
            name, address = self._held.pop()
            with contextlib.suppress(UsageError):
                self._gpu.do(name, address)

    def _allocated(self, size: int) -> int:
        address = self._gpu.allocated(size)
        self._held.append(("cuMemFree", address))
        return address

    def _pinned(self, size: int) -> Bytes:
        memory = self._gpu.pinned(size)
        self._held.append(("cuMemFreeHost", memory.ctypes.data))
        return memory


def bindings() -> Any:
    """NVIDIA's bindings of the driver; raises `UsageError` where they are not installed."""
    with contextlib.suppress(ImportError):
        from cuda.bindings import driver

        return driver
    raise UsageError(
        "comparing on a GPU needs NVIDIA's cuda-bindings, which are not installed",
        f"Install them: pip install 'modelprov[gpu]'. Or use {called('device', 'cpu')}.",
    )
