"""Text that others wrote: how it is read within limits, and how it is shown. Knows no checkpoint, card or recipe."""
