"""The decoding loop over a batch, a callable for `model.generate(custom_generate=...)` of transformers. Knows no text.

It stands where transformers' own sampling loop stands, so padding, masks, positions and caches of any architecture are
prepared by transformers; a control (`control.py`) decides for every sequence what is emitted and read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modelprov.behavior.generation.control import Control, Decision, control_of
from modelprov.behavior.generation.interface import Method, Step, Trace
from modelprov.behavior.generation.sampling import choose, distribution, draws, soften
from modelprov.behavior.generation.vocabulary import Vocabulary
from modelprov.called import called
from modelprov.errors import UsageError


@dataclass
class Running:
    """What one sequence has become so far; `room` is the most tokens that the model's context leaves it."""

    control: Control
    room: int | None = None
    tokens: list[int] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    latent: int = 0
    injected: int = 0
    entropy: float = 0.0
    finished: bool = False

    def add(self, decision: Decision, entropy: float, eos: frozenset[int], keep: bool) -> bool:
        """Take a step in; whether the sequence goes on."""
        self.tokens.append(decision.token)
        self.latent += decision.latent
        self.injected += decision.injected
        self.entropy += entropy
        self.finished = decision.token in eos
        if keep:
            self.steps.append(Step(decision.token, decision.latent, entropy))
        return not (self.finished or decision.stop or len(self.tokens) == self.room)

    def trace(self) -> Trace:
        """Counts of what happened."""
        length = len(self.tokens)
        return Trace(
            latent_steps=self.latent,
            explicit_steps=length - self.latent,
            switches_to_explicit=self.control.to_explicit,
            switches_to_latent=self.control.to_latent,
            mean_entropy=self.entropy / length if length else 0.0,
            injected_tokens=self.injected,
            steps=tuple(self.steps),
        )


class Decoder:
    """Generates with one method; give it to `model.generate(..., custom_generate=decoder)`.

    The method's `Sampling` chooses tokens; logits processors of the generation config (temperature, penalties, ...) are
    not applied, because a result must be described by its method alone. Row i of the batch draws from the generator of
    (`seed`, `indices[i]`), i where `indices` is not given. `eos` are the ids that end a sequence; it also ends where it
    fills `context` tokens together with its prompt. After a call,
    `sequences` holds tokens and traces of its rows; the call returns prompts and answers as transformers does, padded.
    """

    def __init__(
        self, method: Method, vocabulary: Vocabulary | None, eos: Sequence[int], seed: int,
        indices: Sequence[int] | None = None, keep_steps: bool = False, context: int | None = None,
    ):  # fmt: skip
        self._method, self._vocabulary, self._eos = method, vocabulary, frozenset(eos)
        self._seed, self._indices, self._keep, self._context = seed, indices, keep_steps, context
        self.sequences: list[Running] = []

    def __call__(
        self, model: Any, input_ids: Any, logits_processor: Any = None, stopping_criteria: Any = None,  # noqa: ARG002
        generation_config: Any = None, synced_gpus: bool = False, **model_kwargs: Any,
    ) -> Any:  # fmt: skip
        """Generate after `input_ids` [sequences, prompt]; the signature is that of transformers' own loop."""
        import torch

        _check(model, stopping_criteria, synced_gpus, model_kwargs)
        batch, width = input_ids.shape
        limit = int(generation_config.max_length) - width
        soft = self._method.soft
        each = 1 if soft is None else soft.draws(self._method.sampling)
        uniform = draws(self._seed, self._indices or range(batch), limit * each).to(input_ids.device)
        uniform = uniform.reshape(batch, limit, each)
        prompts = _prompts(input_ids, model_kwargs.get("attention_mask"))
        self.sequences = [
            Running(
                control_of(self._method, self._vocabulary, prompt, limit),
                None if self._context is None else self._context - len(prompt),
            )
            for prompt in prompts
        ]
        table = Embeddings(model) if self._method.swir is not None or soft is not None else None

        rows = list(range(batch))  # which sequence each row of the tensors belongs to; None once it is over
        alive: list[bool] = [True] * batch
        outputs = model._prefill(input_ids, generation_config, model_kwargs)
        for number in range(limit):
            model_kwargs = model._update_model_kwargs_for_generation(outputs, model_kwargs)
            probabilities, chosen, entropies = self._look(outputs.logits[:, -1], uniform[rows, number])
            decisions = []
            for place, row in enumerate(rows):
                if alive[place]:
                    sequence = self.sequences[row]
                    decision = sequence.control.step(number, chosen[place], entropies[place])
                    alive[place] = sequence.add(decision, entropies[place], self._eos, self._keep)
                decisions.append(decision if alive[place] else Decision(chosen[place]))
            if not any(alive) or number == limit - 1:
                break
            if 2 * sum(alive) <= len(alive):  # so each row of the cache is copied at most once over, all in all
                keep = [place for place, one in enumerate(alive) if one]
                rows, decisions = [rows[one] for one in keep], [decisions[one] for one in keep]
                probabilities = probabilities[keep]
                _select(model_kwargs, torch.tensor(keep, device=input_ids.device))
                alive = [True] * len(keep)
            tokens = torch.tensor([[one.token] for one in decisions], device=input_ids.device)
            inputs = model.prepare_inputs_for_generation(tokens, **model_kwargs)
            if table is not None and any(one.soft for one in decisions):
                inputs["inputs_embeds"] = table.inputs(tokens, decisions, probabilities)
                inputs["input_ids"] = None
            outputs = model(**inputs, return_dict=True)
        return self._padded(input_ids, generation_config)

    def _look(self, logits: Any, uniform: Any) -> tuple[Any, list[int], list[float]]:
        """Distribution, chosen tokens and entropies of the rows; raises `UsageError` for logits that are no numbers."""
        import torch

        settings = self._method.swir
        reference, given = settings is not None and settings.compat == "reference", logits.dtype
        logits = logits if reference else logits.to(torch.promote_types(logits.dtype, torch.float32))
        probabilities, entropies = distribution(logits)
        if entropies.isnan().any():
            raise UsageError(
                "the logits of this model are not numbers: any token drawn from them would be an accident",
                f"Its weights are damaged, or {given} overflows: then {called('dtype', 'float32')} helps.",
            )
        if self._method.soft is not None:
            mixture, chosen = soften(logits, uniform, self._method.sampling, self._method.soft)
            return mixture, chosen.tolist(), entropies.tolist()
        uniform = uniform[:, 0]
        chosen = choose(logits, uniform, self._method.sampling, absolute_min_p=reference)
        return probabilities, chosen.tolist(), entropies.tolist()

    def _padded(self, input_ids: Any, generation_config: Any) -> Any:
        import torch

        pad = generation_config.pad_token_id
        answers = [torch.tensor(one.tokens, dtype=torch.long) for one in self.sequences]
        answer = torch.nn.utils.rnn.pad_sequence(answers, batch_first=True, padding_value=0 if pad is None else pad)
        return torch.cat([input_ids, answer.to(input_ids)], dim=1)


