"""The results of `eval`, told in every format."""
