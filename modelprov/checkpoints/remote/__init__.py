"""Checkpoints that are not on this machine. Nothing outside this folder knows of HTTP, tokens or stores."""
