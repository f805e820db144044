"""Served models: asked over the loopback, graded as others, and never said to think in latent space."""

from __future__ import annotations

import json
import re

import pytest

from modelprov.behavior.evaluation.answering import Asking
from modelprov.behavior.evaluation.methods import plan
from modelprov.behavior.evaluation.served import evaluate_served
from modelprov.behavior.evaluation.tasks import load_task
from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.errors import EndpointError, UsageError
from tests.behavior.evaluation.test_run import Silent
from tests.behavior.servers import answer, chat_reply, scripted


def calculated(body) -> dict:
    """The sum that the question asks for, with a thought before it."""
    total = sum(map(int, re.findall(r"=(\d+)", body["messages"][-1]["content"])))
    return chat_reply(f"<think>so</think>\\boxed{{{total}}}")


def served(step=None, methods=("cot",), samples=1, log=None, system=None, at_once=1):
    """The report on a server that plays `step`, or adds up, and the bodies of what it was asked."""
    conditions, notes = plan(methods, (), samples, {"top_k": 0, "max_new_tokens": 50})

    def add_up(handler) -> None:
        answer(200, calculated(server.requests[-1].body))(handler)

    with scripted(step or add_up) as server, Endpoint(server.url, "tiny", retries=0) as endpoint:
        asking = Asking(log=log, system=system, seed=3, batch_size=at_once)
        report = evaluate_served(endpoint, load_task("sums", 4), conditions, asking, Silent(), "c", notes)
        return report, [one.body for one in server.requests if one.method == "POST"]


def test_a_served_model_is_graded_and_labelled_without_latent():
    report, asked = served(None, ("cot", "cot-greedy"), system="Be brief.")
    assert [(row.right, row.answers, row.latent_share) for row in report.rows] == [(4, 4, 0.0), (4, 4, 0.0)]
    assert report.rows[0].model == "tiny (without latent)"
    assert any("without latent" in note for note in report.notes)
    assert report.rows[0].tokens.value == 3
    assert {body["temperature"] for body in asked[:4]} == {0.6}
    assert {body["temperature"] for body in asked[4:]} == {0.0}
    assert {body["max_tokens"] for body in asked} == {50}
    assert all(body["messages"][0] == {"role": "system", "content": "Be brief."} for body in asked)


def test_every_sample_has_its_own_seed_and_is_kept(tmp_path):
    _, asked = served(samples=3, log=tmp_path)
    assert len({body["seed"] for body in asked}) == 12


def test_a_thought_that_the_limit_cut_off_is_not_graded():
    report, _ = served(answer(200, chat_reply("<think>so 1 + 1 = \\boxed{2}", reason="length")))
    assert report.rows[0].unfinished_thoughts == 4
    assert report.graded == 0


def test_tokens_that_the_server_does_not_count_are_unknown_not_zero():
    reply = chat_reply("\\boxed{1}", prompt_tokens=None)
    assert served(answer(200, reply))[0].rows[0].tokens.value is None


def test_answers_before_a_failure_are_kept(tmp_path):
    conditions, _ = plan(("cot",), (), 1, {"top_k": 0})
    good = answer(200, chat_reply("\\boxed{1}"))
    task, asking = load_task("sums", 4), Asking(log=tmp_path, batch_size=1)
    failing = scripted(good, good, answer(400, {"error": {"message": "no"}}), good)
    with failing as server, Endpoint(server.url, "tiny", retries=0) as endpoint:
        with pytest.raises(EndpointError):
            evaluate_served(endpoint, task, conditions, asking, Silent(), "c")
        (log,) = tmp_path.iterdir()
        kept = [json.loads(line).get("question") for line in log.read_text().splitlines()[1:]]
        assert kept == [one.id for one in task.questions[:2]]
        assert evaluate_served(endpoint, task, conditions, asking, Silent(), "c").answers_reused == 2


def test_several_questions_are_asked_at_once_and_each_answer_is_its_own():
    report, asked = served(answer(200, chat_reply("\\boxed{1}")), samples=2, at_once=4)
    assert len(asked) == len({(body["seed"], body["messages"][-1]["content"]) for body in asked}) == 8
    assert report.rows[0].answers_by_question == (2, 2, 2, 2)


def test_what_came_in_place_of_answers_is_said():
    call = {"choices": [{"message": {"content": None, "tool_calls": [{}]}, "finish_reason": "tool_calls"}]}
    report, _ = served(answer(200, call))
    assert "Of the server's replies to new questions, 4 had: a tool call in place of an answer." in report.notes
    assert (report.rows[0].right, report.rows[0].unfinished_thoughts) == (0, 0)


def test_methods_that_need_weights_are_refused_before_anything_is_asked():
    with pytest.raises(UsageError, match="needs the weights"):
        served(methods=("swir",))
