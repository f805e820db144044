"""The command line: parses, calls one function, renders, sets the exit code. Computes nothing."""
