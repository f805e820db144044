"""Tests of the renderers: every one is run on the same sample reports."""
