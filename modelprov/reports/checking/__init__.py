"""The results of `check`, told in every format."""
