"""A trained family with known histories, and how often the black-box test of `modelprov probe` is right about it.

`python -m benchmarks.answering.family --pool FILE` trains, `python -m benchmarks.answering.run --pool FILE` judges.
"""
