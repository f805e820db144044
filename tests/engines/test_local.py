"""Threads: the same results in the same order for any number of them, the first error out, Ctrl-C in words."""

from __future__ import annotations

import _thread
import threading
import time

import pytest

from modelprov.engines.local import leave_if_stopped, run_tasks
from modelprov.errors import InterruptedRunError, TruncatedShardError
from modelprov.machine import processors


@pytest.mark.parametrize("threads", [1, 2, 3, 8, 100])
@pytest.mark.parametrize("tasks", [0, 1, 7, 50])
def test_results_come_in_the_order_of_the_tasks(tasks: int, threads: int) -> None:
    def worker(number: int) -> int:
        time.sleep(0.0001 * ((number * 7) % 5))
        return number * number

    assert run_tasks(tasks, lambda: worker, threads) == [number * number for number in range(tasks)]


def test_every_task_is_done_once_and_announced_once() -> None:
    done: list[int] = []
    worked: list[int] = []
    run_tasks(40, lambda: worked.append, 4, done.append)
    assert sorted(worked) == sorted(done) == list(range(40))


@pytest.mark.parametrize("threads", [1, 4])
def test_every_thread_makes_one_worker_and_there_are_no_more_threads_than_tasks(threads: int) -> None:
    made: list[int] = []
    barrier = threading.Barrier(min(threads, 3), timeout=10)

    def make_worker() -> object:
        made.append(threading.get_ident())
        barrier.wait()
        return lambda number: number

    run_tasks(3, make_worker, threads)  # type: ignore[arg-type]
    assert len(made) == len(set(made)) == min(threads, 3)


def test_the_first_error_is_raised_and_stops_the_rest() -> None:
    done: list[int] = []

    def worker(number: int) -> None:
        if number == 3:
            raise TruncatedShardError("cut short")
        time.sleep(0.005)
        done.append(number)

    with pytest.raises(TruncatedShardError, match="cut short"):
        run_tasks(2000, lambda: worker, 4)
    assert len(done) < 200
    assert threading.active_count() == 1 or not any(t.name.startswith("modelprov_") for t in threading.enumerate())


def test_an_error_while_a_worker_is_made_is_raised() -> None:
    def make_worker() -> object:
        raise MemoryError("no room for a buffer")

    with pytest.raises(MemoryError):
        run_tasks(5, make_worker, 3)  # type: ignore[arg-type]


def test_an_error_of_whoever_listens_is_raised() -> None:
    def on_done(number: int) -> None:
        raise KeyError(number)

    with pytest.raises(KeyError):
        run_tasks(5, lambda: lambda number: number, 2, on_done)


def test_ctrl_c_stops_within_the_task_at_hand() -> None:
    done: list[int] = []

    def worker(number: int) -> None:
        if number == 5:
            _thread.interrupt_main()
        time.sleep(0.01)
        done.append(number)

    with pytest.raises(InterruptedRunError) as caught:
        run_tasks(10_000, lambda: worker, 2)
    assert caught.value.exit_code == 130
    assert len(done) < 500


def test_a_long_task_and_the_run_within_it_leave_when_another_fails() -> None:
    left: list[str] = []

    def long(_number: int) -> None:
        try:
            while True:
                time.sleep(0.001)
                leave_if_stopped()
        except InterruptedRunError:
            left.append(threading.current_thread().name)
            raise

    def worker(number: int) -> None:
        if number == 0:
            time.sleep(0.05)
            raise TruncatedShardError("cut short")
        run_tasks(2, lambda: long, 2)

    leave_if_stopped()  # nobody's task
    with pytest.raises(TruncatedShardError, match="cut short"):
        run_tasks(2, lambda: worker, 2)
    assert len(left) == 2


def test_there_is_at_least_one_processor() -> None:
    assert processors() >= 1
