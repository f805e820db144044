"""The one YAML reader: what it reads, and that no document is too much for it."""

from __future__ import annotations

import time

import pytest
import yaml

from modelprov.foreign import yaml_text
from modelprov.foreign.yaml_text import MAX_DEPTH, key_lines, read_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{'bcdefghi'[i]}: &{'bcdefghi'[i]} [{','.join(['*' + 'abcdefgh'[i]] * 9)}]\n" for i in range(8)
)
DEEP = {
    "lists": "- " * 40_000,
    "keys": "? " * 40_000,
    "lists and keys": "- ? " * 20_000,
    "brackets": "[" * 80_000,
    "braces": "{" * 80_000,
    "brackets on lines": "[\n" * 40_000,
    "indented": "".join(" " * i + "a:\n" for i in range(300)),
    "anchored": "".join(f"- &a{i}\n{' ' * i}" for i in range(300)),
}
WIDE = {
    "aliases": BOMB,
    "list": "- a\n" * 300_000,
    "braces": "[" + "{}," * 300_000 + "]",
    "keys": "".join(f"k{i}: 1\n" for i in range(300_000)),
    "directives": "".join(f"%TAG !a{i}! b\n" for i in range(60_000)) + "--- a\n",
    "itself": "a: &a [*a]",
    "itself as a mapping": "&a {b: *a}",
    "characters": "#" + "x" * yaml_text.MAX_CHARACTERS,
}


@pytest.fixture(params=["C", "Python"])
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = getattr(yaml, "CSafeLoader", None) if request.param == "C" else yaml.SafeLoader
    if loader is None:
        pytest.skip("PyYAML without libyaml")
    monkeypatch.setattr(yaml_text, "LOADER", loader)


@pytest.mark.parametrize("text", [*DEEP.values(), *WIDE.values()], ids=[*DEEP, *WIDE])
def test_a_document_that_is_too_much_ends_soon_with_one_mistake(text: str) -> None:
    started = time.process_time()
    value, mistakes = read_yaml(text)
    assert value is None
    assert [one.about for one in mistakes] == ["too large"]
    assert time.process_time() - started < 20


@pytest.mark.usefixtures("_loader")
@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_depth_is_counted_before_anything_recurses_with_either_parser(text: str) -> None:
    assert "nested too deeply" in read_yaml(text)[1][0].message


@pytest.mark.usefixtures("_loader")
def test_a_document_within_the_limits_is_read() -> None:
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert not read_yaml(deep)[1]
    value, mistakes = read_yaml("".join(f"k{i}: 1\n" for i in range(5_000)))
    assert value is not None
    assert not mistakes
    assert value.data == {f"k{i}": 1 for i in range(5_000)}


def test_sixty_thousand_keys_are_read_in_time_that_grows_with_their_number() -> None:
    started = time.process_time()
    value, mistakes = read_yaml("".join(f"k{i}: 1\n" for i in range(60_000)))
    assert value is not None
    assert len(value.data) == 60_000
    assert not mistakes
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "text",
    [
        "!!int ''", "!!float ''", "!!int abc", "!!float 0o17", "!!float 0x1F", "!!bool maybe", "2024-13-45",
        "!!timestamp 2024-99-99", "9" * 5_000, "0x" + "F" * 5_000, "0x" + "F" * 290, "1" + ":1" * 100_000,
        "!!null x", "!!binary '%'", "1" + ":59" * 95,
    ],
)  # fmt: skip
def test_a_number_or_date_that_is_none_stays_text_or_becomes_what_it_says(text: str) -> None:
    value, _ = read_yaml(f"a: {text}")
    assert value is not None
    data = value.data["a"]
    assert data is None or isinstance(data, str) or float(data) == float(data)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: *x", "undefined alias", 1),
        ("a: &x 1\nb: &x 2", "duplicate anchor", 2),
        ("a: 1\n---\nb: 2", "single document", 2),
        ("a: 1\na: 2", "given twice", 2),
        ("a: !!python/object:os.system x", "tag", 1),
        ("? [a]\n: 1", "a key is not text", 1),
        ("a: {<<: {b: 1}}", "merge keys", 1),
        ("a: [", "not valid YAML", 1),
        ("a: \x1b[31m", "not valid YAML", 1),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, words: str, line: int) -> None:
    _, mistakes = read_yaml(text)
    assert words in mistakes[0].message
    assert mistakes[0].line == line


def test_merge_keys_bring_in_what_is_not_there_where_they_are_wanted() -> None:
    value, mistakes = read_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {x: 9, z: 9}]}", merge_keys=True)
    assert value is not None
    assert not mistakes
    assert value.data["b"] == {"x": 1, "y": 3}
    assert value.data["c"] == {"x": 1, "y": 2, "z": 9}
    assert "does not name a mapping" in read_yaml("a: {<<: 5}", merge_keys=True)[1][0].message


def test_values_are_those_of_the_library() -> None:
    text = "a: 1\nb: 1.5\nc: yes\nd: ~\ne: 'x'\nf: [1, {g: .inf}]\nh: 0o17\ni: 017\nj: 1_000\nk: &k [2]\nl: *k\nm:\n"
    value, mistakes = read_yaml(text)
    assert value is not None
    assert not mistakes
    assert value.data == yaml.safe_load(text)


def test_lines_of_keys_end_where_their_values_do() -> None:
    text = "? [a,\n b]\n: base_model\nx:\n  - 1\n  - {a: 1,\n b: 2}\n\n# c\ny: |\n  t\n\nz:\n"
    assert key_lines(text) == {"": (0, 2), "x": (3, 6), "y": (9, 11), "z": (12, 12)}
    assert key_lines("") == {}
    assert key_lines("- a") is None
    assert key_lines("{a: 1}") is None
