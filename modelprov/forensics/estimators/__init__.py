"""Estimators of the mixing coefficient and of precision, an algorithm a file. None knows a verdict."""
