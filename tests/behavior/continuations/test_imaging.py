"""Whose output head a server has: tiny models behind a server that gives some log-probabilities at a time."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from modelprov.behavior.continuations.imaging import NO_NUMBERS, Imaging
from modelprov.behavior.continuations.served_logprobs import ServedLogprobs
from modelprov.behavior.loading import LocalModel, load_model
from modelprov.behavior.probing.answer_log import AnswerLog, Spoken
from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.behavior.probing.speakers import EndpointSpeaker
from modelprov.errors import UsageError
from modelprov.progress import SILENT
from tests.behavior.logprob_server import giving_logprobs
from tests.behavior.probing.models import write_model
from tests.behavior.servers import answer, completion_reply, scripted

TEXTS = 10


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`child` has the head (and embeddings) of `parent` and layers of its own; `other` is a stranger."""
    from safetensors.torch import load_file, save_file

    where = tmp_path_factory.mktemp("heads")
    made = {name: write_model(where / name, seed=seed) for name, seed in (("parent", 0), ("child", 1), ("other", 2))}
    parent, child = (load_file(made[name] / "model.safetensors") for name in ("parent", "child"))
    child["model.embed_tokens.weight"] = parent["model.embed_tokens.weight"]
    save_file(child, made["child"] / "model.safetensors", {"format": "pt"})
    made["rounded"] = write_model(where / "rounded", seed=0)
    scale = max(parent["model.embed_tokens.weight"].abs().flatten()) / 7
    parent["model.embed_tokens.weight"] = (parent["model.embed_tokens.weight"] / scale).round() * scale
    save_file(parent, made["rounded"] / "model.safetensors", {"format": "pt"})
    return made


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, LocalModel]:
    return {name: load_model(str(folder), device="cpu") for name, folder in folders.items()}


def held(url: str, *models: tuple[LocalModel, str], log: Path | None = None) -> Any:
    with Endpoint(url, "tiny", retries=0) as endpoint, AnswerLog(log) as answers:
        imaging = Imaging(TEXTS, 0, answers, SILENT, 4)
        served = SimpleNamespace(about=SimpleNamespace(label="served", role="suspect"), weights=None,
                                 speaker=EndpointSpeaker(endpoint, url, 4))  # fmt: skip
        imaging.hear(served)
        for model, role in models:
            about = SimpleNamespace(label=model.label, role=role)
            imaging.hear(SimpleNamespace(about=about, weights=model, speaker=None))
        return imaging.found()


@pytest.mark.parametrize(
    ("server", "how"),
    [
        ({"most": 20}, "a logit bias"),
        ({"most": 20, "raw": False}, "a logit bias"),
        ({"most": 20, "form": "llama.cpp"}, "a logit bias"),
        ({"most": 1000}, "most likely tokens"),
        ({"most": 1000, "form": "llama.cpp"}, "most likely tokens"),
    ],
)
def test_a_head_that_was_left_alone_is_found_however_the_numbers_come(folders, models, server, how):
    with giving_logprobs(folders["child"], **server) as url:
        found = held(url, (models["parent"], "parent"), (models["other"], "control"))
    assert (found.how, found.judged[0].finding) == (how, "its head")
    fits = {each.label: each for each in found.fits}
    assert fits["parent"].outside < 1e-5 < fits["parent"].rounding < 0.01
    assert fits["other"].outside > 0.9
    assert fits["parent"].numbers == "other numbers", "the layers before the head are another's"


def test_published_weights_give_their_own_numbers_and_a_rounded_head_is_not_theirs(folders, models):
    with giving_logprobs(folders["parent"]) as url:
        found = held(url, (models["parent"], "published"))
    assert (found.judged[0].finding, found.fits[0].numbers) == ("its head", "its numbers")
    assert found.fits[0].apart < 1e-5 < found.fits[0].formats
    with giving_logprobs(folders["rounded"]) as url:
        found = held(url, (models["parent"], "published"))
    assert found.judged[0].finding == "could not judge", "there is no control to say whether it is near"
    assert found.fits[0].numbers == "other numbers"
    assert found.fits[0].outside > 2 * found.fits[0].rounding


