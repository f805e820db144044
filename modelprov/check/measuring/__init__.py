"""Measures what claims are about: lineage, recipes, files, template. Believes no claim and judges nothing."""
