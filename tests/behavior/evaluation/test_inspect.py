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


def test_what_inspect_asks_for_is_obeyed_or_named():
    from modelprov.behavior.evaluation.inspect_settings import obeyed

    settings, said = obeyed("cot", {"max_tokens": 8, "temperature": 0.2, "top_k": 5, "max_retries": 3}, {"top_p": 0.5})
    assert (settings, said) == ({"max_new_tokens": 8, "temperature": 0.2, "top_k": 5, "top_p": 0.5}, [])
    assert obeyed("cot", {"temperature": 0.0}, {}) == ({"greedy": True}, [])
    assert obeyed("cot-greedy", {"temperature": 0.0}, {}) == ({}, [])
    assert obeyed("cot-budget", {"reasoning_tokens": 4}, {}) == ({"thinking_budget": 4}, [])
    for method, config, own in [
        ("cot", {"stop_seqs": ["x"]}, {}),
        ("cot", {"reasoning_tokens": 4}, {}),
        ("cot", {"max_tokens": 8}, {"max_new_tokens": 9}),
        ("cot-greedy", {"top_p": 0.5}, {}),
        ("cot", {"top_p": 0.5}, {"greedy": True}),
    ]:
        settings, said = obeyed(method, config, own)
        assert settings == own
        assert [text.split()[0] for text in said] == list(config)


VALUES = {
    "max_tokens": 3, "temperature": 0.25, "top_p": 0.5, "top_k": 7, "seed": 11, "reasoning_tokens": 2,
    "stop_seqs": ["x"], "logit_bias": {1: 5}, "best_of": 2, "num_choices": 2, "logprobs": True, "top_logprobs": 1,
    "prompt_logprobs": 1, "frequency_penalty": 0.5, "presence_penalty": 0.5, "verbosity": "low", "effort": "low",
    "reasoning_effort": "low", "reasoning_summary": "auto", "reasoning_history": "all", "extra_body": {"a": 1},
    "modalities": ["image"], "timeout": 3, "attempt_timeout": 3, "stream_idle_timeout": 3,
}  # fmt: skip


def test_every_setting_that_inspect_has_is_obeyed_named_or_none_of_an_answers(tiny, caplog):
    """Each field of `GenerateConfig` of the installed version, whatever it is: the next one will be named too."""
    import asyncio

    from inspect_ai.model import ChatMessageUser, GenerateConfig

    from modelprov.behavior.evaluation.inspect_model import ModelprovAPI
    from modelprov.behavior.evaluation.inspect_settings import AROUND, CLOCKS, OBEYED, obeyed

    fields = set(GenerateConfig.model_fields)
    assert len(fields) > 30
    assert {*AROUND, *CLOCKS, *OBEYED, *VALUES, "seed", "reasoning_tokens"} <= fields
    api = ModelprovAPI(str(tiny), device="cpu", method="cot-budget")
    usual = asyncio.run(
        api.generate([ChatMessageUser(content="1?")], [], "none", GenerateConfig(max_tokens=2))
    ).metadata
    for name in sorted(fields - AROUND):
        if name not in VALUES:
            _, said = obeyed("cot-budget", {name: "anything"}, {})
            assert said[0].startswith(f"{name} is not obeyed"), name
            continue
        caplog.clear()
        given = GenerateConfig(**({"max_tokens": 2} | {name: VALUES[name]}))
        found = asyncio.run(api.generate([ChatMessageUser(content="1?")], [], "none", given)).metadata
        used = {**found["method"], **found["method"]["sampling"], "seed": found["seed"]}
        here = {**OBEYED, "seed": "seed", "reasoning_tokens": "thinking_budget"}.get(name)
        if here is not None:
            assert used[here] == VALUES[name] != {**usual["method"], **usual["method"]["sampling"], "seed": 0}[here]
            assert not caplog.records
        else:
            assert found == usual | {"latent_steps": found["latent_steps"], "switches": found["switches"]}
            assert f": {name} is not obeyed" in caplog.text


def test_settings_of_a_run_of_inspect_reach_the_answer_and_its_log(tiny, caplog):
    import asyncio

    from inspect_ai.model import ChatMessageUser, GenerateConfig

    from modelprov.behavior.evaluation.inspect_model import ModelprovAPI

    api = ModelprovAPI(str(tiny), device="cpu", config=GenerateConfig(max_tokens=3))
    asked = GenerateConfig(max_tokens=4, temperature=0.3, seed=7, presence_penalty=0.5)
    for _ in range(2):
        answer = asyncio.run(api.generate([ChatMessageUser(content="1 + 1?")], [], "none", asked))
    assert answer.usage.output_tokens <= 4
    method = answer.metadata["method"]
    assert (method["max_new_tokens"], method["sampling"]["temperature"], answer.metadata["seed"]) == (4, 0.3, 7)
    assert [each.message.partition(": ")[2].split()[0] for each in caplog.records] == ["presence_penalty"]
