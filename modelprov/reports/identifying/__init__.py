"""What a suspect is made of, of all that a library holds: told once."""
