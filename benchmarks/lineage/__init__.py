"""LineageRecipes: a labelled set of models with known histories, a scorer, and every peer on it; see its README.

`python -m benchmarks.lineage.run` is the one command. Nothing is stored but seeds and digests: a case is made again.
"""
