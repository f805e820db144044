"""A family of tiny language models that were really trained: its data, training, shipped checkpoints and measures."""
