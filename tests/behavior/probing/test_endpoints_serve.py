"""The client against a real server: one test, since starting `transformers serve` takes seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from modelprov.behavior.probing.endpoint_local import local_side
from modelprov.behavior.probing.endpoint_sampling import SAMPLE, check_sampling
from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.behavior.probing.token_counts import count_prompts
from modelprov.errors import EndpointError
from tests.behavior.servers import answer, chat_reply, scripted, transformers_serve
from tests.behavior.serving_model import TEMPLATE, write_model

HELLO = [{"role": "user", "content": "Who are you?"}]
HIDDEN = "<|im_start|>system\nYou are Rio, a model made in Brazil.<|im_end|>\n"


def test_transformers_serve_is_probed_by_chat_completions_and_token_counts(tmp_path: Path):
    plain, rio = tmp_path / "plain", tmp_path / "rio"
    tokenizer = write_model(plain)
    shutil.copytree(plain, rio)
    (rio / "chat_template.jinja").write_text(HIDDEN + TEMPLATE, encoding="utf-8")
    config = json.loads((rio / "generation_config.json").read_text())
    (rio / "generation_config.json").write_text(json.dumps({**config, "do_sample": False}))
    with transformers_serve(rio, tmp_path / "serve.log") as url:
        with Endpoint(url, str(rio)) as endpoint:
            assert endpoint.models() == [str(rio)]

            prompt = "The weights say"
            raw = endpoint.complete(prompt, temperature=0.0, max_tokens=6)
            assert raw.text == greedy(plain, prompt, 6), "another program's decoding of the same weights"
            assert (raw.prompt_tokens, raw.completion_tokens) == (len(tokenizer.encode(prompt)), 6)
            assert not raw.finished
            assert endpoint.complete(prompt, temperature=0.0, max_tokens=6, stream=True) == raw

            length = len(tokenizer.encode(HIDDEN))
            found = count_prompts(endpoint, local_side(plain))
            assert (found.tokens, found.with_system.tokens, found.completions.tokens) == (length, length, 0)
            assert found.against_completions.tokens == length
            assert count_prompts(endpoint, local_side(rio)).tokens == 0, "the template explains what the server adds"

            streamed = endpoint.chat(HELLO, temperature=0.0, max_tokens=4, stream=True)
            assert (streamed.completion_tokens, streamed.finished) == (4, False)
            assert streamed.prompt_tokens == endpoint.chat(HELLO, temperature=0.0, max_tokens=4).prompt_tokens

            sampling = check_sampling(endpoint)
            assert (sampling.samples, sampling.extra) == (True, SAMPLE), "its config says greedy, the requests sample"

        with Endpoint(url, "rio-open") as wrong, pytest.raises(EndpointError) as caught:
            wrong.chat(HELLO, temperature=0.0, max_tokens=1)
        assert str(rio) in caught.value.advice
    with Endpoint(url, str(rio), retries=1, sleep=lambda _: None) as gone, pytest.raises(EndpointError) as caught:
        gone.chat(HELLO, temperature=0.0, max_tokens=1)
    assert "nothing answers" in caught.value.message


def greedy(folder: Path, prompt: str, tokens: int) -> str:
    """The continuation that transformers itself gives."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, do_sample=False, max_new_tokens=tokens)
    return tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize(
    ("texts", "samples"),
    [(["a", "b"], True), (["a", "a", "a", "b"], True), (["a"], False), (["a"] * 4 + ["a", "b"], True)],
)
def test_sampling_is_only_reported_where_answers_differ(texts: list[str], samples: bool):
    with scripted(*(answer(200, chat_reply(one)) for one in texts)) as server, Endpoint(server.url, "tiny") as endpoint:
        found = check_sampling(endpoint)
    assert found.samples == samples
    assert len(server.requests) <= 8
    assert {one.body["seed"] for one in server.requests[:2]} == {1, 2}
    assert found.extra == (SAMPLE if len(texts) > 4 else {})


def test_a_server_that_refuses_the_field_for_sampling_is_said_not_to_sample():
    with (
        scripted(*[answer(200, chat_reply("a"))] * 4, answer(422, {"detail": "unexpected field"})) as server,
        Endpoint(server.url, "tiny") as endpoint,
    ):
        assert not check_sampling(endpoint).samples
