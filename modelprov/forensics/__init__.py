"""What the weights say: pure numbers (moments), then evidence (estimators), then a verdict. Prints nothing."""
