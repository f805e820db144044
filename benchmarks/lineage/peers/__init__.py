"""Adapters: each asks one tool about a case and says its answer in the set's words. None of them knows the label.

Tools that were published as a statistic are written anew from their papers (`awm`, `model_tracing`, `sionic`,
`least_squares`); programs run as they are, in an environment of their own (`programs`). What a tool does not say is
left out, never guessed.
"""