def test_what_the_server_gave_is_kept_and_not_asked_for_again(folders, models, tmp_path):
    asked, log = [], tmp_path / "answers.jsonl"

    def counted(ids: list[int]) -> Any:
        asked.append(ids)
        with torch.inference_mode():
            return models["parent"].model(input_ids=torch.tensor([ids])).logits[0, -1].double()

    with giving_logprobs(folders["parent"], logits_of=counted) as url:
        first = held(url, (models["parent"], "parent"), log=log)
        before = len(asked)
        assert held(url, (models["parent"], "parent"), log=log) == first
    assert before > TEXTS
    assert len(asked) == before + 1, "whether it takes raw text, and nothing more"


def test_temperature_of_the_server_changes_nothing(folders, models):
    def hot(ids: list[int]) -> Any:
        with torch.inference_mode():
            return models["parent"].model(input_ids=torch.tensor([ids])).logits[0, -1].double() / 1.7

    with giving_logprobs(folders["parent"], logits_of=hot) as url:
        assert held(url, (models["parent"], "parent")).judged[0].finding == "its head"


def test_fewer_numbers_than_the_head_has_dimensions_judge_no_head_but_still_the_numbers(folders, models):
    with giving_logprobs(folders["parent"], 20, shows_bias=False) as url:
        found = held(url, (models["parent"], "parent"))
    assert found.judged[0].finding == "could not judge"
    assert re.search(
        r"gives \d\d log-probabilities of a text, and a head of this size takes 49", found.judged[0].reason
    )
    assert found.fits[0].numbers == "its numbers"


def test_a_server_without_log_probabilities_is_said_to_have_none(models):
    with scripted(answer(200, completion_reply("a"))) as server:
        found = held(server.url, (models["parent"], "parent"))
    assert (found.how, found.notes) == ("none", (NO_NUMBERS,))
    assert found.judged[0].reason == "the server gives no log-probabilities"


def test_numbers_to_two_digits_are_coarser_than_bfloat16_and_accuse_nobody(folders, models):
    with giving_logprobs(folders["parent"], digits=1) as url:
        found = held(url, (models["parent"], "parent"))
    assert found.judged[0].finding == "could not judge"


def test_numbers_that_a_filter_took_are_none_and_no_sign_of_another_head(folders, models):
    def filtered(ids: list[int]) -> Any:
        with torch.inference_mode():
            logits = models["parent"].model(input_ids=torch.tensor([ids])).logits[0, -1].double()
        return torch.where(logits < logits.topk(40).values[-1], torch.tensor(-9999.0), logits)

    with giving_logprobs(folders["parent"], 1000, logits_of=filtered) as url:
        found = held(url, (models["parent"], "parent"), (models["other"], "control"))
    assert found.judged[0].finding == "could not judge"
    assert re.search(r"gives [34]\d log-probabilities of a text", found.judged[0].reason)


def test_numbers_that_are_all_alike_say_nothing(folders, models):
    with giving_logprobs(folders["parent"], logits_of=lambda _: torch.zeros(len(models["parent"].tokenizer))) as url:
        found = held(url, (models["parent"], "parent"))
    assert found.judged[0].finding == "could not judge"
    assert found.fits[0].outside is None


def test_the_models_are_as_they_were(models):
    assert {each.model.dtype for each in models.values()} == {torch.float32}


@pytest.mark.parametrize("changed", ["", "[1]", '{"a": "b"}', '{"a": NaN}'])
def test_log_probabilities_that_were_changed_in_the_log_are_refused(changed):
    served = ServedLogprobs(None, (), "completions", 1, AnswerLog())
    served.log.put("key", Spoken(None, changed, True), {})
    with pytest.raises(UsageError, match="not as they were written"):
        served._kept("key")
