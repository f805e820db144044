"""A stand-in for `cuda.bindings.driver`: memory is the host's, and nothing enqueued happens before somebody waits.

So a window that is written while its copy is under way arrives wrong, as it may on a GPU. A launch of the kernel that
adds groups writes what `results` makes of the slab; any other is only recorded.
"""

from __future__ import annotations

import ctypes
import threading
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

Answer = tuple[Any, ...]
FAILED = 2


class ActedDriver:
    """One process' driver with so many GPUs; `memory` bytes can be allocated on each."""

    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR=9, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR=0
    )

    def __init__(self, gpus: int = 1, memory: int = 1 << 40) -> None:
        self.gpus, self.memory = gpus, memory
        self.held: dict[int, Any] = {}
        self.launches: list[tuple[Any, int, list[int]]] = []
        self.results: Callable[[list[int], int], None] = lambda _pointers, _count: None
        self.used: set[int] = set()
        self.called_by_c: list[str] = []
        self._kept: list[Any] = []
        self._here = threading.local()
        self._queued: dict[int, list[Callable[[], object]]] = defaultdict(list)
        self._recorded: dict[int, tuple[int, int]] = {}
        self._names = iter(range(1, 1 << 30))
        self._lock = threading.Lock()

    def cuInit(self, _flags: int) -> Answer:  # noqa: N802
        return (0,)

    def cuDeviceGetCount(self) -> Answer:  # noqa: N802
        return 0, self.gpus

    def cuDeviceGet(self, number: int) -> Answer:  # noqa: N802
        return (0, number) if number < self.gpus else (FAILED, None)

    def cuDeviceGetName(self, _length: int, number: int) -> Answer:  # noqa: N802
        return 0, b"acted %d\0\0" % number

    def cuDeviceGetAttribute(self, kind: int, _number: int) -> Answer:  # noqa: N802
        return 0, kind

    def cuDevicePrimaryCtxRetain(self, number: int) -> Answer:  # noqa: N802
        return 0, number

    def cuCtxSetCurrent(self, number: int) -> Answer:  # noqa: N802
        self._here.gpu = number
        self.used.add(number)
        return (0,)

    def cuGetErrorString(self, error: int) -> Answer:  # noqa: N802
        return 0, b"error %d" % error

    def cuMemAlloc(self, size: int) -> Answer:  # noqa: N802
        return self._new(size, device=True)

    def cuMemHostAlloc(self, size: int, _flags: int) -> Answer:  # noqa: N802
        return self._new(size, device=False)

    def cuMemFree(self, address: int) -> Answer:  # noqa: N802
        return (0,) if self.held.pop(address, None) else (FAILED,)

    cuMemFreeHost = cuMemFree  # noqa: N815

    def cuStreamCreate(self, _flags: int) -> Answer:  # noqa: N802
        return self._named()

    def cuEventCreate(self, _flags: int) -> Answer:  # noqa: N802
        return self._named()

    def cuEventRecord(self, event: int, stream: int) -> Answer:  # noqa: N802
        self._recorded[event] = (stream, len(self._queued[stream]))
        return (0,)

    def cuEventSynchronize(self, event: int) -> Answer:  # noqa: N802
        if event in self._recorded:
            self._run(*self._recorded[event])
        return (0,)

    def cuStreamSynchronize(self, stream: int) -> Answer:  # noqa: N802
        self._run(stream, len(self._queued[stream]))
        return (0,)

    def cuMemcpyHtoDAsync(self, to: int, source: int, size: int, stream: int) -> Answer:  # noqa: N802
        return self._enqueue(stream, lambda: ctypes.memmove(to, source, size))

    def cuMemcpyDtoHAsync(self, to: int, source: int, size: int, stream: int) -> Answer:  # noqa: N802
        return self._enqueue(stream, lambda: ctypes.memmove(to, source, size))

    def cuGetProcAddress(self, name: bytes, _version: int, _flags: int) -> Answer:  # noqa: N802
        """A function that C may call, which does what the method of that name does."""
        arguments = [ctypes.c_size_t] * {b"cuMemcpyHtoDAsync": 4, b"cuEventRecord": 2, b"cuEventSynchronize": 1}[name]
        method = getattr(self, name.decode())

        def called(*given: int) -> int:
            self.called_by_c.append(name.decode())
            return int(method(*given)[0])

        function = ctypes.CFUNCTYPE(ctypes.c_int, *arguments)(called)
        self._kept.append(function)
        return 0, ctypes.cast(function, ctypes.c_void_p).value, 0

    def cuModuleLoadData(self, code: bytes) -> Answer:  # noqa: N802
        return (0, code) if code else (FAILED, None)

    def cuModuleGetFunction(self, _module: bytes, name: bytes) -> Answer:  # noqa: N802
        return 0, name

    def cuLaunchKernel(self, function: bytes, programs: int, *given: Any) -> Answer:  # noqa: N802
        stream, (values, _types) = given[6], given[7]
        pointers = list(values)

        def work() -> None:
            self.launches.append((function, programs, pointers))
            if function == b"group_sums":
                self.results(pointers, programs)

        return self._enqueue(stream, work)

    def _named(self) -> Answer:
        assert self._here.gpu is not None
        with self._lock:
            return 0, next(self._names)

    def _new(self, size: int, *, device: bool) -> Answer:
        assert self._here.gpu is not None
        taken = sum(len(memory) for memory, there in self.held.values() if there)
        if device and taken + size > self.memory:
            return FAILED, None
        memory = (ctypes.c_uint8 * (size + 64))()
        address = -(-ctypes.addressof(memory) // 64) * 64
        self.held[address] = (memory, device)
        return 0, address

    def _enqueue(self, stream: int, work: Callable[[], object]) -> Answer:
        assert self._here.gpu is not None
        self._queued[stream].append(work)
        return (0,)

    def _run(self, stream: int, until: int) -> None:
        """Do what a stream holds up to there; what is done stays in its place, empty."""
        queued = self._queued[stream]
        for number in range(until):
            work, queued[number] = queued[number], lambda: None
            work()
