"""How many sequences go at a time: as many as memory holds, half of them after it ran out. Generates nothing.

What a sequence takes is computed from the model's config, before it is tried: its cache of keys and values, logits over
the vocabulary, and what its prompt needs while it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from modelprov.behavior.loading import LocalModel
from modelprov.behavior.memory import free_memory, in_words, let_go, ran_out
from modelprov.behavior.placing import places
from modelprov.errors import UsageError

Found = TypeVar("Found")

USUAL: Mapping[str, int] = {"cpu": 8}
USUAL_GPU = 64
"""Sequences at a time where nobody says and memory holds them. On a processor more of them are hardly faster, and a
stopped run loses a batch."""

USED = 0.8
"""Of the memory that is free, the share that a batch is planned for: tensors are copied when they grow."""

LOGITS = 6
"""Float32 tensors over the vocabulary that a step holds at once: logits, softmax, its logarithm, mixture, ..."""

HIDDEN, INNER = 8, 3
"""Tensors of the hidden and of the inner size that a layer holds while a prompt is read."""


@dataclass
class Batches:
    """The sizes of one run: at most `most` (None: `USUAL`), and what was found on the way.

    `say` hears a sentence whenever memory runs out, while the run goes on.
    """

    most: int | None = None
    say: Callable[[str], None] | None = None
    _held: tuple[int, int, int] | None = None
    _ran_out: int | None = None
    _asked: int = field(default=0, init=False)

    def over(
        self, model: LocalModel, lengths: Sequence[int], new: int, work: Callable[[Sequence[int]], Found]
    ) -> Iterator[tuple[Sequence[int], Found]]:
        """`work` of the places of each batch, shortest prompts first (little padding), with those places.

        `lengths` are the prompts' in tokens, `new` the most tokens of an answer. Where memory runs out, the same
        places go again, half as many at a time. Raises `UsageError` where it does not even hold one sequence, or `most`
        is below 1.
        """
        if self.most is not None and self.most < 1:
            raise UsageError(f"a batch of {self.most} is none", "Give a batch size of at least 1.")
        order = sorted(range(len(lengths)), key=lambda place: lengths[place])
        self._asked = min(self.most or _usual(model), max(1, len(order)))
        while order:
            size = self._size(model, [lengths[place] for place in order], new)
            batch = order[:size]
            try:
                found = work(batch)
            except Exception as error:
                if not ran_out(error):
                    raise
                refused = error if size == 1 else None
            else:
                yield batch, found
                order = order[size:]
                continue
            if refused is not None:  # outside of the clause above, whose frames hold the tensors
                raise UsageError(
                    f"the memory of {model.model.device} does not hold one answer of {model.label} "
                    f"({lengths[batch[0]]:,} tokens of prompt, {new:,} of answer)",
                    "Allow fewer new tokens, or run it on a machine with more memory.",
                ) from refused
            self._ran_out = size // 2
            if self.say is not None:
                self.say(
                    f"{model.label}: memory ran out at {size} answers at a time; the same go again, "
                    f"{self._ran_out} at a time"
                )
            let_go()

    def told(self, label: str) -> list[str]:
        """Sentences on what memory did to the size of batches; none where it did nothing."""
        said = []
        if self._held is not None:
            size, each, free = self._held
            answers = "answer" if size == 1 else "answers"
            said.append(
                f"{label}: {size} {answers} at a time, not {self._asked}: one takes about {in_words(each)} "
                f"and {in_words(free)} are free."
            )
        if self._ran_out is not None:
            said.append(
                f"{label}: memory ran out, so answers went on {self._ran_out} at a time. None was lost: those of the "
                "batch were made again, from the same random numbers."
            )
        return said

    def _size(self, model: LocalModel, lengths: Sequence[int], new: int) -> int:
        """How many of the next prompts, in rising length, go together."""
        free, size = _room(model), min(self._asked, self._ran_out or self._asked, len(lengths))
        fitting = size
        while fitting > 1 and fitting * sequence_bytes(model.model, lengths[fitting - 1], new) > USED * free:
            fitting -= 1
        if fitting < size and (self._held is None or fitting < self._held[0]):
            self._held = fitting, sequence_bytes(model.model, lengths[fitting - 1], new), free
        return fitting


def sequence_bytes(model: Any, prompt: int, new: int) -> int:
    """Bytes that one sequence of so many tokens of prompt and answer takes beside the weights: an estimate from above.

    Layers that look back over a window keep no more than it; others keep everything.
    """
    config, itemsize = model.config.get_text_config(), model.dtype.itemsize
    heads = getattr(config, "num_attention_heads", None) or 1
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    row = 2 * (getattr(config, "num_key_value_heads", None) or heads) * head
    if getattr(config, "kv_lora_rank", None):  # DeepSeek's latent attention: transformers keeps what it is expanded to
        row = heads * (config.qk_nope_head_dim + config.qk_rope_head_dim + config.v_head_dim)
    total, window = prompt + new, getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    kept = [min(total, window) if window and "full" not in kind else total for kind in kinds]
    cache = row * itemsize * (sum(kept) + max(kept))  # one layer is copied as it grows
    experts = getattr(config, "num_experts_per_tok", None) or 1
    inner = max(getattr(config, name, None) or 0 for name in ("intermediate_size", "moe_intermediate_size")) * experts
    reading = prompt * itemsize * (HIDDEN * config.hidden_size + INNER * inner) + prompt * prompt
    return int(cache + reading + LOGITS * 4 * config.vocab_size)


def _usual(model: LocalModel) -> int:
    return USUAL.get(model.model.device.type, USUAL_GPU)


def _room(model: LocalModel) -> int:
    """Bytes for sequences: what is free, and no more than was allowed beside the weights."""
    free, placed = free_memory(model.model.device), model.placement
    if placed is None or placed.room is None:
        return free
    return min(free, max(0, placed.room - places(model.model).get(str(model.model.device), 0)))
