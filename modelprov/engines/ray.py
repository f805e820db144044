"""Spreads tasks over the nodes of a Ray cluster; what a lost node had is done again. Knows no weights.

The driver keeps what all tasks share in Ray's object store, once, and each task brings a result back. Every node must
have this package, and see under the same names what the work reads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, TypeVar

from modelprov.called import called
from modelprov.errors import ClusterError, InterruptedRunError, ModelprovError, UsageError

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")
RETRIES = 8  # of a task whose process or node was lost
WAITING = 0.5  # seconds


def require_ray() -> None:
    """Raise `UsageError` with the command to run where Ray is not installed; imports nothing."""
    if find_spec("ray") is None:
        raise UsageError(
            f"{called('engine', 'ray')} needs ray, not installed here", "Install it with: pip install 'modelprov[ray]'."
        )


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Be connected to the cluster at `address`; without one to that of the environment, or to this machine alone.

    A connection that there is already is used, and stays. Raises `ClusterError` where none can be made.
    """
    require_ray()
    import ray

    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ClusterError(f"no Ray cluster could be reached: {error}", "Look whether its first node runs.") from error
    try:
        yield
    finally:
        ray.shutdown()


def _smallest_node() -> int:
    """Processors of the node that has least of them, at least 1: a task that asks for more may wait for ever."""
    import ray

    return max(1, min((int(node["Resources"].get("CPU", 0)) or 1 for node in ray.nodes() if node["Alive"]), default=1))


def run_on_ray(
    work: Callable[[Shared, Task], Result], shared: Shared, tasks: Sequence[Task],
    on_result: Callable[[int, Result], None], *, processors: int = 1, devices: int = 0,
) -> None:  # fmt: skip
    """Do `work(shared, task)` for every task on some node, and hear each result with its task's number, in any order.

    `work` is a function of a module, `shared` and the tasks can be pickled. A task has so many processors, or all that
    the smallest node has, and GPUs of its node. Raises what a task raised, `ClusterError` for one that was lost time
    and again, and `InterruptedRunError` for Ctrl-C; what else is under way is then given up.
    """
    import ray

    remote: Any = ray.remote(num_cpus=min(processors, _smallest_node()), num_gpus=devices, max_retries=RETRIES)(work)
    held = ray.put(shared)
    waiting = {remote.remote(held, task): number for number, task in enumerate(tasks)}
    try:
        while waiting:
            done, _ = ray.wait(list(waiting), timeout=WAITING)
            for each in done:
                on_result(waiting.pop(each), ray.get(each))
    except KeyboardInterrupt:
        raise InterruptedRunError("stopped by the user", "Nothing was written; run the command again.") from None
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ModelprovError):
            raise error.cause from None
        raise ClusterError(f"a task failed on its node: {error.cause}", "Its traceback is in Ray's logs.") from error
    except ray.exceptions.RayError as error:
        raise ClusterError(
            f"the cluster lost a task {RETRIES + 1} times: {error}",
            f"Look at its nodes' memory and logs; {called('resume')} goes on from what is done.",
        ) from error
    finally:
        for each in waiting:
            with contextlib.suppress(Exception):  # the cluster may be gone
                ray.cancel(each, force=True)
