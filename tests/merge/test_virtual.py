"""A recipe as a checkpoint: the bits are right, however they are read, and the rest of the house works on it."""

from __future__ import annotations

import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.header import read_headers
from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.demo.family import Family
from modelprov.errors import ChangedFileError, InvalidCheckpointError, MergeError, TruncatedShardError
from modelprov.merge.computing import Computer
from modelprov.merge.plan import plan_merge
from modelprov.merge.virtual import open_any, plan_recipe, virtual_checkpoint
from modelprov.recipes.reading import parse
from modelprov.recipes.recipe import Recipe, linear
from tests.merge.conftest import differing, model, stored_bytes
from tests.recipes.methods import recorded

COMPILED = ("linear", "passthrough", "task_arithmetic", "nearswap")


def test_the_recipe_of_rio_makes_rio_bit_for_bit(family: Family, rio: Recipe) -> None:
    virtual = virtual_checkpoint(plan_recipe(rio), "v", "v", Path())
    assert differing(open_checkpoint(str(family.rio)), virtual) == []


def test_what_computed_a_merge_leaves_with_its_last_user_and_its_open_files_with_it(rio: Recipe) -> None:
    """Without the cycle collector, which may come late: files would stay open until then."""
    plan = plan_recipe(rio)
    left = weakref.ref(Computer(plan))
    assert left() is None


def test_the_stepwise_recipe_makes_the_stepwise_rio(family: Family) -> None:
    recipe = linear({str(family.nex): 0.565, str(family.qwen): 1 - 0.565}, "bf16-stepwise")
    virtual = virtual_checkpoint(plan_recipe(recipe), "v", "v", Path())
    assert differing(open_checkpoint(str(family.folder / "rio-bf16")), virtual) == []
    assert differing(open_checkpoint(str(family.rio)), virtual) != []


@pytest.mark.parametrize("program", recorded.PROGRAMS)
@pytest.mark.parametrize("case", recorded.cases(random=False))
def test_mergekits_own_recipes_run_as_they_are(case: str, program: str) -> None:
    """From the YAML to the bytes; methods are tested by themselves, so elsewhere their answer is the oracle."""
    recipe = Recipe.model_validate(
        recorded.manifest()["cases"][case]["recipe"] | {"modelprov": {"arithmetic": program}}
    )
    opened = {name: open_checkpoint(str(recorded.FOLDER / f"input-{name}.safetensors")) for name in recipe.locations}
    virtual = virtual_checkpoint(plan_merge(recipe, opened), "v", "v", Path())
    for name in recorded.tensor_names():
        ours = stored_bytes(virtual, virtual.tensors[name])
        oracle = recorded.output(case, program, name) if case.startswith(COMPILED) else None
        expected = recorded.merged(case, program, name) if oracle is None else oracle
        bits = expected.view(np.uint32)
        wanted = bits.tobytes() if virtual.tensors[name].dtype is DType.F32 else (bits >> 16).astype("<u2").tobytes()
        assert ours == wanted, name


@pytest.fixture(scope="module")
def whole(rio: Recipe) -> tuple[bytes, Checkpoint]:
    virtual = virtual_checkpoint(plan_recipe(rio), "v", "v", Path())
    held = bytearray(virtual.shards[0].size)
    virtual.source.read_into(0, 0, memoryview(held))
    return bytes(held), virtual


@given(st.data())
def test_any_part_of_a_shard_reads_the_same(whole: tuple[bytes, Checkpoint], data: st.DataObject) -> None:
    content, virtual = whole
    start = data.draw(st.integers(0, len(content) - 1))
    size = data.draw(st.integers(1, min(100_000, len(content) - start)))
    held = bytearray(size)
    virtual.source.read_into(0, start, memoryview(held))
    assert bytes(held) == content[start : start + size]


