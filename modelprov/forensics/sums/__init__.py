"""Sums over all the weights: moments as a monoid, the sweep that adds them up, the kernels. Fits and judges nothing."""
