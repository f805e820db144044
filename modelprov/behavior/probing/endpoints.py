"""The client of OpenAI-compatible endpoints (vLLM, SGLang, `transformers serve`): asks, tries again, gives up in words.

Failures that pass are retried; what stays is an `EndpointError` that says what to do. Nothing is judged here.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from modelprov.behavior.extra import require
from modelprov.behavior.probing.endpoint_exchange import Answer, exchange
from modelprov.behavior.probing.endpoint_key import Key
from modelprov.behavior.probing.endpoint_replies import (
    Reply,
    models_from_body,
    reply_from_body,
    reply_from_stream,
    server_words,
)
from modelprov.behavior.probing.endpoint_retries import retry_after, status_error, wait_before
from modelprov.errors import EndpointError, UsageError

if TYPE_CHECKING:
    import httpx

KEY_VARIABLE = "MODELPROV_API_KEY"
NEWER_LIMIT = "max_completion_tokens"
"""What some servers want in the place of `max_tokens`; they say so in their refusal."""

LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
Read = TypeVar("Read")


class Endpoint:
    """A model served at `url` (such as http://127.0.0.1:8000/v1) under the name `model`.

    `key` is the API key (else that of the environment variable MODELPROV_API_KEY, if any); `timeout` the seconds that
    one try may take, to the last byte of its answer; `retries` the tries after the first one. `transport` replaces the
    network, `sleep` the waiting; `seed` is that of the jitter between tries; `extra` are fields of every
    request for text (`chat_template_kwargs` among them go with conversations alone). Usable from several threads.
    `thinks` says that the served model is expected to think before it answers: known from a template, or from a thought
    that it gave; text that a limit cut off before any thought ended is then a thought, no answer. `noticed` counts what
    replies held in place of an answer, or beside it; `answered_by` the model and set-up that each reply named.
    Every request raises `EndpointError` when it finally fails; answers got before are the caller's to keep.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        timeout: float = 60.0,
        retries: int = 5,
        transport: httpx.BaseTransport | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        seed: int = 0,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        require("probing an endpoint")
        import httpx

        from modelprov.behavior.probing.endpoint_socket import Guard

        self.url = base_url(url)
        self.model = model
        self.timeout = timeout
        self.retries = retries
        self.extra: Mapping[str, Any] = dict(extra or {})
        self.thinks = False
        self.noticed: Counter[str] = Counter()
        self.answered_by: Counter[tuple[str | None, str | None]] = Counter()
        self._limit = "max_tokens"
        self._sleep = sleep
        self._random = random.Random(seed)
        self._key = Key(_checked_key(os.environ.get(KEY_VARIABLE, "") if key is None else key))
        self._guard = Guard()
        self._client = httpx.Client(
            timeout=timeout,
            transport=transport,
            follow_redirects=False,
            trust_env=urlsplit(self.url).hostname not in LOOPBACK,  # no proxy reaches the loopback of this machine
            headers={"Accept-Encoding": "identity", "User-Agent": "modelprov"},
        )
        self._guard.watch(self._client)
        self._logged = _HidesKey(self._key)
        for name in LOGGERS:
            logging.getLogger(name).addFilter(self._logged)

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, {self.model!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        for name in LOGGERS:
            logging.getLogger(name).removeFilter(self._logged)

    def models(self) -> list[str]:
        """The names of the models that the endpoint says it serves."""
        return self._ask("GET", "/models", None, self._models_of, self.retries)

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        temperature: float,
        max_tokens: int,
        seed: int | None = None,
        top_p: float | None = None,
        stream: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> Reply:
        """The answer to a conversation; the server applies its chat template, and whatever else it adds.

        A `seed` repeats as far as the server lets it: `transformers serve` has one generator for all requests, so that
        its seeds repeat only when it is asked one thing at a time.
        `extra` are further fields of this request, such as {"chat_template_kwargs": {"enable_thinking": False}}.
        """
        body = {"messages": [dict(one) for one in messages], "temperature": temperature, "max_tokens": max_tokens}
        return self._noted(self._generate("/chat/completions", body, {"seed": seed, "top_p": top_p}, stream, extra))

    def complete(
        self,
        prompt: str,
        *,
        temperature: float,
        max_tokens: int,
        seed: int | None = None,
        top_p: float | None = None,
        stream: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> Reply:
        """The continuation of a raw text: no template is applied.

        A server without raw completions ends in an `EndpointError` with `status` 404, 405 or 501.
        """
        body = {"prompt": prompt, "temperature": temperature, "max_tokens": max_tokens}
        return self._generate("/completions", body, {"seed": seed, "top_p": top_p}, stream, extra)

    def _noted(self, reply: Reply) -> Reply:
        """The reply to a conversation, its cut thought recognised as one; what it held beside text is counted."""
        if reply.thinking is not None:
            self.thinks = True
        elif self.thinks and not reply.finished and reply.text.strip():
            cut = (*reply.notes, "cut off before the thought that was expected had ended")
            reply = replace(reply, thinking=reply.text, text="", notes=cut)
        self.noticed.update(reply.notes)
        self.answered_by[reply.served_model, reply.fingerprint] += 1
        return reply

    def _generate(
        self, path: str, body: dict[str, Any], optional: dict[str, Any], stream: bool, extra: Mapping[str, Any] | None
    ) -> Reply:
        request = {"model": self.model, **body, **{name: one for name, one in optional.items() if one is not None}}
        if stream:
            request |= {"stream": True, "stream_options": {"include_usage": True}}
        more = {**self.extra, **(extra or {})}
        if path == "/completions":
            more.pop("chat_template_kwargs", None)
        if twice := request.keys() & more.keys():
            raise UsageError(f"the extra fields repeat {', '.join(sorted(twice))}", "Set these by their own names.")
        limit = request.pop("max_tokens")
        try:
            return self._ask("POST", path, request | more | {self._limit: limit}, self._reply_of, self.retries)
        except EndpointError as error:
            if error.status != 400 or NEWER_LIMIT not in error.message or self._limit == NEWER_LIMIT:
                raise
            self._limit = NEWER_LIMIT
        return self._ask("POST", path, request | more | {self._limit: limit}, self._reply_of, self.retries)

    def _ask(
        self, method: str, path: str, request: dict[str, Any] | None, read: Callable[[Answer], Read], retries: int
    ) -> Read:
        """What `read` finds in the answer, asked for again until the failure is final or the tries are used up."""
        place = self.url + path
        attempt = 0
        while True:
            asked = None
            try:
                answer = exchange(self._client, self._guard, method, place, request, self._key, self.timeout)
                if 200 <= answer.status < 300:
                    return read(answer)
                asked = retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
                failure = self._status_error(place, answer)
            except EndpointError as error:
                failure = error
            if not failure.passing or attempt == retries:
                break
            self._sleep(wait_before(attempt, asked, self._random))
            attempt += 1
        if failure.status is not None and failure.status >= 400 and path != "/models":
            failure = self._status_error(place, answer, self._served(failure.status))
        raise failure

    def _status_error(self, place: str, answer: Answer, served: list[str] | None = None) -> EndpointError:
        return status_error(
            answer.status,
            place,
            server_words(answer.body),
            model=self.model,
            keyed=bool(self._key),
            variable=KEY_VARIABLE,
            served=served,
        )

    def _served(self, status: int) -> list[str] | None:
        """The models that the endpoint lists, to explain a failure; None where it does not say, or need not."""
        if status in {401, 403, 429}:
            return None
        try:
            return self._ask("GET", "/models", None, self._models_of, 0)
        except EndpointError:
            return None

    def _reply_of(self, answer: Answer) -> Reply:
        """The reply; its pieces may give the key together though none of them does."""
        found = reply_from_stream(answer.body) if answer.streamed else reply_from_body(answer.body)
        hidden: dict[str, Any] = {
            name: self._key.hide(text)
            for name in ("text", "thinking", "served_model", "fingerprint")
            if (text := getattr(found, name)) is not None
        }
        return replace(found, **hidden)

    def _models_of(self, answer: Answer) -> list[str]:
        return [self._key.hide(name) for name in models_from_body(answer.body)]


def base_url(url: str) -> str:
    """The URL below which /models and /chat/completions lie: /v1 is added to a bare host, a full path is cut.

    Raises `UsageError` for another scheme, and for user, query or fragment: secrets in a URL end up in logs.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise UsageError("the endpoint's URL cannot be read", "Write it like http://127.0.0.1:8000/v1.") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise UsageError("the endpoint's URL is not one of http or https", "Write it like http://127.0.0.1:8000/v1.")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UsageError(
            "the endpoint's URL holds more than host and path",
            f"Leave out user, password and query; put an API key into the environment variable {KEY_VARIABLE}.",
        )
    path = parts.path.rstrip("/")
    for ending in ("/chat/completions", "/completions", "/models"):
        path = path.removesuffix(ending)
    return urlunsplit((parts.scheme, parts.netloc, path or "/v1", "", ""))


def _checked_key(key: str) -> str:
    """The key as a header can carry it; its characters stay out of the message."""
    key = key.strip()
    if not key.isascii() or not all("!" <= one <= "~" for one in key):
        raise UsageError(
            "the API key holds characters that no key has (blanks, line breaks, letters outside ASCII)",
            f"Check {KEY_VARIABLE}, or the key given.",
        )
    return key


class _HidesKey(logging.Filter):
    """Takes the key out of what the HTTP library logs of an answer (its status line, at debug level its headers)."""

    def __init__(self, key: Key) -> None:
        super().__init__()
        self._key = key

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes."""
        record.msg, record.args = self._key.hide(record.getMessage()), ()
        return True