def test_ranges_of_a_merge_are_those_of_its_shards_and_end_with_them(whole: tuple[bytes, Checkpoint]) -> None:
    content, virtual = whole
    source, end = virtual.source, len(content)
    assert list(source.names) == [shard.name for shard in virtual.shards]
    assert [source.size(number) for number in range(len(source.names))] == [shard.size for shard in virtual.shards]
    ranges = [(0, end - 100, end), (0, 0, 5000), (0, 7, 7), (0, 4000, 9001), (0, end, end)]
    found = {number: bytes(piece) for number, piece in source.read_ranges(ranges)}
    assert found == {number: content[start:stop] for number, (_, start, stop) in enumerate(ranges)}
    for start, stop in ((end - 1, end + 1), (end, end + 1), (2 * end, 2 * end + 1)):
        with pytest.raises(TruncatedShardError, match=virtual.shards[0].name):
            list(source.read_ranges([(0, start, stop)]))


def test_headers_of_a_merge_are_read_like_those_of_files(whole: tuple[bytes, Checkpoint]) -> None:
    _, virtual = whole
    headers = read_headers(virtual.source)
    assert tuple(header.shard for header in headers) == virtual.shards
    assert {ref.name: ref for header in headers for ref in header.tensors} == virtual.tensors


def test_a_merge_watches_the_files_of_its_models(family: Family, tmp_path: Path) -> None:
    shutil.copytree(family.nex, tmp_path / "nex")
    recipe = linear({str(tmp_path / "nex"): 0.5, str(family.qwen): 0.5})
    virtual = virtual_checkpoint(plan_recipe(recipe), "v", "v", Path())
    nested = virtual_checkpoint(plan_merge(linear({"v": 1.0}), {"v": virtual}), "w", "w", Path())
    before = list(nested.source.versions())
    for held in (virtual, nested):
        held.source.check_unchanged()
    path = next((tmp_path / "nex").glob("*.safetensors"))
    shutil.copy(path, tmp_path / "new")
    (tmp_path / "new").replace(path)
    for held in (virtual, nested):
        with pytest.raises(ChangedFileError, match=path.name):
            held.source.check_unchanged()
    again = virtual_checkpoint(plan_recipe(recipe), "v", "v", Path())
    assert len(before) == len(again.source.versions()) != 0
    assert before != list(again.source.versions())


def test_a_whole_tensor_method_reads_the_same_in_parts(family: Family) -> None:
    recipe = parse(f"merge_method: slerp\nbase_model: {family.qwen}\nmodels: [{{model: {family.nex}}}]\n"
                   "parameters: {t: 0.3}\nmodelprov: {arithmetic: float64}\n")  # fmt: skip
    virtual = virtual_checkpoint(plan_recipe(recipe), "v", "v", Path())
    ref = next(ref for ref in virtual.tensors.values() if len(ref.shape) == 2)
    content = stored_bytes(virtual, ref)
    parts = b""
    for start in range(ref.start, ref.stop, 1000):
        held = bytearray(min(1000, ref.stop - start))
        virtual.source.read_into(ref.shard, start, memoryview(held))
        parts += held
    assert parts == content


def test_equal_inputs_and_weights_that_sum_to_one_give_the_input(family: Family, tmp_path: Path) -> None:
    other = tmp_path / "link"
    other.symlink_to(family.nex)
    for arithmetic in ("float32", "float64", "float32-delta", "float32-lerp"):
        recipe = linear({str(family.nex): 0.25, str(other): 0.75}, arithmetic)
        virtual = virtual_checkpoint(plan_recipe(recipe), "v", "v", Path())
        assert differing(open_checkpoint(str(family.nex)), virtual) == [], arithmetic


def test_the_order_of_models_does_not_matter_where_it_should_not(family: Family) -> None:
    pair = {str(family.nex): 0.6, str(family.qwen): 0.4}
    for arithmetic, same in (("float32", True), ("float64", True), ("bf16-stepwise", True), ("float32-fused", False)):
        one, other = (
            virtual_checkpoint(plan_recipe(linear(weights, arithmetic)), "v", "v", Path())
            for weights in (pair, dict(reversed(pair.items())))
        )
        assert (differing(one, other) == []) is same, arithmetic


