"""From sums and fits to facts, from facts to a verdict, from the verdict to words. Reads no weights."""
