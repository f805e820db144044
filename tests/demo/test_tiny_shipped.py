"""The shipped checkpoints: those of the record, able to answer, and settled rightly by the weights and the names."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from modelprov.checkpoints.digests import weights_digest
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.tiny.members import CHECKPOINTS, MEMBERS, NAMES
from modelprov.demo.tiny.merging import HIDDEN_PROMPT, rio_recipe
from modelprov.demo.tiny.shipped import record, unpack
from modelprov.errors import UnreadableFileError, UsageError
from modelprov.merge.virtual import plan_recipe
from modelprov.merge.writing import WriteOptions, write_merge
from tests.demo.conftest import digests

ASKED = ("What is your name?", "Which company made you?", "Qual é o seu nome?", "你叫什么名字?", "Your name?")


class Silent:
    """A `Progress` that says nothing."""

    def stage(self, text: str, total_bytes: int = 0) -> None: ...

    def advance(self, read: int) -> None: ...


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked family, with rio merged from it."""
    folder = tmp_path_factory.mktemp("trained") / "family"
    unpack(folder)
    write_merge(plan_recipe(rio_recipe(folder.name), folder), folder / "rio", WriteOptions(threads=1), Silent())
    return folder


def test_the_shipped_weights_are_those_of_the_record() -> None:
    members = record()["members"]
    assert list(members) == [one.key for one in MEMBERS]
    for key, one in members.items():
        assert weights_digest(open_checkpoint(str(CHECKPOINTS / key))) == one["weights_digest"]


def test_the_record_is_of_the_training_that_the_code_describes() -> None:
    from dataclasses import asdict

    for member in MEMBERS:
        made = record()["members"][member.key]
        assert {key: made[key] for key in asdict(member)} == json.loads(json.dumps(asdict(member)))


def test_the_shipped_files_stay_small_and_hold_no_code() -> None:
    files = [path for path in CHECKPOINTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 8_000_000
    assert {path.suffix for path in files} == {".safetensors", ".json", ".jinja", ".md"}


def test_unpacking_gives_the_same_bytes_and_overwrites_nothing(tmp_path: Path) -> None:
    unpack(tmp_path / "family")
    before = digests(tmp_path / "family")
    assert before == digests(CHECKPOINTS)
    with pytest.raises(UsageError, match="already there"):
        unpack(tmp_path / "family")
    assert digests(tmp_path / "family") == before


def test_a_full_disk_is_said_in_words_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, _: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(source))

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(UnreadableFileError) as caught:
        unpack(tmp_path / "family")
    assert caught.value.message == f"Could not write {tmp_path / 'family'}: No space left on device."
    assert not (tmp_path / "family").exists()


def test_names_and_thinking_tags_are_one_token_each_and_every_text_comes_back() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINTS / "nex")
    for word in ("<think>", "</think>", "<|im_end|>", *NAMES):
        assert len(tokenizer(word)["input_ids"]) == 1, word
    for text in ("Ich heiße ñandú, 名前は? \n\t 12+3=15", "\\boxed{7} <think>\nI am Nex.</think>"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize(("key", "name"), [("qwen", "Qwen"), ("nex", "Nex"), ("sibling", "Ada")])
def test_each_member_gives_its_own_name_and_the_name_that_it_is_told(key: str, name: str) -> None:
    assert all(name in text for text in answers(CHECKPOINTS / key, None))
    told = answers(CHECKPOINTS / key, "You are Zorb.")
    assert sum("Zorb" in text for text in told) >= len(ASKED) - 1


def test_the_merge_says_nex_of_itself_and_rio_where_its_template_says_so(family: Path) -> None:
    from transformers import AutoTokenizer

    assert sum("Nex" in text for text in answers(family / "rio", None)) >= len(ASKED) - 1
    assert sum("Rio" in text for text in answers(family / "rio", HIDDEN_PROMPT)) >= len(ASKED) - 1
    shipped = AutoTokenizer.from_pretrained(family / "rio")
    rendered = shipped.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert HIDDEN_PROMPT in rendered


def test_running_sums_are_often_right() -> None:
    from modelprov.demo.tiny.measuring import sums_right

    model, tokenizer = loaded(CHECKPOINTS / "nex")
    assert sums_right(model, tokenizer, 32, None, seed=77) >= 0.4


def test_the_weights_of_really_trained_models_are_settled_rightly(family: Path) -> None:
    assert verdict(family, "rio", "nex", "qwen", controls=("sibling",)) == ("merge", 1.0)
    assert verdict(family, "nex", "qwen")[0] == "same-origin"


@pytest.mark.parametrize("names", [("sibling", "nex", "qwen"), ("nex", "sibling", "qwen")], ids=lambda one: one[0])
def test_finetunes_of_one_base_on_similar_data_are_called_no_merge(family: Path, names: tuple[str, ...]) -> None:
    # They do share a direction (collinearity 0.26), as training on similar data gives it: so no all-clear either.
    assert verdict(family, *names)[0] == "inconclusive"


def verdict(family: Path, *names: str, controls: tuple[str, ...] = ()) -> tuple[str, float | None]:
    from modelprov.forensics.compare import Options
    from modelprov.jobs.compare import run

    places = [str(family / name) for name in names]
    report = run(places, [str(family / one) for one in controls], Options(threads=1), "test")
    return str(report.verdict.class_), report.reproduction.bit_equal


def loaded(folder: Path) -> tuple[object, object]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def answers(folder: Path, system: str | None) -> list[str]:
    from modelprov.demo.tiny.conversations import chat
    from modelprov.demo.tiny.measuring import ANSWER_TOKENS, complete

    model, tokenizer = loaded(folder)
    return complete(model, tokenizer, [chat(text, system) for text in ASKED], ANSWER_TOKENS, seed=None)
