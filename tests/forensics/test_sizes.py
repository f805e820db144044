"""Sizes of rows and columns: numpy's sums to the bit from C and from any threads, each matrix read once."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, Float64, encode
from modelprov.demo.writing import Weights
from modelprov.forensics.search import sizes
from modelprov.forensics.search.sizes import OwnSizes
from tests.generated import Size, model
from tests.memory import checkpoint

GATE, NORM = "model.layers.0.mlp.gate_proj.weight", "model.layers.0.post_attention_layernorm.weight"


def weights(seed: int = 1) -> Weights:
    """A model with gains other than 1."""
    rng = np.random.default_rng(seed)
    made = model(rng, Size(3, 72, 104, 90), DType.F32)
    uneven = {name: (rng.uniform(0.5, 2, values.shape).astype(np.float32), dtype)
              for name, (values, dtype) in made.items() if values.ndim == 1}  # fmt: skip
    return made | uneven


def matrices(own: OwnSizes) -> list[int]:
    return [row for row, tensor in enumerate(own.alignment.tensors) if len(tensor.shape) == 2]


@pytest.mark.parametrize("dtype", list(DType))
@pytest.mark.parametrize("shape", [(1, 7), (300, 1), (3, 8), (4, 129), (9, 1000), (2, 2600)])
@pytest.mark.parametrize("weighted", [(), (0,), (1,)])
def test_compiled_sums_are_numpy_s_to_the_bit(
    dtype: DType, shape: tuple[int, int], weighted: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    values = rng.standard_normal(shape)
    values.ravel()[::97], values.ravel()[3::89] = np.inf, np.nan
    raw = encode(values, dtype)
    factors = [np.square(rng.standard_normal(size)) if side in weighted else None
               for side, size in ((0, shape[1]), (1, shape[0]))]  # fmt: skip
    found = []
    for library in (sizes.native, lambda: None):
        monkeypatch.setattr(sizes, "native", library)
        rows = np.empty(shape[0])
        columns = sizes._sums_of_squares(raw, dtype, (factors[0], factors[1]), rows, shape[1])
        found.append((rows, columns))
    for compiled, numpy_s in zip(*found, strict=True):
        np.testing.assert_array_equal(compiled, numpy_s)
        assert numpy_s.any()


def test_sizes_are_the_same_from_any_threads_and_pieces_end_where_they_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "PIECE", 1_000)
    opened = checkpoint("M", weights())
    found = [OwnSizes(opened, threads) for threads in (1, 3)]
    single, several = ({**own.by_name(matrices(own))} for own in found)
    assert single.keys() == several.keys()
    for key, sums in single.items():
        np.testing.assert_array_equal(sums, several[key])


def test_the_gains_of_the_norm_before_belong_to_a_matrix() -> None:
    held = weights()
    own = OwnSizes(checkpoint("M", held))
    found = own.by_name(matrices(own))
    squares: Float64 = np.square(held[GATE][0].astype(np.float64) * held[NORM][0])
    np.testing.assert_allclose(found[GATE, "rows"], squares.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found[GATE, "columns"], squares.sum(axis=0), rtol=1e-12)


def test_a_matrix_is_read_once_under_whatever_alignment() -> None:
    read: list[int] = []
    own = OwnSizes(checkpoint("M", weights()), 1, read.append)
    some, every = matrices(own)[:4], matrices(own)
    first = own.by_name(some)
    before = sum(read)
    own.by_name(every)
    own.of(own.alignment, 0, every[::-1])
    whole = sum(4 * own.alignment.tensors[row].count for row in every)
    norms = sum(read) - whole
    assert 0 < before < whole
    assert 0 <= norms < 4 * 72 * 20  # vectors, of each reading their own
    assert all(np.array_equal(sums, own.by_name(some)[key]) for key, sums in first.items())


def test_rows_that_are_not_within_their_bytes_are_refused() -> None:
    library = sizes.native()
    if library is None:
        pytest.skip("no C kernels here")
    raw = encode(np.ones((3, 4)), DType.F32)
    for short, gains in ((raw[:-1], None), (raw, np.ones(3))):
        with pytest.raises(ValueError, match="not within"):
            library.squares(short, DType.F32.code, gains, None, np.empty(3), np.zeros(4))
