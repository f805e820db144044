"""How work is spread: threads of this machine, nodes of a cluster. Engines know tasks and results, not weights."""
