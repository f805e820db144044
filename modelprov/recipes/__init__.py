"""How weights are combined: arithmetics, recipes, their words. Below forensics and merge."""
