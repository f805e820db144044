"""What tensors are: names, roles, components, alignment."""
