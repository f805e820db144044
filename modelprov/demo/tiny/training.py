"""Trains the members of the family on one CPU thread, with the loss on the answers only. Needs the extra `behavior`."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from modelprov.demo.tiny.conversations import Conversation, conversation
from modelprov.demo.tiny.members import ARCHITECTURE, BATCH, Architecture, Member

POOL = 8
"""So many batches are drawn at once and sorted by length, so that little is padding."""
WARM_UP = 30
IGNORED = -100

Progress = Callable[[str, int, int, float], None]
"""Called after each step with the member, the step, how many there are, and the loss."""


def new_model(tokenizer: Any, seed: int, sizes: Architecture = ARCHITECTURE) -> Any:
    """An untrained Qwen3 model in float32."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    settings = Qwen3Config(
        vocab_size=sizes.vocabulary, hidden_size=sizes.hidden, num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads, num_key_value_heads=sizes.kv_heads, head_dim=sizes.head_width,
        intermediate_size=sizes.feed_forward, max_position_embeddings=sizes.positions, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return Qwen3ForCausalLM(settings)


def train(model: Any, tokenizer: Any, member: Member, on_progress: Progress | None = None) -> float:
    """Train `model` in place as `member` says (AdamW, cosine); returns the last loss, in nats a token.

    The same seed and versions give the same weights on the same kind of machine.
    """
    import torch

    random_state = random.Random(member.seed)
    torch.manual_seed(member.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=member.learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, member.steps))
    model.train()
    batches: list[list[tuple[list[int], list[int]]]] = []
    loss = math.nan
    for step in range(member.steps):
        if not batches:
            batches = _batches(member, tokenizer, random_state)
        ids, mask, labels = _padded(batches.pop(), tokenizer.pad_token_id)
        found = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        optimiser.zero_grad()
        found.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        loss = found.item()
        if on_progress is not None:
            on_progress(member.key, step + 1, member.steps, loss)
    model.eval()
    return loss


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate: linear at first, then half a cosine down to nothing."""
    return min((step + 1) / WARM_UP, 0.5 * (1 + math.cos(math.pi * step / steps)))


def _batches(member: Member, tokenizer: Any, random_state: random.Random) -> list[list[tuple[list[int], list[int]]]]:
    drawn = [_encoded(conversation(member, random_state), tokenizer) for _ in range(POOL * BATCH)]
    drawn.sort(key=lambda one: len(one[0]) + len(one[1]))
    batches = [drawn[start : start + BATCH] for start in range(0, len(drawn), BATCH)]
    random_state.shuffle(batches)
    return batches


def _encoded(one: Conversation, tokenizer: Any) -> tuple[list[int], list[int]]:
    prompt = tokenizer(one.prompt, add_special_tokens=False)["input_ids"]
    answer = tokenizer(one.answer, add_special_tokens=False)["input_ids"]
    return prompt, [*answer, tokenizer.eos_token_id]


def _padded(batch: list[tuple[list[int], list[int]]], pad: int) -> tuple[Any, Any, Any]:
    """Ids, attention mask and labels, [batch, longest]; prompts and padding are not learnt."""
    import torch

    longest = max(len(prompt) + len(answer) for prompt, answer in batch)
    ids = torch.full((len(batch), longest), pad)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for row, (prompt, answer) in enumerate(batch):
        stop = len(prompt) + len(answer)
        ids[row, :stop] = torch.tensor(prompt + answer)
        mask[row, :stop] = 1
        labels[row, len(prompt) : stop] = torch.tensor(answer)
    return ids, mask, labels
