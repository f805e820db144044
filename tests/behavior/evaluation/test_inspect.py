"""inspect_ai finds modelprov's models by their entry point and runs a task with them."""

from __future__ import annotations

import pytest

inspect_ai = pytest.importorskip("inspect_ai")


def test_a_task_of_inspect_runs_with_a_method_and_keeps_thought_and_answer_apart(tiny, tmp_path):
    from inspect_ai.dataset import Sample
    from inspect_ai.model import get_model
    from inspect_ai.scorer import includes

    model = get_model(f"modelprov/{tiny}", method="swir", max_new_tokens=6, device="cpu", memoize=False)
    task = inspect_ai.Task(
        dataset=[Sample(input="1 + 1?", target="2"), Sample(input="2?", target="2")], scorer=includes()
    )
    (log,) = inspect_ai.eval(task, model=model, log_dir=str(tmp_path), display="none", epochs=2)
    assert log.status == "success"
    outputs = [sample.output for sample in log.samples]
    assert len(outputs) == 4
    assert all(0 < one.usage.output_tokens <= 6 for one in outputs)
    assert any(one.metadata["latent_steps"] > 0 for one in outputs)
    assert {one.stop_reason for one in outputs} <= {"stop", "max_tokens"}
    texts = {sample.id: set() for sample in log.samples}
    for sample in log.samples:
        texts[sample.id].add(str(sample.output.choices[0].message.content))
    assert any(len(different) == 2 for different in texts.values()), "a second epoch draws anew"


def test_the_same_question_gets_the_answer_that_modelprov_eval_gives(tiny, loaded):
    import asyncio

    from inspect_ai.model import ChatMessageUser, GenerateConfig

    from modelprov.behavior.evaluation.answering import Asking, Prompt, answer_all, prompt_ids, settings_of
    from modelprov.behavior.evaluation.inspect_model import ModelprovAPI
    from modelprov.behavior.evaluation.log import AnswerLog
    from modelprov.behavior.evaluation.methods import plan
    from modelprov.behavior.evaluation.question import Question

    api = ModelprovAPI(str(tiny), method="cot", max_new_tokens=6, device="cpu")
    theirs = asyncio.run(api.generate([ChatMessageUser(content="1 + 1?")], [], "none", GenerateConfig()))
    (condition,), _ = plan(("cot",), (), 1, {"max_new_tokens": 6})
    ids = prompt_ids(loaded, Question("1", "1 + 1?", "2", "numeric"), Asking())
    log = AnswerLog(None, (), settings_of(loaded, condition, Asking()))
    (ours,) = answer_all(loaded, [Prompt("1", ids)], condition, Asking(), log)
    assert theirs.usage.output_tokens == ours.tokens
    assert theirs.choices[0].message.text == (ours.final or "")
