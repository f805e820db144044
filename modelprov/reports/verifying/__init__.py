"""The report of a verification: is a checkpoint what a recipe makes? Formats what was found; computes nothing."""
