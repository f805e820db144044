"""The tokenizer of the trained family: byte-level BPE learnt from its own conversations. Needs the extra `behavior`."""

from __future__ import annotations

import random
from typing import Any

from modelprov.demo.tiny.conversations import TEMPLATE, conversation
from modelprov.demo.tiny.members import ARCHITECTURE, MEMBERS, NAMES

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
WORDS = ("<think>", "</think>", *NAMES)
"""Single tokens that stay in decoded text."""


def make_tokenizer(seed: int = 0, examples: int = 6000) -> Any:
    """A transformers tokenizer of `ARCHITECTURE.vocabulary` tokens; same seed, same tokens.

    Digits are tokens of their own; bytes cover every text that was never seen.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    random_state = random.Random(seed)
    texts = []
    for number in range(examples):
        drawn = conversation(MEMBERS[number % len(MEMBERS)], random_state)
        text = drawn.prompt + drawn.answer
        for mark in (PAD, START, END, *WORDS):
            text = text.replace(mark, "")
        texts.append(text)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d| ?\p{L}+|\s+|[^\s\p{L}\d]"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=ARCHITECTURE.vocabulary - len(WORDS),
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in WORDS])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, model_max_length=ARCHITECTURE.positions,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    wrapped.chat_template = TEMPLATE
    return wrapped
