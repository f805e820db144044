"""Proposed front matter: what weights settle, and a diff that `patch -p1` and `git apply` take."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from modelprov.check.interface import Declared
from modelprov.check.read_claims import read_claims
from modelprov.check.write_card import card_diff, proposed_changes
from modelprov.errors import UsageError
from tests.check.rules.made import NEX, QWEN, at, claims, lineage, measured, said

CHANGES: dict[str, object] = {"base_model": ["nex-agi/Nex-N2", "Qwen/Qwen3.5"], "base_model_relation": "merge"}
needs_patch = pytest.mark.skipif(shutil.which("patch") is None, reason="patch is not installed")


def test_a_merge_settles_its_parents_and_the_relation() -> None:
    assert proposed_changes(claims(), measured()) == {
        "base_model": ["Qwen/Qwen3.5", "nex-agi/Nex-N2-Pro"], "base_model_relation": "merge",
    }  # fmt: skip


def test_a_merge_in_a_part_settles_the_parents_and_not_the_relation() -> None:
    assert list(proposed_changes(claims(), measured(lineage=lineage(held=0.7)))) == ["base_model"]


def test_a_card_that_says_so_already_needs_no_change() -> None:
    both = (Declared("nex-agi/Nex-N2-Pro", at(3)), Declared("Qwen/Qwen3.5", at(4)))
    card = claims(base_models=both, relation=Declared("merge", at(5)))
    assert proposed_changes(card, measured(candidates=(replace(NEX, declared=True), QWEN))) == {}


@pytest.mark.parametrize(
    "state",
    [
        measured(lineage=None),
        measured(lineage=lineage("inconclusive")),
        measured(lineage=lineage("same-origin", parents=("nex",))),
        measured(lineage=lineage("copy", parents=("nex",))),
        measured(lineage=lineage(doubt="only a sample was read")),
        measured(lineage=lineage("on-line")),
        measured(lineage=lineage(compared=("nex",))),  # the declared base was not compared
    ],
    ids=["nothing", "inconclusive", "finetune", "copy", "sample", "no-control", "base-not-compared"],
)
def test_nothing_less_than_a_settled_merge_changes_a_card(state) -> None:  # type: ignore[no-untyped-def]
    assert proposed_changes(claims(), state) == {}


def test_a_stranger_is_taken_out_and_a_teacher_stays() -> None:
    stranger = replace(QWEN, name="some/stranger", label="stranger")
    state = measured(
        candidates=(NEX, replace(QWEN, declared=False), stranger),
        lineage=lineage(strangers=("stranger",), compared=("nex", "qwen", "stranger")),
    )
    card = claims(base_models=(Declared("some/stranger", at(3)),))
    assert proposed_changes(card, state)["base_model"] == ["nex-agi/Nex-N2-Pro", "Qwen/Qwen3.5"]
    kept = proposed_changes(replace(card, prose=(said("distilled"),)), state)["base_model"]
    assert kept == ["some/stranger", "nex-agi/Nex-N2-Pro", "Qwen/Qwen3.5"]


def test_a_path_on_this_machine_is_never_proposed_as_a_name() -> None:
    by_path = replace(NEX, name="/models/nex", location="/models/nex")
    assert proposed_changes(claims(), measured(candidates=(by_path, QWEN)))["base_model"] == ["Qwen/Qwen3.5", "nex"]


def patched(folder: Path, content: bytes | None, tool: tuple[str, ...]) -> bytes:
    """The card after the proposed diff was applied by another program."""
    folder.mkdir(exist_ok=True)
    if content is not None:
        (folder / "README.md").write_bytes(content)
    diff = card_diff(folder, read_claims(folder), CHANGES)
    done = subprocess.run(tool, cwd=folder, input=diff.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "README.md").read_bytes()


CARDS = {
    "no card": None,
    "empty": b"",
    "no front matter": b"# Rio\n\ntext\n",
    "no last line feed": b"---\nlicense: mit\n---\n# Rio",
    "front matter alone": b"---\nlicense: mit\n---",
    "scalar": b"---\nlicense: mit\nbase_model: Qwen/Qwen3.5 # the base\ntags: [a]\n---\n# Rio\n",
    "block list": b"---\nbase_model:\n- Qwen/Qwen3.5\n\n# our own\n- a/b\n# of tags\ntags:\n- x\n---\n# Rio\n",
    "indented list": b"---\nbase_model:\n    - Qwen/Qwen3.5\n    - a/b\nlicense: mit\n---\n",
    "flow list": b"---\nbase_model: [Qwen/Qwen3.5,\n  a/b]\nlicense: mit\n---\n",
    "quoted key": b"---\n\"base_model\": 'Qwen/Qwen3.5'\nlicense: mit\n---\n",
    "folded": b"---\nbase_model: >-\n  Qwen/Qwen3.5\nlicense: mit\n---\n",
    "comments": b"---\n# of the card\nlicense: mit # ours\n\n# base\nbase_model: Qwen/Qwen3.5\n# the end\n---\n# Rio\n",
    "windows": b"---\r\nlicense: mit\r\nbase_model: Qwen/Qwen3.5\r\n---\r\n# Rio\r\n",
    "mark": b"\xef\xbb\xbf---\nlicense: mit\nbase_model: Qwen/Qwen3.5\n---\n# Rio\n",
    "mark, no front matter": b"\xef\xbb\xbf# Rio\n",
    "odd line ends": "---\nlicense: mit\n---\n# Rio\u2028 \x0b\x0c \x85 text\n".encode(),
    "key in the text": b"---\nlicense: mit\n---\nbase_model: not this\n",
    "key inside another": b"---\nmodel-index:\n- base_model: x\n  name: y\n---\n",
}


@needs_patch
@pytest.mark.parametrize("content", CARDS.values(), ids=CARDS)
def test_the_patched_card_declares_what_was_proposed_and_keeps_the_rest(tmp_path: Path, content: bytes | None) -> None:
    after = patched(tmp_path / "rio", content, ("patch", "-p1", "--binary"))
    read = read_claims(tmp_path / "rio")
    assert not read.problems
    assert [one.value for one in read.base_models] == CHANGES["base_model"]
    assert read.relation is not None
    assert read.relation.value == "merge"
    assert after.count(b"base_model_relation") == 1
    lines = [] if content is None else content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    kept = [one for one in lines if b"base_model:" not in one and b"Qwen" not in one and b"a/b" not in one]
    missing = [one for one in kept if one.strip() not in after and b'"base_model"' not in one and one != b"# our own"]
    assert missing == []
    assert after.startswith(b"\xef\xbb\xbf") == (content or b"").startswith(b"\xef\xbb\xbf")
    if content and b"\r\n" in content:
        assert after.count(b"\n") == after.count(b"\r\n")


@pytest.mark.parametrize("key", ["no card", "scalar", "no last line feed"])
def test_git_takes_the_same_diff(tmp_path: Path, key: str) -> None:
    patched(tmp_path / "rio", CARDS[key], ("git", "apply", "-"))
    assert [one.value for one in read_claims(tmp_path / "rio").base_models] == CHANGES["base_model"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"---\nlicense: mit\n# Rio\n", "no closing line"),
        (b"---\nlicense: [mit\n---\n", "not valid YAML"),
        (b"---\n{license: mit}\n---\n", "no keys on lines"),
        (b"---\nlicense: mit\n---\n\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_a_card_that_cannot_be_changed_safely_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "README.md").write_bytes(content)
    with pytest.raises(UsageError, match=why):
        card_diff(tmp_path, replace(claims(), card="README.md"), CHANGES)
