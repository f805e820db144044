"""What others can check without us: attestations, bills of materials, the recheck of a report."""
