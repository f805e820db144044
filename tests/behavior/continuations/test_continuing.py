"""Which controls count, and who is asked how: real tiny models one by one, and runs on answers made for the purpose."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from modelprov.behavior.continuations import asking, continuing
from modelprov.behavior.continuations.asking import Asking
from modelprov.behavior.continuations.continuing import Continuing
from modelprov.behavior.continuations.prompts import kept, prompts
from modelprov.behavior.loading import LocalModel, load_model
from modelprov.behavior.probing.answer_log import AnswerLog
from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.behavior.probing.speakers import EndpointSpeaker
from modelprov.progress import SILENT
from tests.behavior.probing.models import write_model

COUNT = 800
COMMON = np.random.default_rng(0).integers(0, 200, COUNT)


def answers(seed: int, like: np.ndarray = COMMON, share: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng([1, seed])
    return np.where(rng.random(COUNT) < share, like, rng.integers(0, 200, COUNT))


PARENT = answers(1)
SAID = {
    "child": answers(2, PARENT, 0.8), "parent": PARENT, "other": answers(3),
    "copy of control 0": answers(4, answers(10), 0.97), "noise": answers(5, share=0.0), "tall": answers(6),
    "foreign": answers(7), **{f"control {n}": answers(10 + n) for n in range(3)},
}  # fmt: skip


def subject(label: str, role: str) -> Any:
    model = SimpleNamespace(num_parameters=lambda: 5000 if label == "tall" else 1000)
    tokenizer = SimpleNamespace(get_vocab=lambda: {"a": 0, "b" if label == "foreign" else "c": 1})
    weights = SimpleNamespace(label=label, model=model, tokenizer=tokenizer)
    return SimpleNamespace(
        about=SimpleNamespace(label=label, role=role, digest=label), weights=weights, speaker=None
    )  # fmt: skip


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(continuing, "local_answers", lambda model, _: [str(each) for each in SAID[model.label]])

    def found(*controls: str, parents: tuple[str, ...] = ("parent", "other")):
        heard = Continuing(COUNT, 0, AnswerLog(), SILENT)
        for label, role in (
            ("child", "suspect"),
            *((p, "parent") for p in parents),
            *((c, "control") for c in controls),
        ):
            heard.hear(subject(label, role))
        return heard.found()

    return found


def test_a_child_answers_like_its_parent_and_not_like_another(run):
    found = run("control 0", "control 1", "control 2")
    assert {each.parent: each.finding for each in found.judged} == {
        "parent": "answers like", "other": "no more alike than the controls"
    }  # fmt: skip
    assert [each.label for each in found.agreements] == ["parent", "other", "control 0", "control 1", "control 2"]


@pytest.mark.parametrize(
    ("unfit", "why"),
    [
        ("copy of control 0", "it is nearly the same model as control 0"),
        ("noise", "it goes on quite unlike the parents"),
        ("tall", "its size is not within a factor of 2"),
        ("foreign", "its tokenizer is another than the parents'"),
    ],
)
def test_a_control_of_another_kind_or_a_second_one_of_the_same_does_not_count(run, unfit, why):
    found = run("control 0", "control 1", unfit, parents=("parent",))
    told = {each.label: each.unfit for each in found.models if each.unfit}
    assert list(told) == [unfit]
    assert told[unfit].startswith(why)
    assert found.judged[0].finding == "could not judge"
    assert found.judged[0].reason == "it has 2 controls that count, and takes 3"


def test_prompts_are_the_same_for_the_same_seed_and_all_different():
    texts = prompts(2000, 3)
    assert texts == prompts(2000, 3)
    assert texts[:10] != prompts(10, 4)
    assert texts[:10] == prompts(10, 3)
    assert len(set(texts)) == 2000
    assert all(4 <= len(text.split()) <= 13 for text in texts)


def test_answers_are_compared_without_the_blanks_that_tokenizers_treat_differently():
    assert [kept(text) for text in (" the", "the", "", "  ", "\n\n", " \t")] == ["the", "the", "", " ", "\n", " "]


TEXTS = prompts(6, 0)


def asked(way: str = "completions", log: AnswerLog | None = None) -> Asking:
    return Asking(TEXTS, way, 4, log or AnswerLog(), lambda _: None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return load_model(str(write_model(tmp_path_factory.mktemp("model") / "nex")), device="cpu")


def test_a_local_model_gives_the_token_that_transformers_generates(model):
    import torch

    expected = []
    for text in TEXTS:
        ids = torch.tensor([model.tokenizer.encode(text)])
        made = model.model.generate(ids, max_new_tokens=1, do_sample=False, attention_mask=torch.ones_like(ids))
        expected.append(kept(model.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)))
    assert asking.local_answers(model, asked()) == expected


def test_by_chat_a_local_model_reads_its_own_template(model, monkeypatch):
    read: list[list[int]] = []
    monkeypatch.setattr(asking, "_next", lambda _, ids, __: [read.extend(ids) or "x" for _ in ids][: len(ids)])
    asking.local_answers(model, asked("chat"))
    text = model.tokenizer.decode(read[0])
    assert text == f"<|im_start|>user\n{TEXTS[0]}<|im_end|>\n<|im_start|>assistant\n"


def served(request: httpx.Request) -> httpx.Response:
    """A server without raw completions that says how many words it was given."""
    told = json.loads(request.content or b"{}")
    if "messages" not in told:
        return httpx.Response(404, stream=httpx.ByteStream(b'{"detail": "Not Found"}'))
    assert told["temperature"] == 0
    assert told["max_tokens"] == 1
    said = str(len(told["messages"][0]["content"].split()))
    answer = {"choices": [{"message": {"content": said}, "finish_reason": "length"}]}
    return httpx.Response(200, stream=httpx.ByteStream(json.dumps(answer).encode()))


def test_a_server_without_raw_text_is_asked_by_chat_and_the_report_says_so():
    with Endpoint("http://127.0.0.1:9/v1", "rio", transport=httpx.MockTransport(served), retries=0) as endpoint:
        heard = Continuing(6, 0, AnswerLog(), SILENT)
        about = SimpleNamespace(label="rio", role="suspect", digest=None)
        speaker = EndpointSpeaker(endpoint, "rio", endpoint.url)
        heard.hear(SimpleNamespace(about=about, weights=None, speaker=speaker))  # type: ignore[arg-type]
        found = heard.found()
    assert found.way == "chat"
    assert "asked through its own chat template" in found.notes[0]
    assert heard._answers["rio"] == [str(len(text.split())) for text in TEXTS]
    assert found.judged == ()