class Embeddings:
    """The input embeddings of a model, and mixtures of them."""

    def __init__(self, model: Any):
        import torch

        self._layer = model.get_input_embeddings()
        self._weight = self._layer.weight
        self._scale = getattr(self._layer, "embed_scale", 1.0)
        probe = torch.arange(min(4, self._weight.shape[0]), device=self._weight.device)
        expected = self._weight[probe] * self._scale
        if not torch.allclose(self._layer(probe).float(), expected.float(), rtol=1e-2, atol=1e-6):
            raise UsageError(
                f"{type(model).__name__} does more to its input embeddings than scale them",
                "SwiReasoning needs a model that reads embeddings; use the method cot.",
            )

    def inputs(self, tokens: Any, decisions: Sequence[Decision], probabilities: Any) -> Any:
        """What the model reads next, [rows, 1, hidden]: p E is computed for the rows that need it only."""
        import torch

        found = self._layer(tokens)
        places = [place for place, one in enumerate(decisions) if one.soft]
        mixed = [decisions[place] for place in places]
        mean = (probabilities[places] if len(places) < len(decisions) else probabilities).to(self._weight.dtype)
        mean = mean @ self._weight[: mean.shape[-1]] * self._scale
        other = self._layer(torch.tensor([one.other for one in mixed], device=tokens.device))
        exact = {"dtype": torch.promote_types(found.dtype, torch.float32), "device": tokens.device}
        soft = torch.tensor([[one.soft] for one in mixed], **exact)
        rest = torch.tensor([[one.other_weight] for one in mixed], **exact)
        found[places, 0] = (soft * mean).to(found.dtype) + (rest * other).to(found.dtype)
        return found


def context_of(model: Any) -> int | None:
    """The most tokens of prompt and answer that a model was made for; None where its config does not say."""
    config = model.config.get_text_config()
    said = getattr(config, "max_position_embeddings", None)
    scaling = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    factor, before = scaling.get("factor"), scaling.get("original_max_position_embeddings")
    return max(said, int(factor * before)) if said and factor and before else said


def _prompts(input_ids: Any, mask: Any) -> list[list[int]]:
    """The prompts without padding."""
    if mask is None:
        return list(input_ids.tolist())
    return [row[keep].tolist() for row, keep in zip(input_ids, mask.bool(), strict=True)]


def _select(model_kwargs: dict[str, Any], keep: Any) -> None:
    """Drop the rows of finished sequences from everything that is kept between steps."""
    for name in ("cache", "past_key_values"):
        if model_kwargs.get(name) is not None:
            model_kwargs[name].reorder_cache(keep)
    for name in ("attention_mask", "token_type_ids"):
        if model_kwargs.get(name) is not None:
            model_kwargs[name] = model_kwargs[name][keep]
    positions = model_kwargs.get("position_ids")
    if positions is not None:
        model_kwargs["position_ids"] = positions.index_select(positions.dim() - 2, keep)


def _check(model: Any, stopping_criteria: Any, synced_gpus: bool, model_kwargs: dict[str, Any]) -> None:
    """Raise `UsageError` for what this loop does not do."""
    known = {"MaxLengthCriteria", "EosTokenCriteria"}
    foreign = [type(one).__name__ for one in stopping_criteria or () if type(one).__name__ not in known]
    if foreign:
        raise UsageError(f"stopping criteria {', '.join(foreign)} are not supported here", "Leave them out.")
    if model.config.is_encoder_decoder or model_kwargs.get("inputs_embeds") is not None:
        raise UsageError("this generates with decoder-only models from token ids", "Give a causal language model.")
    if synced_gpus or not model_kwargs.get("use_cache", True):
        raise UsageError("this needs a cache and one process", "Leave use_cache and synced_gpus as they are.")
