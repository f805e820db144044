"""A model for lm-evaluation-harness that generates with modelprov's methods, registered there as `modelprov`.

Importing this module needs the extra `lm-eval`. Likelihood tasks are scored by the harness's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM

from modelprov.behavior.evaluation.answering import Asking, Generate, Prompt, answer_all, settings_of
from modelprov.behavior.evaluation.log import AnswerLog, Logged
from modelprov.behavior.evaluation.methods import Condition
from modelprov.behavior.loading import LocalModel, load_model
from modelprov.errors import UsageError


@register_model("modelprov")
class ModelprovLM(HFLM):  # type: ignore[misc]
    """`HFLM` whose `generate_until` thinks as `condition` says and keeps every answer in `log`.

    The text after the thinking is what the harness grades; for a thought that never ended it gets an empty text.
    `made` holds the answers by (task, number of the document, number of the request).
    """

    def __init__(
        self, pretrained: LocalModel | str, method: str = "cot", seed: int = 0, batch_size: int | str | None = None,
        device: str = "auto", condition: Condition | None = None, asking: Asking | None = None,
        log: AnswerLog | None = None, generate: Generate | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        from modelprov.behavior.generation.generate import method_of

        local = load_model(pretrained, device=device or "auto") if isinstance(pretrained, str) else pretrained
        self._local = local
        self._condition = condition or Condition(method_of(method, **settings), None, 1)
        self._asking = asking or Asking(seed=int(seed), batch_size=int(batch_size) if batch_size else None)
        self._log = log or AnswerLog(None, (), settings_of(local, self._condition, self._asking))
        self._generate = generate
        self.sample = 0
        self.on_answers: Callable[[int], None] = lambda _: None
        self.told: Callable[[str], None] = lambda _: None
        self.made: dict[tuple[str, int, int], Logged] = {}
        super().__init__(
            pretrained=local.model, tokenizer=local.tokenizer, batch_size=self._asking.batch_size or 1,
            trust_remote_code=False,
        )  # fmt: skip

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The harness's conversation as text, rendered in the model's sandboxed process.

        Where the template refuses it, once more without a system message, as the harness does.
        """
        from modelprov.behavior.chat import render_text

        def rendered(messages: list[dict[str, str]]) -> str:
            given = dict(self.chat_template_args)
            return render_text(
                self._local, messages, self._asking.template, begun=not add_generation_prompt, **given
            )  # fmt: skip

        try:
            return rendered(chat_history)
        except UsageError:
            return rendered([message for message in chat_history if message["role"] != "system"])

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:  # noqa: ARG002
        """Answer every request, cut at the first of the task's stop texts; the task's sampling settings are not used.

        What a method does is said by its settings alone, so that the same method is the same thing in every task.
        """
        keys = [(str(one.task_name), int(one.doc_id), int(one.idx)) for one in requests]
        prompts = [
            Prompt(f"{task}/{document}", tuple(self.tok_encode(one.args[0])), self.sample)
            for (task, document, _), one in zip(keys, requests, strict=True)
        ]
        answers = answer_all(
            self._local,
            prompts,
            self._condition,
            self._asking,
            self._log,
            self.on_answers,
            self._generate,
            self.told,
        )
        self.made |= dict(zip(keys, answers, strict=True))
        return [_cut(answer.final or "", one.args[1]) for answer, one in zip(answers, requests, strict=True)]


def _cut(text: str, settings: Any) -> str:
    """The text before the first of the stop texts."""
    given = settings.get("until", []) if isinstance(settings, dict) else []
    stops = [given] if isinstance(given, str) else list(given or [])
    for stop in stops:
        if stop:
            text = text.partition(stop)[0]
    return text
