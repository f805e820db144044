"""One pass over files: how the weights are stored, cut, read and shared out changes no count, no bit and no verdict."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.plan import plan_pass
from modelprov.checkpoints.reading import way_of_reading
from modelprov.checkpoints.sources import local_access
from modelprov.checkpoints.sources.local_access import HELD
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.demo.family import ALPHA, TINY, members
from modelprov.demo.weights import split_experts
from modelprov.demo.writing import Weights, as_stored, fill_checkpoint
from modelprov.errors import TruncatedShardError
from modelprov.forensics.compare import Comparison, Options, compare
from modelprov.forensics.sums.kernels.cpu import cpu_by_pieces, cpu_kernel, processor
from modelprov.forensics.sums.kernels.interface import Device, PieceKernel, RecipePlan, Segments
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.kernels.stored import read_first
from modelprov.forensics.sums.moments import Moments
from modelprov.forensics.sums.sweep import block_bytes, sweep
from modelprov.recipes.arithmetics import Arithmetic
from tests import memory
from tests.memory import Silence

METHODS = ("auto", "map", "direct", "buffered", HELD)
SEED = 11
NAMES = ("rio", "nex", "qwen")
PROCESSOR = processor()


@cache
def weights() -> dict[str, Weights]:
    return {name: tensors for name, tensors in members(SEED, TINY) if name in NAMES}


def renamed(tensors: Weights, rule: Callable[[str], str]) -> Weights:
    return {rule(name): tensor for name, tensor in tensors.items()}


def text_only_prefix(name: str) -> str:
    """As another program spells the same names."""
    return name.replace("model.language_model.", "language_model.model.").replace("model.visual.", "visual.")


def trained_prefix(name: str) -> str:
    return f"module._orig_mod.{name}"


LAYOUTS: dict[str, Callable[[Weights], Weights]] = {
    "as it is": lambda tensors: tensors,
    "experts one by one": split_experts,
    "other prefixes": lambda tensors: renamed(tensors, text_only_prefix),
    "wrapped names": lambda tensors: renamed(tensors, trained_prefix),
    "backwards": lambda tensors: dict(reversed(tensors.items())),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Checkpoint]:
    """Gives a member of the family as it would be stored in so many shards and such a layout; written once each."""
    folder = tmp_path_factory.mktemp("family")

    def stored(name: str, shards: int = 1, layout: str = "as it is") -> Checkpoint:
        where = folder / f"{name}-{shards}-{layout.replace(' ', '-')}"
        if not where.exists():
            fill_checkpoint(where, as_stored(LAYOUTS[layout](weights()[name])), {}, shards)
        return open_checkpoint(str(where), name)

    return stored


def true_recipe(alignment: Alignment) -> RecipePlan:
    """The recipe that `rio` was made by."""
    row = np.tile([ALPHA, 1 - ALPHA], (1, len(alignment.tensors), 1))
    return RecipePlan(np.array([int(Arithmetic.FLOAT32)]), np.array([[0, 1]]), row)


def swept(
    checkpoints: Sequence[Checkpoint], *, block: int = 8 << 20, threads: int = 2, method: str = "auto",
    device: Device = PROCESSOR,
) -> tuple[Moments, Alignment]:  # fmt: skip
    alignment = align(checkpoints)
    plan = plan_pass(alignment, block)
    tensors = len(alignment.tensors)
    return sweep(
        tuple(checkpoints), plan, tensors, true_recipe(alignment), device, threads=threads, method=method
    ), alignment


def by_name(result: tuple[Moments, Alignment]) -> tuple[list[str], Moments]:
    """Rows in the order of the canonical names: files may have another order."""
    moments, alignment = result
    names = [tensor.name for tensor in alignment.tensors]
    order = np.argsort(names)
    return sorted(names), moments[order]


def same_bits(a: Moments, b: Moments) -> bool:
    return np.array_equal(a.counts, b.counts) and np.array_equal(a.sums.view(np.int64), b.sums.view(np.int64))


@pytest.fixture(scope="module")
def baseline(place: Callable[..., Checkpoint]) -> tuple[list[str], Moments]:
    return by_name(swept([place(name) for name in NAMES], threads=1, method="buffered"))


def test_the_sweep_counts_what_is_there(baseline: tuple[list[str], Moments]) -> None:
    """The exact merge is reproduced in every element, and the distances are those of the weights in memory."""
    names, moments = baseline
    total = moments.total()
    stored = weights()
    split = {name: split_experts(tensors) for name, tensors in stored.items()}
    assert total.elements == sum(values.size for values, _ in stored["rio"].values())
    assert total.recipe(0) == total.elements > 400_000
    assert 0 < total.equal(0, 1) < total.elements
    for i, j in ((0, 1), (0, 2), (1, 2)):
        a, b = (split[NAMES[k]] for k in (i, j))
        exact = sum(float(((a[name][0].astype(np.float64) - b[name][0]) ** 2).sum()) for name in stored["rio"])
        assert total.squared_distance(i, j) == pytest.approx(exact, rel=1e-6)
    q = "model.layers.3.self_attn.q_proj.weight"
    row = moments[names.index(q)]
    raw = [stored[k][f"model.language_model.{q.removeprefix('model.')}"][0].ravel() for k in NAMES]
    assert row.correlation(0, 1) == pytest.approx(np.corrcoef(raw[0], raw[1])[0, 1], abs=1e-6)
    assert row.equal(1, 2) == int((raw[1] == raw[2]).sum())


@settings(max_examples=25)
@given(
    shards=st.tuples(*[st.sampled_from([1, 2, 7])] * 3),
    layouts=st.tuples(*[st.sampled_from(list(LAYOUTS))] * 3),
    threads=st.integers(1, 8),
    method=st.sampled_from(METHODS),
)
def test_shards_layouts_threads_and_ways_of_reading_change_no_bit(
    place: Callable[..., Checkpoint],
    baseline: tuple[list[str], Moments],
    shards: tuple[int, ...],
    layouts: tuple[str, ...],
    threads: int,
    method: str,
) -> None:
    stored = [place(*one) for one in zip(NAMES, shards, layouts, strict=True)]
    names, moments = by_name(swept(stored, threads=threads, method=method))
    assert names == baseline[0]
    assert same_bits(moments, baseline[1])


@pytest.mark.parametrize("block", [1, 16 << 10, 100_000, 1 << 20])
@pytest.mark.parametrize("method", METHODS)
def test_the_size_of_blocks_changes_no_count_and_no_sum(
    place: Callable[..., Checkpoint], baseline: tuple[list[str], Moments], block: int, method: str
) -> None:
    """Sums of one tensor are then grouped otherwise: equal to the last bits of float64, not to the last one."""
    stored = [place("rio", 2), place("nex", 7), place("qwen")]
    moments = by_name(swept(stored, block=block, threads=3, method=method))[1]
    assert np.array_equal(moments.counts, baseline[1].counts)
    scale = np.abs(baseline[1].sums).max(axis=1, keepdims=True)
    assert (np.abs(moments.sums - baseline[1].sums) <= 1e-13 * scale).all()


@pytest.mark.parametrize("threads", range(1, 9))
def test_any_number_of_threads_gives_the_same_bits_at_any_block_size(
    place: Callable[..., Checkpoint], threads: int
) -> None:
    stored = [place(name) for name in NAMES]
    for block in (1, 100_000):
        alone = swept(stored, block=block, threads=1)[0]
        assert same_bits(swept(stored, block=block, threads=threads)[0], alone)


def test_checkpoints_in_memory_and_on_disk_give_the_same_bits(baseline: tuple[list[str], Moments]) -> None:
    moments = by_name(swept([memory.checkpoint(name, weights()[name]) for name in NAMES]))[1]
    assert same_bits(moments, baseline[1])


def test_both_kernels_sweep_to_the_same_counts(
    place: Callable[..., Checkpoint], baseline: tuple[list[str], Moments]
) -> None:
    stored = tuple(place(name) for name in NAMES)
    alignment = align(stored)
    plain = sweep(
        stored, plan_pass(alignment), len(alignment.tensors), true_recipe(alignment), Device(reference_kernel, ""),
        threads=2,
    )  # fmt: skip
    assert np.array_equal(by_name((plain, alignment))[1].counts, baseline[1].counts)
    np.testing.assert_allclose(plain.total().gram(), baseline[1].total().gram(), rtol=1e-6)


@pytest.mark.parametrize("by_pieces", [cpu_by_pieces, partial(read_first, cpu_kernel)], ids=["windows", "read first"])
@pytest.mark.parametrize("method", METHODS)
def test_a_kernel_that_reads_stored_bytes_itself_adds_the_same(
    place: Callable[..., Checkpoint], baseline: tuple[list[str], Moments], method: str, by_pieces: PieceKernel
) -> None:
    device = Device(cpu_kernel, "", by_pieces=by_pieces)
    found = swept([place(name) for name in NAMES], method=method, device=device, block=300_000)
    assert same_bits(by_name(found)[1], baseline[1])


def test_a_device_may_have_larger_blocks_within_the_same_memory() -> None:
    device = Device(cpu_kernel, "", threads=8, block=32 << 20)
    assert block_bytes(512 << 20, 8, 3, device) == (512 << 20) // 48
    assert block_bytes(1 << 40, 8, 3, device) == 32 << 20
    by_pieces = replace(device, by_pieces=cpu_by_pieces)
    assert block_bytes(512 << 20, 64, 3, by_pieces) < 32 << 20  # what must be read first is held
    assert block_bytes(512 << 20, 64, 3, by_pieces, HELD) == 32 << 20


def test_only_files_that_the_system_holds_are_read_piece_by_piece_whatever_their_number(
    place: Callable[..., Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [place(name, 2) for name in NAMES]
    assert way_of_reading(stored, "auto") == HELD
    assert [way_of_reading(stored, method) for method in METHODS[1:4]] == list(METHODS[1:4])
    shares = iter([1.0] * 3)
    monkeypatch.setattr(local_access, "cached_share", lambda _: next(shares, 0.5))
    assert way_of_reading(stored, "auto") == "auto"


def test_data_at_odd_bytes_give_the_same_bits(
    place: Callable[..., Checkpoint], baseline: tuple[list[str], Moments], tmp_path: Path
) -> None:
    """Headers of odd length are within the format."""
    stored = []
    for name in NAMES:
        folder = tmp_path / name
        shutil.copytree(place(name).home, folder)
        path = next(folder.glob("*.safetensors"))
        raw = path.read_bytes()
        length = int.from_bytes(raw[:8], "little")
        path.write_bytes((length + 1).to_bytes(8, "little") + raw[8 : 8 + length] + b" " + raw[8 + length :])
        stored.append(open_checkpoint(str(folder), name))
    for method in METHODS:
        assert same_bits(by_name(swept(stored, method=method))[1], baseline[1])


def test_progress_hears_of_every_byte_and_the_kernel_of_every_element(place: Callable[..., Checkpoint]) -> None:
    stored = tuple(place(name, 2) for name in NAMES)
    alignment = align(stored)
    plan = plan_pass(alignment, 100_000)
    heard: list[int] = []
    seen: list[int] = []

    def kernel(buffers: Sequence[np.ndarray], segments: Segments, recipes: RecipePlan) -> Moments:
        seen.append(int(segments.count.sum()))
        return cpu_kernel(buffers, segments, recipes)

    none = RecipePlan.none(2, len(alignment.tensors))
    sweep(stored, plan, len(alignment.tensors), none, Device(kernel, ""), threads=3, on_bytes=heard.append)
    assert sum(heard) == plan.bytes
    assert sum(seen) == sum(tensor.count for tensor in alignment.tensors)


@pytest.mark.parametrize("method", METHODS)
def test_a_shard_that_shrinks_during_the_sweep_stops_it_in_words(
    place: Callable[..., Checkpoint], tmp_path: Path, method: str
) -> None:
    folder = tmp_path / "nex"
    shutil.copytree(place("nex").home, folder)
    stored = (place("rio"), open_checkpoint(str(folder), "nex"), place("qwen"))
    alignment = align(stored)

    def kernel(buffers: Sequence[np.ndarray], segments: Segments, recipes: RecipePlan) -> Moments:
        rows = cpu_kernel(buffers, segments, recipes)
        with next(folder.glob("*.safetensors")).open("r+b") as file:
            file.truncate(4096)
        return rows

    with pytest.raises(TruncatedShardError, match="nex"):
        sweep(
            stored, plan_pass(alignment, 64 << 10), len(alignment.tensors), true_recipe(alignment), Device(kernel, ""),
            threads=1, method=method,
        )  # fmt: skip


@pytest.mark.parametrize("memory_bytes", [1, 1 << 20, 512 << 20, 1 << 60])
@pytest.mark.parametrize(("threads", "checkpoints"), [(1, 2), (8, 3), (256, 5)])
def test_blocks_shrink_with_memory_down_to_a_floor(memory_bytes: int, threads: int, checkpoints: int) -> None:
    for device, held in ((Device(cpu_kernel, ""), 2), (Device(cpu_kernel, "", by_pieces=cpu_by_pieces), 1)):
        size = block_bytes(memory_bytes, threads, checkpoints, device)
        assert 64 << 10 <= size <= 8 << 20
        assert size == 64 << 10 or size * threads * checkpoints * held <= memory_bytes


def small(name: str) -> Weights:
    """Some tensors of every kind: enough for a verdict, few enough for many."""
    wanted = ("layers.0.linear_attn", "layers.3.self_attn", "layers.3.mlp.experts", "layers.1.mlp.gate", "layernorm")
    return {n: tensor for n, tensor in weights()[name].items() if any(part in n for part in wanted)}


def found(comparison: Comparison) -> dict[str, Any]:
    """Everything a comparison found, as plain data; tensors by name, as their order is that of the files."""
    findings = comparison.findings
    parts = ("verdict", "mixing", "reproduction", "after_merge", "overall")
    rows = {part: [one.model_dump(mode="json") for one in getattr(findings, part)] for part in ("layers", "tensors")}
    rows["tensors"].sort(key=lambda row: row["name"])
    return {part: getattr(findings, part).model_dump(mode="json") for part in parts} | rows


def close(a: object, b: object) -> bool:
    """Equal, numbers to 1e-9 of their size."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == pytest.approx(b, rel=1e-9, abs=1e-12)
    return a == b


