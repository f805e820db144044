"""A coverage-guided fuzzer over every reader of foreign files: `python -m benchmarks.fuzz`, or `make fuzz`.

`readers` says what is read and how, `seeds` and `documents` make valid files, `mutating` turns them into lies,
`trying` judges one input, `__main__` runs atheris: libFuzzer's search, guided by the branches of modelprov that an
input reaches. `corpus/` holds inputs that once did harm; `tests/foreign/test_fuzzed.py` tries each of them.
"""
