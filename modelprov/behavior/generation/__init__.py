"""How an answer is generated: SwiReasoning, budgets, traces. Knows no tasks and no probes."""
