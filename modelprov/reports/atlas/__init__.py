"""What the entries of a library are to each other: told once."""
