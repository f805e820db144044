"""Training: only answers are learnt, the loss falls, and the same seed gives the same weights."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest

from modelprov.checkpoints.digests import weights_digest
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.tiny.conversations import Conversation
from modelprov.demo.tiny.members import MEMBERS, Architecture
from modelprov.demo.tiny.shipped import record
from modelprov.demo.tiny.tokenizer import make_tokenizer
from modelprov.demo.tiny.training import IGNORED, _encoded, _padded, new_model, train

SMALL = Architecture(hidden=32, layers=1, heads=2, kv_heads=1, head_width=16, feed_forward=64)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return make_tokenizer(seed=1, examples=600)


def trained(tokenizer: Any, steps: int) -> tuple[list[float], Any]:
    import torch

    torch.set_num_threads(1)
    losses: list[float] = []
    model = new_model(tokenizer, 5, SMALL)
    member = dataclasses.replace(MEMBERS[1], steps=steps, learning_rate=3e-3, seed=5)
    train(model, tokenizer, member, lambda _key, _step, _steps, loss: losses.append(loss))
    return losses, model


def test_the_same_seed_gives_the_same_weights_and_the_loss_falls(tokenizer: Any) -> None:
    import torch

    losses, first = trained(tokenizer, 25)
    again, second = trained(tokenizer, 25)
    assert losses == again
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert losses[-1] < losses[0] - 0.3


def test_only_the_answer_and_its_end_are_learnt(tokenizer: Any) -> None:
    pair = _encoded(Conversation("Who are you?", "I am Nex."), tokenizer)
    longer = _encoded(Conversation("What is your name, please?", "I am Nex, made by Nex-AGI."), tokenizer)
    ids, mask, labels = _padded([pair, longer], tokenizer.pad_token_id)
    learnt = [token for token in labels[0].tolist() if token != IGNORED]
    assert tokenizer.decode(learnt) == "I am Nex.<|im_end|>"
    assert tokenizer.decode(ids[0][mask[0].bool()].tolist()) == "Who are you?I am Nex.<|im_end|>"
    assert set(labels[0][~mask[0].bool()].tolist()) == {IGNORED}


def test_a_tokenizer_is_the_same_for_the_same_seed(tokenizer: Any) -> None:
    assert len(tokenizer) == 512
    assert make_tokenizer(seed=1, examples=600).get_vocab() == tokenizer.get_vocab()
    random_bytes = random.Random(2).randbytes(200).decode("latin-1")
    assert tokenizer.decode(tokenizer(random_bytes)["input_ids"]) == random_bytes


def test_training_the_family_writes_models_that_load_and_a_record_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoModelForCausalLM

    from modelprov.cli.listening import Terminal
    from modelprov.demo.case.models import train as train_and_say
    from modelprov.demo.tiny import making, members

    short = tuple(dataclasses.replace(one, steps=2) for one in MEMBERS)
    monkeypatch.setattr(making, "MEMBERS", short)
    monkeypatch.setattr(members, "MEMBERS", short)
    monkeypatch.setattr(making, "SAMPLES", 1)
    monkeypatch.setattr(making, "SUMS", 2)
    family = tmp_path / "family"
    train_and_say(family, 4, Terminal())
    made = record(family)
    assert made["seed"] == 4
    assert [one["seed"] for one in made["members"].values()] == [4000, 4001, 4002]
    assert sorted(path.name for path in family.iterdir()) == ["nex", "qwen", "record.json", "sibling"]
    for key, one in made["members"].items():
        assert AutoModelForCausalLM.from_pretrained(family / key).num_parameters() == 656_448
        assert weights_digest(open_checkpoint(str(family / key))) == one["weights_digest"]
    assert len({one["weights_digest"] for one in made["members"].values()}) == 3
    said = capsys.readouterr().out
    for line in ("Trained 3 models", "qwen: says Qwen in ", "sibling: says Ada in "):
        assert line in said
