"""The names of the files beside a model's weights, as transformers and the makers' own programs look for them.

Names only: which of them hold what. Reads nothing.
"""

from __future__ import annotations

from typing import Final

CONFIG: Final = "config.json"
PARAMS: Final = "params.json"
"""The config of a model as Meta and Mistral ship it."""
GENERATION: Final = "generation_config.json"
VOCABULARY: Final = "tokenizer.json"
TOKENIZER_SETTINGS: Final = "tokenizer_config.json"
TEMPLATE: Final = "chat_template.jinja"
TEMPLATE_IN_JSON: Final = "chat_template.json"
MORE_TEMPLATES: Final = "additional_chat_templates"
"""A folder."""
ADAPTER_CONFIG: Final = "adapter_config.json"

TOKENIZER: Final = (
    VOCABULARY, TOKENIZER_SETTINGS, "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tekken.json",
    "tiktoken.model", TEMPLATE, TEMPLATE_IN_JSON,
)  # fmt: skip
"""What turns text into tokens, templates among it."""
OTHER_VOCABULARIES: Final = tuple(
    name for name in TOKENIZER if name.endswith((".model", ".txt")) or "vocab.json" in name
)
"""Those of them that hold tokens in forms of their own, beside tokenizer.json or in its place."""
PROCESSORS: Final = (
    "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json", "image_processor.json",
)  # fmt: skip
"""What turns images and sound into a model's input."""
HOLD_TEMPLATES: Final = (TOKENIZER_SETTINGS, "processor_config.json", "preprocessor_config.json", TEMPLATE_IN_JSON)
"""JSON files in which a chat template may stand, in the order in which transformers prefers them."""