def test_the_whole_comparison_finds_the_same_however_the_models_are_stored_and_read(tmp_path: Path) -> None:
    def stored(shards: Sequence[int], layouts: Sequence[str]) -> list[Checkpoint]:
        result = []
        for name, count, layout in zip(NAMES, shards, layouts, strict=True):
            folder = tmp_path / f"{name}-{count}-{layout}"
            if not folder.exists():
                fill_checkpoint(folder, as_stored(LAYOUTS[layout](small(name))), {}, count)
            result.append(replace(open_checkpoint(str(folder), name), location=name))
        return result

    options = Options(threads=1, device="cpu", method="buffered", sample_elements=1 << 15)
    plain = ["as it is"] * 3
    first = compare(stored((1, 1, 1), plain), options, Silence())
    assert first.findings.verdict.class_ == "merge"
    assert first.findings.reproduction.bit_equal == 1
    right = found(first)
    runs = (
        ((1, 2, 7), plain, replace(options, threads=8, method="map")),
        ((7, 7, 1), plain, replace(options, threads=3, method="direct", memory=1)),
        ((2, 1, 2), ["as it is", "backwards", "experts one by one"], replace(options, threads=2, memory=1 << 20)),
        ((1, 1, 2), ["as it is", "wrapped names", "other prefixes"], replace(options, threads=None, method="auto")),
    )
    for shards, layouts, other in runs:
        assert close(found(compare(stored(shards, layouts), other, Silence())), right), (shards, layouts, other)
    backwards = found(compare(stored((1, 1, 1), ["backwards"] * 3), options, Silence()))
    for result in (backwards, right):  # another order of the suspect's file is another draw of what is tried by chance
        del result["reproduction"]["candidates"], result["reproduction"]["yaml"]
    for part in ("reproduction", "after_merge", "overall", "tensors"):
        assert close(backwards[part], right[part]), part
    assert backwards["verdict"]["class"] == "merge"
