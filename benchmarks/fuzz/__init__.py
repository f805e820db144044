"""A coverage-guided fuzzer over every reader of foreign files: `python -m benchmarks.fuzz`, or `make fuzz`.

`readers` and `answers` say what is read and how, `seeds` and `documents` make valid files, `mutating` turns them into
lies by the `changing_*` of their form, with what is in `lies`. `trying` judges one input, `watching` what reading it
touches, `forms` whether it got beyond a first check; `counting` holds what was tried so far, `keeping` what a search
starts from. `__main__` runs atheris: libFuzzer's search, guided by the branches of modelprov that an input reaches.
`corpus/` holds inputs that once did harm; `tests/foreign/test_fuzzed.py` tries each of them.
"""
