"""A card's front matter with the line of every value, and what hostile cards come to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprov.check.card import front_claims, take_apart
from modelprov.check.read_claims import read_claims
from modelprov.check.yaml_text import read_yaml
from modelprov.errors import CheckpointNotFoundError

CARD = """---
# a comment
license: apache-2.0
license_name: mine
license_link: https://example.org
base_model:
- Qwen/Qwen3.5-397B-A17B

- https://huggingface.co/nex-agi/Nex-N2-Pro
- Qwen/Qwen3.5-397B-A17B
base_model_relation: Merge
new_version: someone/else
library_name: transformers
tags: [merge,
  mergekit]
---
# Rio

Text.
"""


def claims_of(text, tmp_path, name="README.md"):
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / name).write_bytes(content)
    return read_claims(tmp_path)


def lines(declared):
    return [(one.value, one.location.line) for one in declared]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_every_value_has_its_line_whatever_the_line_ends_and_marks(tmp_path, ends, mark):
    claims = claims_of(mark + CARD.replace("\n", ends).encode(), tmp_path)
    assert claims.card == "README.md"
    assert lines(claims.base_models) == [("Qwen/Qwen3.5-397B-A17B", 7), ("nex-agi/Nex-N2-Pro", 9)]
    assert lines([claims.relation, claims.license, claims.license_name, claims.license_link, claims.library]) == [
        ("merge", 11), ("apache-2.0", 3), ("mine", 4), ("https://example.org", 5), ("transformers", 13),
    ]  # fmt: skip
    assert lines(claims.tags) == [("merge", 14), ("mergekit", 15)]
    assert claims.base_models[1].location.column == 3
    assert claims.problems == ()
    assert claims.front["new_version"] == "someone/else"


def test_lines_stay_right_after_characters_that_only_yaml_takes_for_line_ends(tmp_path):
    claims = claims_of("---\nnote: a\u2028b\x85c\nlicense: mit\n---\n", tmp_path)
    assert claims.license.location.line == 3


def test_a_card_after_empty_lines_and_a_card_without_front_matter_are_read(tmp_path):
    assert claims_of("\n\n---\nlicense: mit\n---\n", tmp_path).license.location.line == 4
    bare = claims_of("# Rio\n\nTrained from scratch.\n", tmp_path)
    assert bare.problems == ()
    assert bare.prose[0].location.line == 3


def test_several_licences_stand_in_one_text(tmp_path):
    assert claims_of("---\nlicense: [mit, apache-2.0]\n---\n", tmp_path).license.value == "mit, apache-2.0"


def test_the_files_name_may_be_written_in_any_letters_and_the_hubs_comes_first(tmp_path):
    assert claims_of("---\nlicense: mit\n---\n", tmp_path, "readme.MD").card == "readme.MD"
    assert claims_of("---\nlicense: isc\n---\n", tmp_path).license.value == "isc"


def test_no_card_is_no_problem_here_and_claims_nothing(tmp_path):
    claims = read_claims(tmp_path)
    assert (claims.card, claims.front, claims.problems, claims.prose) == (None, {}, (), ())


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(CheckpointNotFoundError):
        read_claims(tmp_path / "nothing")


PROBLEMS = [
    ("---\nlicense: mit\nlicense: gpl\n---\n", 3, "given twice"),
    ("---\nlicense: 3\n---\n", 2, "license has to be text, not a number"),
    ("---\nlicense: no\n---\n", 2, "not yes or no (put it in quotes)"),
    ("---\nbase_model: {a: b}\n---\n", 2, "base_model has to be text, not a mapping"),
    ("---\nbase_model:\n- a/b\n- [c]\n---\n", 4, "not a list"),
    ("---\nbase_model_relation: post-trained\n---\n", 2, "one of adapter, finetune, merge, quantized"),
    ("---\nlibrary_name: [a, b]\n---\n", 2, "library_name has to be one text"),
    ("---\nlicense: mit\n\tx: y\n---\n", 3, "not valid YAML"),
    ("---\na: 1\nb: 'x\n---\n", 3, "not valid YAML"),
    ("---\n- a\n---\n", 2, "no keys"),
    ("---\nlicense: mit\n# Rio\n", 1, "no closing line"),
    ("---\na: &x [*x]\n---\n", 2, "holds itself"),
    ("---\na: &x {b: c}\nd:\n  <<: *x\n---\n", 4, "merge keys"),
    ("---\na: !!python/object/apply:os.getcwd []\n---\n", 2, "tag"),
    ("---\n? [a]\n: b\n---\n", 2, "a key is not text"),
    ("---\na: " + "[" * 30_000 + "\n---\n", 2, "nested too deeply"),
    ("---\n" + "\n".join(" " * i + "a:" for i in range(200)) + "\n---\n", 2, "nested too deeply"),
    ("---\na: x\x1b[2J\n---\n", 2, "not valid YAML"),
    ("---\nlicense: " + "m" * 400 + "\n---\n", 2, "more than 300 characters"),
    (b"---\nlicense: mit\n---\n\nna\xefve\n", 5, "not UTF-8"),
    (b"\x00\x01\x02", None, "no text"),
    ("---\nlicense: mit\n---\n".encode("utf-16"), None, "UTF-16"),
]


@pytest.mark.parametrize(("text", "line", "message"), PROBLEMS, ids=[one[2] for one in PROBLEMS])
def test_what_is_wrong_with_a_card_is_a_problem_with_its_line(tmp_path, text, line, message):
    found = claims_of(text, tmp_path).problems
    assert [(one.location.file, one.location.line) for one in found if message in one.message] == [("README.md", line)]
    assert all(one.about for one in found)


def test_a_problem_keeps_the_rest_of_the_front_matter(tmp_path):
    claims = claims_of("---\nbase_model: [a/b, 3]\nlicense: mit\n---\n", tmp_path)
    assert lines(claims.base_models) == [("a/b", 2)]
    assert claims.license.value == "mit"


@pytest.mark.parametrize("value", ["", "null", "~", "''", "[]", "['']"])
def test_an_empty_value_says_nothing(tmp_path, value):
    claims = claims_of(f"---\nbase_model: {value}\nlicense: mit\n---\n", tmp_path)
    assert (claims.base_models, claims.problems) == ((), ())


def test_aliases_are_read_and_a_bomb_of_them_is_not():
    value, problems = read_yaml("a: &x {b: 1}\nc: *x\n", "f")
    assert (value.data, problems) == ({"a": {"b": 1}, "c": {"b": 1}}, ())
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(30)
    )
    value, problems = read_yaml(bomb, "f")
    assert value is None
    assert "200,000" in problems[0].message


def test_numbers_dates_and_truth_are_plain_data_and_nothing_else_is_made():
    value, problems = read_yaml("a: 1\nb: 1.5\nc: true\nd: 2024-99-99\ne: 'x'\nf: null\ng: " + "9" * 6000, "f")
    assert list(value.data.values())[:6] == [1, 1.5, True, "2024-99-99", "x", None]
    assert isinstance(value.data["g"], str)
    assert problems == ()


def test_a_file_that_is_too_large_or_no_file_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr("modelprov.check.read_claims.MAX_CARD", 10)
    assert "more than 10 bytes" in claims_of(CARD, tmp_path).problems[0].message
    (tmp_path / "README.md").unlink()
    (tmp_path / "README.md").mkdir()
    assert read_claims(tmp_path).problems


def test_only_so_much_of_a_large_card_is_read(monkeypatch):
    monkeypatch.setattr("modelprov.check.card.MAX_BODY", 100)
    monkeypatch.setattr("modelprov.check.card.MAX_FRONT", 30)
    card = take_apart(b"---\nlicense: mit\nx: " + b"y" * 50 + b"\n---\n" + b"z" * 200, "README.md")
    assert (card.front, card.body) == (None, "z" * 100)
    assert [one.location.line for one in card.problems] == [2, 5]
    assert front_claims(card).license is None


HOSTILE = {
    "brackets": "[" * 300_000, "pipes": "|" * 50_000 + "\n" + "|-" * 25_000, "quotes": ">" * 50_000,
    "dots": "." * 300_000, "tags": "<a " * 80_000, "comments": "<!--" * 80_000, "stars": "*" * 200_000,
    "ticks": "`" * 100_001 + "x" + "`" * 99_999, "spaces": " " * 300_000 + "x", "marks": "“" * 100_000,
    "lists": "\n".join("  " * depth + "- a" for depth in range(300)), "rows": "|a|b|\n|-|-|\n" + "|1|2|\n" * 10_000,
    "nul": "a\u0000b", "zero-width": "\u200b" * 100_000, "right-to-left": "\u202e" * 1000,
}  # fmt: skip


def test_hostile_text_never_raises(tmp_path):
    for text in HOSTILE.values():  # what is quadratic in a text's length does not end within the test's limit
        claims = claims_of("---\nlicense: mit\n---\n" + text, tmp_path)
        assert claims.prose == ()


PIECES = st.sampled_from(
    [
        "---\n", "\n", "\r", "- ", "|", "|---|", "| Benchmark | **A** |", "70.8%", "> ", "```yaml\n", "~~~", "<table>",
        "<!--", "-->",
        "license: mit\n", "base_model:\n", "model-index:\n- name: x\n  results:\n", "&a ", "*a", "!!int x",
        "[", "{", "}", "merge_method: linear\n", "models:\n", "Trained from scratch.", "not ", "merge of A and B", ", ",
        "“", "”", "~~", "`", "\t", "  ", ": ", "# ", "\u2028", "\ufeff", "\x00", "é", "从零训练", "metrics:\n",
        "value: .nan\n", "dataset: 3\n", "'", '"', "\\",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=40).map("".join), st.binary(max_size=12), st.sampled_from(["", "---\n"]))
def test_no_content_raises_and_every_line_lies_in_the_file(tmp_path_factory, text, tail, head):
    folder = tmp_path_factory.mktemp("card")
    content = (head + text).encode("utf-8", "surrogatepass") + tail
    for name in ("README.md", "mergekit_config.yml", "merge_receipt.json"):
        (folder / name).write_bytes(content)
    claims = read_claims(folder)
    count = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
    declared = (*claims.base_models, *claims.tags, *filter(None, (claims.license, claims.relation, claims.library)))
    everything = (*declared, *claims.prose, *claims.scores, *claims.problems)
    assert all(1 <= (one.location.line or 1) <= max(count, 1) for one in everything)
    assert claims == read_claims(folder)
