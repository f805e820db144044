"""What stored numbers mean: values and rounding cells."""
