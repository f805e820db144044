"""What stored numbers mean: their codes, values and rounding cells; plain floats are the first members."""
