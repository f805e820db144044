"""Tasks are got ready side by side, and what they give is added in their order."""

from __future__ import annotations

import random
import threading
import time

import pytest

from modelprov.engines.turns import in_turns


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_what_tasks_give_is_added_in_their_order_by_the_thread_that_made_it(threads: int) -> None:
    added: list[int] = []
    rng = random.Random(1)
    waits = [rng.random() / 1_000 for _ in range(60)]

    def prepare(number: int) -> tuple[int, int]:
        time.sleep(waits[number])
        return number, threading.get_ident()

    def add(ready: tuple[int, int]) -> None:
        assert ready[1] == threading.get_ident()
        added.append(ready[0])

    in_turns(60, prepare, add, threads)
    assert added == list(range(60))


def test_the_error_of_a_task_is_raised_and_nobody_waits_for_its_turn() -> None:
    added: list[int] = []

    def prepare(number: int) -> int:
        if number == 3:
            time.sleep(0.02)  # the others wait for it
            raise KeyError(number)
        return number

    with pytest.raises(KeyError):
        in_turns(100, prepare, added.append, 4)
    assert added == [0, 1, 2]