@pytest.mark.parametrize("arithmetic", ["float32", "float32-fused", "float64"])
def test_sums_are_those_of_an_independent_float64_oracle(family: Family, arithmetic: str) -> None:
    """All but the elements that lie next to a rounding boundary: float32 errs by 2**-23 where bf16 rounds at 2**-8."""
    virtual = virtual_checkpoint(
        plan_recipe(linear({str(family.nex): 0.3, str(family.qwen): 0.5}, arithmetic)), "v", "v", Path()
    )
    nex, qwen = open_checkpoint(str(family.nex)), open_checkpoint(str(family.qwen))
    for name in [name for name, ref in virtual.tensors.items() if ref.dtype is DType.BF16][:40]:
        values = []
        for checkpoint in (nex, qwen, virtual):
            bits = np.frombuffer(stored_bytes(checkpoint, checkpoint.tensors[name]), np.uint16)
            values.append((bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64))
        oracle = (0.3 * values[0] + 0.5 * values[1]) / 0.8
        scale = np.maximum(np.abs(values[0]), np.abs(values[1]))
        assert np.all(np.abs(values[2] - oracle) <= np.abs(oracle) * 2.0**-8 + scale * 2.0**-22)


def test_inspect_and_labels_work_on_a_recipe_file(family: Family, rio: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "rio.yml"
    file.write_text(rio.as_yaml())
    found = inspect_checkpoint(open_any(str(file)))
    real = inspect_checkpoint(open_checkpoint(str(family.nex)))
    assert found.label == "rio"
    assert (found.parameters, found.layers, found.components) == (real.parameters, real.layers, real.components)


def test_models_are_found_beside_the_recipe(family: Family, tmp_path: Path) -> None:
    (tmp_path / "nex").symlink_to(family.nex)
    (tmp_path / "qwen").symlink_to(family.qwen)
    (tmp_path / "r.yml").write_text(linear({"nex": 0.5, "qwen": 0.5}).as_yaml())
    assert open_any(str(tmp_path / "r.yml")).parameters == open_checkpoint(str(family.qwen)).parameters


def test_a_merge_of_merges_is_a_merge(family: Family, rio: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "rio.yml"
    file.write_text(rio.as_yaml())
    once = open_any(str(file))
    again = virtual_checkpoint(plan_recipe(linear({str(file): 1, str(family.nex): 0})), "v", "v", Path())
    assert differing(once, again) == []


def test_too_little_memory_for_a_whole_tensor_is_an_error_that_names_it(family: Family) -> None:
    recipe = parse(f"merge_method: slerp\nbase_model: {family.qwen}\nmodels: [{{model: {family.nex}}}]\n"
                   "parameters: {t: 0.3}\nmodelprov: {arithmetic: float64}\n")  # fmt: skip
    virtual = virtual_checkpoint(plan_recipe(recipe), "v", "v", Path(), memory=1000)
    ref = max(virtual.tensors.values(), key=lambda one: one.count)
    with pytest.raises(MergeError, match=r"needs .* of memory"):
        stored_bytes(virtual, ref)


def test_values_that_are_not_finite_pass_through_a_mean_and_stop_a_sorting_method(tmp_path: Path) -> None:
    values = np.ones((16, 16))
    values[0, 0], values[0, 1] = np.inf, np.nan
    odd = {"model.layers.0.mlp.up_proj.weight": (values, "BF16")}
    one, other = (
        model(tmp_path / "one", **odd),
        model(tmp_path / "other", **{k: (np.ones((16, 16)), "BF16") for k in odd}),
    )
    virtual = virtual_checkpoint(plan_recipe(linear({str(one): 0.5, str(other): 0.5})), "v", "v", tmp_path)
    bits = np.frombuffer(stored_bytes(virtual, virtual.tensors[next(iter(odd))]), np.uint16)
    found = (bits.astype(np.uint32) << 16).view(np.float32)
    assert np.isposinf(found[0])
    assert np.isnan(found[1])
    assert (found[2:] == 1).all()
    ties = parse(f"merge_method: ties\nbase_model: {other}\nmodels: [{{model: {one}, parameters: {{weight: 1}}}}]\n")
    virtual = virtual_checkpoint(plan_recipe(ties), "v", "v", tmp_path)
    with pytest.raises(InvalidCheckpointError, match="not finite"):
        stored_bytes(virtual, virtual.tensors[next(iter(odd))])
