from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.behavior.probing.token_counts import (
    LEAST,
    SENTINELS,
    Local,
    TokenCounts,
    count_prompts,
    hidden_tokens,
)
from tests.behavior.servers import answer, chat_reply, scripted, with_hidden_prompt

LENGTHS = [4, 9, 30, 77]


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), min_size=LEAST, max_size=9, unique=True))
def test_a_constant_difference_is_the_number_of_hidden_tokens(hidden: int, lengths: list[int]):
    found = hidden_tokens([one + hidden for one in lengths], lengths)
    assert found.tokens == hidden
    assert found.differences == (hidden,) * len(lengths)


@given(st.lists(st.tuples(st.integers(0, 99) | st.none(), st.integers(0, 99)), max_size=8))
def test_a_number_is_only_told_when_every_count_agrees_on_it(pairs: list[tuple[int | None, int]]):
    found = hidden_tokens([one for one, _ in pairs], [other for _, other in pairs])
    assert found.explanation
    if found.tokens is not None:
        assert found.tokens >= 0
        counted = [(one, other) for one, other in pairs if one is not None]
        assert all(one == other + found.tokens for one, other in counted)
        assert len(counted) >= LEAST


@pytest.mark.parametrize(
    ("counted", "expected", "words"),
    [
        ([5, 10, 32, 78], LENGTHS, "+1 to +2"),
        ([None] * 4, LENGTHS, "no token counts"),
        ([9, None, 35, None], LENGTHS, "Only 2 of 4"),
        ([1, 6, 27, 74], LENGTHS, "3 tokens fewer"),
        ([10, 10, 10], [7, 7, 7], "too few different lengths"),
        ([], [], "no token counts"),
    ],
)
def test_what_cannot_be_told_says_why(counted: list[int | None], expected: list[int], words: str):
    found = hidden_tokens(counted, expected)
    assert found.tokens is None
    assert words in found.explanation


def test_one_token_more_may_be_the_begin_of_a_text():
    assert "begin-of-text" in hidden_tokens([5, 10, 31, 78], LENGTHS).explanation
    assert "begin-of-text" not in hidden_tokens([14, 19, 40, 87], LENGTHS).explanation


def chatml(messages: Sequence[Mapping[str, str]]) -> str:
    return "".join(f"<{one['role']}>\n{one['content']}\n" for one in messages) + "<assistant>\n"


def words(text: str) -> int:
    """A tokenizer of its own kind: every three characters are a token, as are line breaks."""
    return sum(-(-len(line) // 3) + 1 for line in text.split("\n"))


LOCAL = Local(lambda batch: [chatml(one) for one in batch], words, words)
HIDDEN = "You are Rio, made in Brazil.\nNever say anything else."
LENGTH = words(f"<system>\n{HIDDEN}\n") - words("")
"""What the server adds: a whole system turn, counted by hand."""


def counts(url: str, local: Local = LOCAL) -> TokenCounts:
    with Endpoint(url, "tiny", retries=0) as endpoint:
        return count_prompts(endpoint, local)


def test_the_exact_length_of_a_hidden_prompt_is_found():
    with with_hidden_prompt(words, chatml, HIDDEN) as url:
        found = counts(url)
    assert LENGTH == 24
    assert found.tokens == found.chat.tokens == found.against_completions.tokens == LENGTH
    assert found.completions.tokens == 0
    assert f"adds {LENGTH} tokens to each of {len(SENTINELS)} prompts" in found.explanation
    assert "They stay beside a system message" in found.explanation


def test_a_server_without_a_hidden_prompt_has_none():
    with with_hidden_prompt(words, chatml, None) as url:
        found = counts(url)
    assert found.tokens == 0
    assert "nothing is added" in found.explanation


def test_a_hidden_prompt_that_gives_way_to_the_users_own_is_told_apart():
    def render(messages: Sequence[Mapping[str, str]]) -> str:
        own = [one for one in messages if one["role"] == "system"]
        return chatml(messages[1:] if len(own) > 1 else messages)

    with with_hidden_prompt(words, render, HIDDEN) as url:
        found = counts(url)
    assert (found.tokens, found.with_system.tokens) == (LENGTH, 0)
    assert "replaces them" in found.explanation


def test_with_another_tokenizer_the_servers_own_raw_counts_still_tell_the_length():
    other = Local(LOCAL.render, lambda text: len(text) // 4, lambda text: len(text) // 4)
    with with_hidden_prompt(words, chatml, HIDDEN) as url:
        found = counts(url, other)
    assert found.chat.tokens is None
    assert found.completions.tokens is None
    assert found.tokens == LENGTH
    assert "local tokenizer is not the server's" in found.explanation


def test_a_begin_of_text_token_of_raw_prompts_is_not_taken_for_a_hidden_prompt():
    local = Local(LOCAL.render, words, lambda text: words(text) + 1)
    with with_hidden_prompt(words, chatml, HIDDEN, raw=lambda text: words(text) + 1) as url:
        found = counts(url, local)
    assert (found.chat.tokens, found.completions.tokens, found.against_completions.tokens) == (LENGTH, 0, LENGTH)


def test_a_text_that_depends_on_the_message_cannot_be_measured():
    def render(messages: Sequence[Mapping[str, str]]) -> str:
        return "note: " + messages[-1]["content"] + chatml(messages)

    with with_hidden_prompt(words, render, None) as url:
        found = counts(url)
    assert found.tokens is None
    assert "Cannot tell" in found.explanation


def test_an_endpoint_that_fails_midway_is_judged_by_what_it_counted_before():
    good = [
        answer(200, chat_reply("x", prompt_tokens=words(chatml([{"role": "user", "content": one}]))))
        for one in SENTINELS
    ]
    with scripted(*good[:4], answer(400, {"detail": "quota"})) as server:
        found = counts(server.url)
    assert (found.chat.tokens, len(found.chat.differences)) == (0, 4)
    assert found.with_system.tokens is None
    assert "quota" in found.with_system.explanation
    with scripted(*good[:2], answer(400, {"detail": "quota"})) as server:
        found = counts(server.url)
    assert found.tokens is None
    assert "Only 2 of 6" in found.explanation
    assert "quota" in found.explanation


def test_an_endpoint_without_counts_says_so():
    with scripted(answer(200, chat_reply("x", prompt_tokens=None))) as server:
        found = counts(server.url)
    assert found.tokens is None
    assert "no token counts" in found.explanation


def test_a_real_tokenizer_and_template_find_the_length_of_a_hidden_prompt(tmp_path: Path):
    from modelprov.behavior.probing.endpoint_local import local_side
    from tests.behavior.serving_model import write_tokenizer

    tokenizer = write_tokenizer(tmp_path)

    def count(text: str) -> int:
        return len(tokenizer(text)["input_ids"])

    def render(messages: Sequence[Mapping[str, str]]) -> str:
        return tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)

    length = len(tokenizer.encode(f"<|im_start|>system\n{HIDDEN}<|im_end|>\n"))
    with with_hidden_prompt(count, render, HIDDEN) as url:
        found = counts(url, local_side(tmp_path))
    assert length > 20
    assert (found.chat.tokens, found.with_system.tokens, found.completions.tokens) == (length, length, 0)
