"""Searches for what would have given the same bits: recipes, other coordinates. Judges nothing."""
