"""Adapters on a base model: what a config asks for, which tensors it changes, and their bytes as merging makes them."""
