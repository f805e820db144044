"""The report of an inspection: what a checkpoint is. Formats an `Inspection`; computes nothing."""
