"""What the system does to a run at the worst moment; each fault at any of its calls, for each job that writes."""
