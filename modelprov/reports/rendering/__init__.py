"""From a document to bytes, a renderer a file. Computes nothing."""
