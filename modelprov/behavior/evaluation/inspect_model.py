"""A model for inspect_ai that generates with modelprov's methods: `inspect eval TASK --model modelprov/FOLDER`.

inspect_ai finds it through the entry point `inspect_ai`. Settings are given as model arguments:
`-M method=swir -M window=64 -M seed=1`; those of inspect_ai that a method has (`--max-tokens`, `--temperature`,
`--top-p`, `--top-k`, `--seed`) are obeyed, and others that are set are named in a warning. Importing this module needs
the extra `inspect`.
"""

from __future__ import annotations

import logging
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
from modelprov.behavior.evaluation.inspect_settings import obeyed
from modelprov.behavior.evaluation.log import AnswerLog, Logged
from modelprov.behavior.evaluation.methods import Condition
from modelprov.called import parse_size
from modelprov.errors import UsageError


class ModelprovAPI(ModelAPI):  # type: ignore[misc]
    """One local model with one method; an answer depends on (seed, prompt, how often it was asked) alone."""

    def __init__(
        self, model_name: str, base_url: str | None = None, api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008  (inspect_ai's own signature)
        method: str = "cot", seed: int | None = None, device: str = "auto", memory: str | int | None = None,
        **settings: Any,
    ) -> None:  # fmt: skip
        from modelprov.behavior.loading import load_model

        super().__init__(model_name=model_name, base_url=base_url, api_key=api_key, config=config)
        most = None if memory is None else parse_size(str(memory), "the model argument memory")
        self._model = load_model(model_name, device=device, memory=most)
        if self._model.spread is not None:
            logging.getLogger(__name__).warning("modelprov/%s: %s", model_name, self._model.spread)
        self._method, self._settings, self._seed = method, settings, seed
        self._warned: set[str] = set()
        self._as_asked(config)  # says at once what is wrong with the settings
        self._asked: dict[str, int] = {}

    def max_connections(self) -> int:
        """One at a time: the model is here."""
        return 1

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002  (inspect_ai's own signature)
        tools: list[ToolInfo],
        tool_choice: ToolChoice,  # noqa: ARG002
        config: GenerateConfig,
    ) -> ModelOutput:
        """Answer one conversation; thinking and answer come back apart."""
        from modelprov.behavior.chat import render

        if tools:
            raise UsageError("modelprov's methods call no tools", "Choose a task without tools.")
        condition, asking = self._as_asked(config)
        ids = tuple(render(self._model, [{"role": one.role, "content": one.text} for one in input]))
        asked = Prompt("", ids)
        sample = self._asked[asked.digest] = self._asked.get(asked.digest, -1) + 1
        with AnswerLog(None, (), settings_of(self._model, condition, asking)) as log:
            prompt = Prompt("", ids, sample)
            (answer,) = answer_all(self._model, [prompt], condition, asking, log, told=self._say)
        return self._output(answer, len(ids), condition, asking.seed)

    def _as_asked(self, config: GenerateConfig) -> tuple[Condition, Asking]:
        """The method and seed that these settings ask for; what cannot be obeyed is said once."""
        from modelprov.behavior.generation.generate import method_of

        settings, said = obeyed(self._method, config.model_dump(exclude_none=True), self._settings)
        seed = self._seed if self._seed is not None else config.seed or 0
        if config.seed is not None and config.seed != seed:
            said.append(f"seed {config.seed} is not obeyed: the model argument seed says {seed}")
        for text in said:
            self._say(text)
        return Condition(method_of(self._method, **settings), None, 1), Asking(seed=seed, batch_size=1)

    def _say(self, text: str) -> None:
        """Warn, once of each."""
        if text not in self._warned:
            logging.getLogger(__name__).warning("modelprov/%s: %s", self.model_name, text)
        self._warned.add(text)

    def _output(self, answer: Logged, asked: int, condition: Condition, seed: int) -> ModelOutput:
        parts: list[Any] = [] if answer.thinking is None else [ContentReasoning(reasoning=answer.thinking)]
        parts.append(ContentText(text=answer.final or ""))
        message = ChatMessageAssistant(content=parts, model=self.model_name, source="generate")
        stopped = "stop" if answer.finished else "max_tokens"
        return ModelOutput(
            model=self.model_name,
            choices=[ChatCompletionChoice(message=message, stop_reason=stopped)],
            usage=ModelUsage(input_tokens=asked, output_tokens=answer.tokens, total_tokens=asked + answer.tokens),
            metadata={
                "latent_steps": answer.latent_steps,
                "switches": answer.switches,
                "method": condition.method.as_dict(),
                "seed": seed,
            },
        )


def _class_of_models() -> type[ModelAPI]:
    return ModelprovAPI


modelprov = modelapi(name="modelprov")(_class_of_models)
"""What inspect_ai makes models of, for `modelprov/...`."""
