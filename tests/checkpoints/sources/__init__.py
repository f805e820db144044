"""Tests of opening, naming and aligning checkpoints."""
