"""Results told once as documents, and shown by one renderer a medium. Computes nothing."""
