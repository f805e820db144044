"""Really trained families: tiny decoders trained on the spot, merged by mergekit, compared as labelled triples.

`python -m benchmarks.trained.family --pool DIR` trains, `python -m benchmarks.trained.run --pool DIR` judges.
"""
