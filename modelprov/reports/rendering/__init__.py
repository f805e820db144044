"""From a document to text, a renderer a file; each knows blocks and no kind of report. Computes nothing."""
