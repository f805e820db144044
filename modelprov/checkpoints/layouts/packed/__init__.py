"""How each program stores a matrix in several tensors of a safetensors file: one a file, found by names and shapes."""
