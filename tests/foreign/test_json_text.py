"""The one JSON reader: faults are `JsonError` in few words, whatever the text holds."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelprov
from modelprov.foreign.json_text import MAX_DEPTH, JsonError, parse_json


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        ("[1,", "line 1"),
        ("9" * 4_301, "4,301 digits"),
        ("9" * 301, "301 digits"),
        ('{"a": -' + "9" * 5_000 + "}", "digits"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 900 + "1" + "}" * 900, "nested too deeply"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested too deeply"),
        (b"\xff\xfe\xfd", "not"),
        (b'"\xe9"', "not utf-8"),
    ],
)
def test_a_fault_is_said_in_few_words(text: str | bytes, words: str) -> None:
    with pytest.raises(JsonError) as caught:
        parse_json(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


def test_what_is_json_is_read_from_text_and_bytes() -> None:
    assert parse_json("\ufeff[1]") == [1]
    assert parse_json('[1, "x", null, 1.5, true]'.encode("utf-16")) == [1, "x", None, 1.5, True]
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert parse_json('"' + "9" * 5_000 + '"') == "9" * 5_000  # digits of a text are no number
    assert parse_json("9" * 300) == int("9" * 300)
    assert parse_json('{"a": 1, "a": 2}') == {"a": 2}
    assert parse_json("[Infinity]") == [float("inf")]


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"b": {"a": 1, "\\u0061": 2}}'])
def test_a_key_that_is_given_twice_is_refused_where_it_must_not_be(text: str) -> None:
    with pytest.raises(JsonError, match="appears twice"):
        parse_json(text, unique=True)


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", "1e400", '{"a": -1e999}'])
def test_numbers_that_are_not_finite_are_refused_where_they_must_not_be(text: str) -> None:
    with pytest.raises(JsonError):
        parse_json(text, finite=True)


@pytest.mark.parametrize("text", [r'{"\ud800": 1}', r'["a\uDC00b"]', r'{"a": {"b": "\udfff\ud800"}}'])
def test_half_a_character_is_refused_where_a_file_must_hold_it(text: str) -> None:
    with pytest.raises(JsonError, match="half of a character"):
        parse_json(text, stored=True)
    parse_json(text)
    assert parse_json(r'["\ud83d\ude00", "\\ud800"]', stored=True) == ["😀", r"\ud800"]


def test_json_of_others_is_read_by_no_other_reader() -> None:
    package = Path(modelprov.__file__).parent
    bare = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if "json.loads(" in (text := file.read_text(encoding="utf-8")) or "json.load(" in text
    }
    own = {  # what this program wrote a moment ago, or ships
        "behavior/evaluation/log.py", "behavior/evaluation/mathematics_child.py", "foreign/limited_process.py",
        "behavior/probing/questions.py", "behavior/templates/render_child.py", "checkpoints/torch_files_child.py",
        "demo/tiny/conversations.py",
    }  # fmt: skip
    assert bare - own == {"foreign/json_text.py"}
