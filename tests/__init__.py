"""The tests, by room; `factories.py` builds checkpoints for all of them."""
