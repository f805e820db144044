from __future__ import annotations

import pytest

from modelprov.behavior.probing import endpoint_exchange
from tests.behavior.probing.endpoint_asking import GOOD, Waits, ask, failure
from tests.behavior.servers import answer, scripted


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("key", ["k-1234", ""])
def test_refused_access_is_about_the_key_which_is_not_shown(status: int, key: str, waits: Waits):
    with scripted(answer(status, {"error": {"message": "bad key 'k-1234' given"}})) as server:
        error = failure(server.url, waits, key=key)
    assert "MODELPROV_API_KEY" in error.advice
    assert ("not accepted" in error.advice) == bool(key)
    assert ("k-1234" in error.message) == (not key)
    assert error.status == status
    assert server.asked == ["/v1/chat/completions"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_origin_gets_neither_key_nor_prompt(status: int, waits: Waits):
    with (
        scripted(GOOD) as other,
        scripted(answer(status, b"", {"Location": f"{other.url}/chat/completions?token=s3"})) as server,
    ):
        error = failure(server.url, waits, key="k-1234")
    assert other.requests == []
    assert other.url.removesuffix("/v1") in error.message
    assert "s3" not in error.message
    assert waits == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_within_the_origin_is_followed_with_the_same_request(status: int, waits: Waits):
    with scripted(answer(status, b"", {"Location": "/other/chat"}), GOOD) as server:
        assert ask(server.url, waits, key="k-1234").text == "I am Nex."
    first, second = server.requests
    assert (second.method, second.path, second.body) == ("POST", "/other/chat", first.body)
    assert second.headers["Authorization"] == "Bearer k-1234"


@pytest.mark.parametrize("target", ["/v1/chat/completions", "http://[", "", "//", "http://\udcff"])
def test_redirects_that_lead_nowhere_end(target: str, waits: Waits):
    location = {"Location": target.encode("utf-8", "replace").decode("latin-1")}
    with scripted(answer(307, b"", location)) as server:
        failure(server.url, waits)
    assert len(server.requests) <= endpoint_exchange.MAX_REDIRECTS + 2


def test_a_redirect_that_would_lose_the_request_is_reported(waits: Waits):
    with scripted(answer(303, b"", {"Location": "/elsewhere"})) as server:
        error = failure(server.url, waits)
    assert "redirects (HTTP 303)" in error.message
    assert server.asked == ["/v1/chat/completions"]
