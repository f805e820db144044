"""Where weights come from: opens checkpoints, aligns their tensors, plans and reads blocks. Knows no forensics."""
