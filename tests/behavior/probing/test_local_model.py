"""A real (tiny, random) model is asked; its probabilities of names against an oracle."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from modelprov.behavior.loading import LocalModel, load_model  # noqa: E402
from modelprov.behavior.probing.arms import BARE, SHIPPED, STRIPPED, Prompt  # noqa: E402
from modelprov.behavior.probing.name_tokens import name_log_probabilities  # noqa: E402
from modelprov.behavior.probing.names import parse_names  # noqa: E402
from modelprov.behavior.probing.questions import questions  # noqa: E402
from modelprov.behavior.probing.speakers import Asked, How  # noqa: E402
from modelprov.behavior.probing.subjects import local_subject  # noqa: E402
from tests.behavior.probing.models import CHATML, RIO, write_model  # noqa: E402

NAMES = parse_names(["Rio", "Nex=Nex-AGI"])
ASKED = questions(NAMES, ("en",), quick=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    return load_model(str(write_model(tmp_path_factory.mktemp("model") / "rio", RIO)), device="cpu", dtype="float32")


def test_the_shipped_prompt_is_what_transformers_renders_and_the_stripped_one_is_without_the_hidden_text(model):
    speaker = local_subject(model, "suspect", 4).speaker
    messages = [{"role": "user", "content": ASKED[0].text}]
    expected = model.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert speaker.prompts(SHIPPED, ASKED)[0].text == expected
    plain = model.tokenizer.apply_chat_template(
        messages, chat_template=CHATML, tokenize=False, add_generation_prompt=True
    )
    assert speaker.prompts(STRIPPED, ASKED)[0].text == plain


def test_what_is_known_of_a_model_holds_its_digest_its_template_and_its_hidden_prompt(model):
    about = local_subject(model, "suspect", 4).about
    assert about.digest == model.digest
    assert [one.text for one in about.hidden_prompts] == ["You are Rio, a model of the city."]
    assert [one.used for one in about.templates] == [True]
    assert "Rio" not in about.stripped_template
    assert about.code == ()


def test_sampled_answers_do_not_depend_on_the_batch_nor_on_what_else_is_asked(model):
    speaker = local_subject(model, "suspect", 4).speaker
    prompts = speaker.prompts(BARE, ASKED)
    each = [Asked(prompt, asked, number) for prompt, asked in zip(prompts, ASKED, strict=True) for number in (0, 1)][:8]
    how = How(1.0, 6)
    together = speaker.answer(each, how, 3)
    assert speaker.answer(each[5:6], how, 3) == together[5:6]
    assert together[0] != together[1]
    assert speaker.answer(each, how, 4) != together


def test_log_probabilities_are_those_of_a_plain_forward_pass(model):
    prompts = local_subject(model, "suspect", 4).speaker.prompts(SHIPPED, ASKED)
    found = name_log_probabilities(model, SHIPPED, ASKED, prompts, NAMES, batch_size=3)
    assert [(one.name, one.alias) for one in found] == [
        ("Rio", "Rio"),
        ("Nex", "Nex"),
        ("Nex", "Nex-AGI"),
        ("Zorb", "Zorb"),
    ]
    chosen = [prompt.text for prompt, asked in zip(prompts, ASKED, strict=True) if asked.kind == "name"][:4]
    for one in found:
        total = 0.0
        for prompt in chosen:
            stem = model.tokenizer.encode(f"{prompt}I am", add_special_tokens=False)
            ids = model.tokenizer.encode(f"{prompt}I am {one.alias}", add_special_tokens=False)
            assert ids[: len(stem)] == stem
            with torch.inference_mode():
                logs = model.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
            total += sum(float(logs[at - 1, ids[at]]) for at in range(len(stem), len(ids)))
        assert one.whole == pytest.approx(total / len(chosen), abs=1e-4)
        assert one.first_token >= one.whole
        assert one.questions == len(chosen)


def test_a_thought_that_the_prompt_opens_is_closed_before_the_name(model):
    scores = [
        [one.whole for one in name_log_probabilities(model, SHIPPED, ASKED, [Prompt(text=text)] * len(ASKED), NAMES)]
        for text in ("x<think>\n", "x<think>\n\n</think>\n\n", "x")
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert scores[0] != pytest.approx(scores[2], abs=1e-5)


def test_messages_for_a_server_have_no_probabilities(model):
    assert name_log_probabilities(model, SHIPPED, ASKED, [Prompt(messages=())] * len(ASKED), NAMES) == ()
