"""The independent judge: torch computes the merges again, and the safetensors library reads the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.families import write_big_family
from modelprov.checkpoints.formats.dtypes import DType, encode_single
from modelprov.demo.family import MEMBERS, Family
from modelprov.demo.weights import merge_exact
from modelprov.demo.writing import Weights, as_stored, write_shard
from modelprov.recipes.arithmetics import Arithmetic
from tests.demo.test_weights import three_parents
from tests.demo.test_writing import weights as every_dtype

torch = pytest.importorskip("torch")
TORCH = {DType.BF16: torch.bfloat16, DType.F16: torch.float16, DType.F32: torch.float32, DType.F64: torch.float64}


def load(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint, read by the safetensors library."""
    from safetensors.torch import load_file

    loaded: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        loaded |= load_file(file)
    return loaded


def per_expert(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Fused stacks taken apart with torch, MTP left out: what a derivative holds."""
    result: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if name.startswith("mtp."):
            continue
        if tensor.ndim != 3 or ".experts." not in name:
            result[name] = tensor
            continue
        block = name.rpartition(".")[0]
        for number in range(tensor.shape[0]):
            parts = {"down": tensor[number]}
            if name.endswith("gate_up_proj"):
                parts = dict(zip(("gate", "up"), tensor[number].chunk(2), strict=True))
            result |= {f"{block}.{number}.{what}_proj.weight": part for what, part in parts.items()}
    return result


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    kind = torch.int16 if a.dtype is torch.bfloat16 else torch.int32
    return a.dtype is b.dtype and torch.equal(a.contiguous().view(kind), b.contiguous().view(kind))


def test_what_is_written_is_what_the_safetensors_library_reads(tmp_path: Path):
    write_shard(tmp_path / "model.safetensors", as_stored(every_dtype()))
    loaded = load(tmp_path)
    assert loaded.keys() == every_dtype().keys()
    for name, (array, dtype) in every_dtype().items():
        assert loaded[name].dtype is TORCH[dtype]
        assert torch.equal(loaded[name], torch.from_numpy(array).to(TORCH[dtype])), name


def test_bf16_rounds_to_nearest_with_ties_to_even_as_torch_does():
    bits = np.random.default_rng(1).integers(0, 2**32, 100_000, np.uint32)
    bits[::2] = (bits[::2] & np.uint32(0xFFFF0000)) | np.uint32(0x8000)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    expected = torch.from_numpy(values).bfloat16().view(torch.int16).numpy().tobytes()
    assert encode_single(values, DType.BF16).tobytes() == expected


@pytest.mark.parametrize("weights", [(0.565, 0.3, 0.135), (0.5, 0.4, 0.3)])
@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
def test_the_float32_merge_has_the_bits_of_torch(dtype: DType, weights: tuple[float, ...]):
    parents = three_parents(dtype)
    stored = [torch.from_numpy(parent["w"][0]) for parent in parents]
    scalars = [torch.tensor(weight, dtype=torch.float32) for weight in weights]
    expected = stored[0] * scalars[0]
    for tensor, scalar in zip(stored[1:], scalars[1:], strict=True):
        expected = expected + tensor * scalar
    expected = (expected / sum(scalars, start=torch.tensor(0.0))).to(TORCH[dtype]).float().numpy()
    np.testing.assert_array_equal(merge_exact(parents, weights)["w"][0], expected)


@pytest.mark.parametrize("weights", [(0.565, 0.3, 0.135), (0.6, 0.2, 0.2)])
def test_the_stepwise_merge_has_the_bits_of_torch_in_bf16(weights: tuple[float, ...]):
    parents = three_parents(DType.BF16)
    scalars = torch.tensor(weights, dtype=torch.bfloat16)
    products = torch.stack([torch.from_numpy(p["w"][0]).bfloat16() * w for p, w in zip(parents, scalars, strict=True)])
    total = products[0].float() + products[1].float() + products[2].float()
    expected = total.bfloat16() / scalars.float().sum().bfloat16()
    merged = merge_exact(parents, weights, Arithmetic.STEPWISE)["w"][0]
    np.testing.assert_array_equal(merged, expected.float().numpy())


def test_every_member_is_on_disk_as_it_is_in_memory(family: Family, in_memory: dict[str, Weights]):
    assert list(in_memory) == list(MEMBERS)
    for member, weights in in_memory.items():
        loaded = load(family.folder / member)
        assert loaded.keys() == weights.keys()
        for name, (values, dtype) in weights.items():
            assert TORCH[dtype] is loaded[name].dtype
            np.testing.assert_array_equal(loaded[name].float().numpy(), values, err_msg=f"{member} {name}")


def test_rio_is_the_float32_merge_to_the_last_bit_as_torch_computes_it(family: Family):
    qwen, nex, rio = per_expert(load(family.qwen)), per_expert(load(family.nex)), load(family.rio)
    assert rio.keys() == qwen.keys()
    first, second = torch.tensor(0.565, dtype=torch.float32), torch.tensor(0.435, dtype=torch.float32)
    for name, merged in rio.items():
        expected = nex[name].float() * first + qwen[name].float() * second
        assert same_bits(merged, expected.to(qwen[name].dtype)), name


def test_rio_bf16_is_the_stepwise_merge_to_the_last_bit_as_torch_computes_it(family: Family):
    qwen, nex, rio = per_expert(load(family.qwen)), per_expert(load(family.nex)), load(family.folder / "rio-bf16")
    for name, merged in rio.items():
        kind = merged.dtype
        weights = torch.tensor([0.565, 0.435], dtype=kind)
        assert same_bits(merged, (nex[name] * weights[0] + qwen[name] * weights[1]) / weights.sum()), name


@pytest.mark.parametrize("small", [False, True])
def test_the_suspect_is_the_exact_merge_in_every_tensor(tmp_path: Path, small: bool):
    size, tensors = 4_000_000, 300 if small else 10
    family = write_big_family(tmp_path / "big", size, tensors, small_tensors=small, block_bytes=300_000)
    assert 0.95 * size < family.bytes <= size
    parent, base, suspect = (load(place) for place in (family.parent, family.base, family.suspect))
    assert len(suspect) == family.tensors == tensors
    for name, merged in suspect.items():
        expected = parent[name].float() * torch.tensor(0.565) + base[name].float() * torch.tensor(0.435)
        assert torch.equal(merged, expected.bfloat16()), name
    first, second = list(suspect)[:2]
    assert not torch.equal(suspect[first], suspect[second])
