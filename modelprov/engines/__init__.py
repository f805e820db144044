"""How work is spread: threads of this machine today. Engines know tasks and results, not weights."""
