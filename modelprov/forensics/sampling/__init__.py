"""A small seeded sample of the weights: chosen, read, decoded. Fits nothing."""
