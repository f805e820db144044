"""A server of a tiny model that gives log-probabilities as real ones do: a few at a time, with or without a bias shown.

Written from the formats of OpenAI, vLLM and llama.cpp, knowing nothing of the client.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.behavior.servers import answer, serving


@contextmanager
def giving_logprobs(
    folder: Path, most: int = 20, *, shows_bias: bool = True, form: str = "openai", digits: int = 9,
    logits_of: Any = None, raw: bool = True,
) -> Iterator[str]:  # fmt: skip
    """Serve the model in `folder`, at most `most` log-probabilities at a time (more is refused with 400).

    `form` is openai (completions), llama.cpp (completions with lists and ids); without `raw` only conversations.
    `logits_of` takes a text's token ids in place of the model.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).float().eval()

    def logits(text: str) -> Any:
        ids = tokenizer.encode(text)
        if logits_of is not None:
            return logits_of(ids)
        with torch.inference_mode():
            return model(input_ids=torch.tensor([ids])).logits[0, -1].double()

    def top(text: str, bias: Mapping[str, float], count: int) -> list[tuple[int, float]]:
        values = logits(text)
        lifted = values.clone()
        for token, by in bias.items():
            lifted[int(token)] += by
        shown = torch.log_softmax(lifted if shows_bias else values, -1)
        return [(int(t), round(float(shown[t]), digits)) for t in torch.argsort(-shown)[:count]]

    def play(handler: Any, body: Any) -> None:
        if handler.command == "GET":
            answer(200, {"object": "list", "data": [{"id": "tiny"}]})(handler)
            return
        chat = handler.path.endswith("/chat/completions")
        if not chat and not raw:
            answer(404, {"detail": "Not Found"})(handler)
            return
        count = int(body.get("top_logprobs" if chat else "logprobs") or 0)
        if count > most:
            answer(400, {"error": {"message": f"logprobs {count} is more than {most}"}})(handler)
            return
        text = body["prompt"] if not chat else tokenizer.apply_chat_template(
            body["messages"], tokenize=False, add_generation_prompt=True
        )  # fmt: skip
        found = top(text, body.get("logit_bias") or {}, max(count, 1))
        said = tokenizer.decode([found[0][0]])
        listed = [{"id": t, "token": tokenizer.decode([t]), "logprob": value} for t, value in found]
        for each in listed if form == "openai" else ():
            del each["id"]
        content = {"content": [{**listed[0], "top_logprobs": listed}]}
        given: Any = {"top_logprobs": [{tokenizer.decode([t]): value for t, value in reversed(found)}]}
        choice = {"index": 0, "finish_reason": "length",
                  "logprobs": None if not count else content if chat or form != "openai" else given}  # fmt: skip
        choice |= {"message": {"role": "assistant", "content": said}} if chat else {"text": said}
        answer(200, {"id": "1", "choices": [choice]})(handler)

    with serving(play) as url:
        yield url
