"""Merge methods that are no weighted sum, found by their marks and claimed by their bits. A family a file."""
