"""What a model, its files or the machine can do to an evaluation: said in words, and no answer lost or invented."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from modelprov.behavior.evaluation.answering import Asking
from modelprov.behavior.evaluation.log import AnswerLog
from modelprov.behavior.evaluation.methods import plan
from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.behavior.evaluation.run import Subject, evaluate
from modelprov.behavior.evaluation.tasks import load_task
from modelprov.behavior.generation.decoder import context_of
from modelprov.behavior.loading import LocalModel, load_model
from modelprov.errors import UnreadableFileError, UsageError
from tests.behavior.evaluation.conftest import save_tiny_model
from tests.behavior.evaluation.test_run import Silent

NEW = 6


@pytest.fixture
def model(tiny) -> LocalModel:
    """A model of its own, that a test may break."""
    torch.set_num_threads(1)
    return load_model(str(tiny), "tiny", "cpu")


def asked(model: LocalModel, asking: Asking | None = None, limit: int = 6, new: int = NEW) -> EvaluationReport:
    conditions, notes = plan(("cot",), (), 1, {"max_new_tokens": new})
    subject, task = Subject("tiny", lambda: model), load_task("sums", limit)
    return evaluate([subject], task, conditions, asking or Asking(batch_size=2), Silent(), "c", notes)


def interrupted_at(step: int, error: BaseException, model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise this at a step of the model, in the middle of an answer."""
    inner, calls = model.model.forward, iter(range(10**6))

    def forward(*args: Any, **given: Any) -> Any:
        if next(calls) == step:
            raise error
        return inner(*args, **given)

    monkeypatch.setattr(model.model, "forward", forward)


def test_a_run_stopped_in_the_middle_of_a_batch_keeps_every_whole_batch_and_goes_on_to_the_same_report(
    model, tmp_path, monkeypatch
):
    whole = asked(model)
    asking = Asking(batch_size=2, log=tmp_path)
    interrupted_at(NEW + 3, KeyboardInterrupt(), model, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        asked(model, asking)
    (log,) = tmp_path.iterdir()
    assert len(log.read_text().splitlines()) == 1 + 2
    monkeypatch.undo()
    again = asked(model, asking)
    assert again.answers_reused == 2
    assert again.rows == whole.rows


def test_a_full_disk_is_said_and_once_there_is_room_the_run_goes_on_with_what_was_kept(model, tmp_path, monkeypatch):
    asking = Asking(batch_size=2, log=tmp_path)
    write, written = AnswerLog._write, iter(range(10**6))

    def full(log: AnswerLog, text: str) -> None:
        if next(written) < 2:  # the head and the first batch
            return write(log, text)
        write(log, text[: len(text) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(AnswerLog, "_write", full)
    with pytest.raises(UnreadableFileError, match="No space left") as refused:
        asked(model, asking)
    assert "Answers kept so far stay" in refused.value.advice
    monkeypatch.undo()
    again = asked(model, asking)
    assert again.answers_reused >= 2
    assert again.rows == asked(model).rows
    (log,) = tmp_path.iterdir()
    assert all(json.loads(line) for line in log.read_text().splitlines())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_numbers_are_an_error_and_no_answer(model, value, monkeypatch):
    inner = model.model.forward

    def forward(*args: Any, **given: Any) -> Any:
        out = inner(*args, **given)
        out.logits[-1, :, 5] = value
        return out

    monkeypatch.setattr(model.model, "forward", forward)
    with pytest.raises(UsageError, match="not numbers") as refused:
        asked(model)
    assert "float32" in refused.value.advice


def test_a_model_whose_every_answer_is_empty_is_wrong_everywhere_and_the_report_stands(model):
    with torch.no_grad():
        model.model.model.norm.weight.zero_()
        model.model.lm_head = torch.nn.Linear(32, 264)
        model.model.lm_head.bias.zero_()
        model.model.lm_head.bias[model.eos[0]] = 100.0
    report = asked(model)
    (row,) = report.rows
    assert (row.right, row.answers, row.unfinished_thoughts, row.cut_answers) == (0, 6, 0, 0)
    assert row.tokens.value == 1
    assert report.graded == 6


def test_a_prompt_longer_than_the_context_is_refused_and_an_answer_ends_with_it(tmp_path):
    folder = save_tiny_model(tmp_path / "short")
    config = folder / "config.json"
    longest = 90  # the longest of these questions has 80-odd tokens

    def loaded(context: int) -> LocalModel:
        config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": context}))
        return load_model(str(folder), "tiny", "cpu")

    with pytest.raises(UsageError, match=r"leaves no room .* holds 20"):
        asked(loaded(20))
    report = asked(loaded(longest), limit=4, new=200)
    (said,) = [note for note in report.notes if "context" in note]
    assert "answers ended where its context does (90 tokens)" in said
    assert max(row.tokens.value for row in report.rows) < longest


def test_the_context_of_a_scaled_rotary_embedding_is_the_scaled_one(loaded):
    assert context_of(loaded.model) == 2048
    config = loaded.model.config
    before = config.rope_parameters
    try:
        config.rope_parameters = {**before, "factor": 4.0, "original_max_position_embeddings": 2048}
        assert context_of(loaded.model) == 8192
    finally:
        config.rope_parameters = before


def test_without_a_chat_template_the_ways_out_are_named_and_raw_text_works_without_a_padding_token(model):
    model.tokenizer.pad_token = None
    bare = replace(model, template=None)
    model.tokenizer.chat_template = None
    with pytest.raises(UsageError, match="no chat template") as refused:
        asked(bare)
    assert "raw" in refused.value.advice
    assert asked(bare, Asking(raw=True)).rows[0].answers == 6
