"""Chat templates rendered in a limited child process: foreign code, treated as such."""
