"""What the model does: SwiReasoning generation, the evaluation harness, identity probes. Needs the extra `behavior`."""
