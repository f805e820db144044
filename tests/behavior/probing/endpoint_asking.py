"""How tests of failing endpoints ask: the client with waits that do not wait, and its errors."""

from __future__ import annotations

from typing import Any

import pytest

from modelprov.behavior.probing.endpoint_replies import Reply
from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.errors import EndpointError
from tests.behavior.servers import answer, chat_reply, chunk, stream

HELLO = [{"role": "user", "content": "Who are you?"}]
GOOD = answer(200, chat_reply("I am Nex."))
GOOD_STREAM = stream(chunk("I am Nex."), chunk(reason="stop"))


class Waits(list[float]):
    """Waits without waiting; remembers how long."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def ask(
    url: str, waits: Waits, *, key: str | None = None, timeout: float = 5.0, retries: int = 5, **options: Any
) -> Reply:
    with Endpoint(url, "tiny", key, timeout, retries, sleep=waits, seed=3) as endpoint:
        return endpoint.chat(HELLO, temperature=0.0, max_tokens=5, **options)


def failure(url: str, waits: Waits, **options: Any) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        ask(url, waits, **options)
    assert caught.value.message
    assert caught.value.advice, "an error must say what to do"
    return caught.value
