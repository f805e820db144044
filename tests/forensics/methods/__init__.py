"""Tests of the search for merge methods: each is found by what `recipes/methods` makes, through the whole pipeline."""
