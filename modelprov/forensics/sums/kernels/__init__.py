"""Kernels: moments of blocks in memory. One contract, several machines: numba, numpy (the oracle), Triton."""
