"""The results of `probe`, told in every format."""
