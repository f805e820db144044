"""A model for inspect_ai that generates with modelprov's methods: `inspect eval TASK --model modelprov/FOLDER`.

inspect_ai finds it through the entry point `inspect_ai`. Settings are given as model arguments:
`-M method=swir -M window=64 -M seed=1`. Importing this module needs the extra `inspect`.
"""

from __future__ import annotations

from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from modelprov.behavior.evaluation.answering import Asking, Prompt, answer_all, settings_of
from modelprov.behavior.evaluation.log import AnswerLog, Logged
from modelprov.behavior.evaluation.methods import Condition
from modelprov.errors import UsageError


class ModelprovAPI(ModelAPI):  # type: ignore[misc]
    """One local model with one method; an answer depends on (seed, prompt, how often it was asked) alone."""

    def __init__(
        self, model_name: str, base_url: str | None = None, api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008  (inspect_ai's own signature)
        method: str = "cot", seed: int = 0, device: str = "auto", **settings: Any,
    ) -> None:  # fmt: skip
        from modelprov.behavior.generation.generate import method_of
        from modelprov.behavior.loading import load_model

        super().__init__(model_name=model_name, base_url=base_url, api_key=api_key, config=config)
        self._model = load_model(model_name, device=device)
        limits = {"max_new_tokens": config.max_tokens} | settings
        self._condition = Condition(method_of(method, **limits), None, 1)
        self._asking = Asking(seed=seed, batch_size=1)
        self._asked: dict[str, int] = {}

    def max_connections(self) -> int:
        """One at a time: the model is here."""
        return 1

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002  (inspect_ai's own signature)
        tools: list[ToolInfo],
        tool_choice: ToolChoice,  # noqa: ARG002
        config: GenerateConfig,  # noqa: ARG002  (the method's settings say all)
    ) -> ModelOutput:
        """Answer one conversation; thinking and answer come back apart."""
        from modelprov.behavior.chat import render

        if tools:
            raise UsageError("modelprov's methods call no tools", "Choose a task without tools.")
        ids = tuple(render(self._model, [{"role": one.role, "content": one.text} for one in input]))
        asked = Prompt("", ids)
        sample = self._asked[asked.digest] = self._asked.get(asked.digest, -1) + 1
        with AnswerLog(None, (), settings_of(self._model, self._condition, self._asking)) as log:
            prompt = Prompt("", ids, sample)
            (answer,) = answer_all(self._model, [prompt], self._condition, self._asking, log)
        return self._output(answer, len(ids))

    def _output(self, answer: Logged, asked: int) -> ModelOutput:
        parts: list[Any] = [] if answer.thinking is None else [ContentReasoning(reasoning=answer.thinking)]
        parts.append(ContentText(text=answer.final or ""))
        message = ChatMessageAssistant(content=parts, model=self.model_name, source="generate")
        stopped = "stop" if answer.finished else "max_tokens"
        return ModelOutput(
            model=self.model_name,
            choices=[ChatCompletionChoice(message=message, stop_reason=stopped)],
            usage=ModelUsage(input_tokens=asked, output_tokens=answer.tokens, total_tokens=asked + answer.tokens),
            metadata={"latent_steps": answer.latent_steps, "switches": answer.switches},
        )


def _class_of_models() -> type[ModelAPI]:
    return ModelprovAPI


modelprov = modelapi(name="modelprov")(_class_of_models)
"""What inspect_ai makes models of, for `modelprov/...`."""
