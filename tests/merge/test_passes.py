"""Merges by methods that look at whole tensors, in less memory than a tensor takes: the same bytes, in any pieces."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.digests import weights_digest
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.writing import header
from modelprov.demo.writing import StoredTensor
from modelprov.errors import MergeError
from modelprov.merge import source as source_module
from modelprov.merge.enough_memory import check_memory
from modelprov.merge.virtual import plan_recipe, virtual_checkpoint
from modelprov.merge.writing import WriteOptions, check_merge, write_merge
from modelprov.native import for_merging
from modelprov.recipes.methods import steps
from modelprov.recipes.methods.choosing import program_steps
from modelprov.recipes.methods.totals import reproducible
from modelprov.recipes.reading import parse
from modelprov.recipes.recipe import Recipe
from tests import factories
from tests.merge.conftest import Silence

SETTINGS = {"ties": "{weight: 0.5, density: 0.3}", "slerp": "{}", "della": "{weight: 1, density: 0.5}"}
OTHERS = {"nuslerp": "{weight: 0.5}", "dare_ties": "{weight: 0.5, density: 0.3}"}


def _models(folder: Path, shape: tuple[int, int]) -> list[Path]:
    rng = np.random.default_rng(1)
    base = rng.standard_normal(shape, np.float32)
    made = []
    for name in ("base", "one", "other"):
        change = rng.standard_normal(shape, np.float32) * rng.choice(np.array([0, 0.125, 1], np.float32), shape)
        values = base if name == "base" else base + change
        tensors: dict[str, factories.Tensor] = {
            "model.embed_tokens.weight": (values, "BF16"),
            "model.norm.weight": (values[0], "BF16"),
        }
        factories.write_checkpoint(folder / name, tensors)
        made.append(folder / name)
    return made


def _recipe(method: str, models: list[Path], arithmetic: str = "float32") -> Recipe:
    base, *others = models
    named = others[:1] if method == "slerp" else others
    lines = [f"merge_method: {method}", f"base_model: {base}", "models:"]
    lines += [f"- {{model: {path}, parameters: {(SETTINGS | OTHERS)[method]}}}" for path in named]
    lines += ["parameters: {t: 0.4}"] if method == "slerp" else []
    return parse("\n".join([*lines, f"modelprov: {{arithmetic: {arithmetic}}}"]))


@pytest.mark.parametrize("method", SETTINGS)
def test_a_merge_in_passes_holds_the_bytes_of_one_of_whole_tensors(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_recipe(_recipe(method, _models(tmp_path, (48, 500))))
    write_merge(plan, tmp_path / "whole", WriteOptions(threads=2), Silence())
    monkeypatch.setattr(steps, "BLOCK", 2_000)
    monkeypatch.setattr(source_module, "AT_ONCE", 1 << 40)  # nothing fits whole
    if method != "slerp":  # whose sums are those of blocks of this size
        write_merge(plan, tmp_path / "passes", WriteOptions(threads=3), Silence())
        whole, passes = (weights_digest(open_checkpoint(str(tmp_path / name))) for name in ("whole", "passes"))
        assert whole == passes
    virtual = virtual_checkpoint(plan, "v", "v", tmp_path)
    name = "model.embed_tokens.weight"
    ref = virtual.tensors[name]
    at_once = bytearray(ref.stop - ref.start)
    virtual.source.read_into(ref.shard, ref.start, memoryview(at_once))
    pieces = bytearray(len(at_once))
    for start in range(0, len(at_once), 777):  # also across the middle of elements and blocks
        virtual.source.read_into(ref.shard, ref.start + start, memoryview(pieces)[start : start + 777])
    assert pieces == at_once


def test_a_recipe_of_recipes_in_passes_holds_the_bytes_of_one_of_whole_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of the outer merge are read while those of the inner one are made, by the same thread."""
    base, first, second = _models(tmp_path, (48, 500))
    inner = [
        f"name: {name}\nmerge_method: ties\nbase_model: {base}\nmodels:\n"
        f"- {{model: {of}, parameters: {{weight: 1, density: 0.4}}}}"
        for name, of in (("a", first), ("b", second))
    ]
    outer = _recipe("ties", [Path("a"), Path("b"), base]).as_yaml()
    recipe = parse("\n---\n".join([outer, *inner]))
    plan = plan_recipe(recipe)
    write_merge(plan, tmp_path / "whole", WriteOptions(threads=1), Silence())
    monkeypatch.setattr(steps, "BLOCK", 2_000)
    monkeypatch.setattr(source_module, "AT_ONCE", 1 << 40)
    write_merge(plan_recipe(recipe), tmp_path / "passes", WriteOptions(threads=2), Silence())
    whole, passes = (weights_digest(open_checkpoint(str(tmp_path / name))) for name in ("whole", "passes"))
    assert whole == passes


def test_a_tensor_of_a_whole_tensor_method_may_be_larger_than_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "BLOCK", 1 << 14)
    plan = plan_recipe(_recipe("ties", _models(tmp_path, (2_000, 1_000))))
    memory = 8 << 20  # the tensor takes 24 MB in float32, with both models' changes
    check_merge(plan, tmp_path / "out", WriteOptions(memory=memory))
    tracemalloc.start()
    write_merge(plan, tmp_path / "out", WriteOptions(memory=memory, threads=2), Silence())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * memory // 2


def test_a_preset_that_torch_sorts_for_names_what_to_do_where_a_tensor_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelprov.recipes.methods.choosing.torch_installed", lambda: True)
    plan = plan_recipe(_recipe("ties", _models(tmp_path, (200, 100)), "mergekit-0.1.5"))
    with pytest.raises(MergeError, match=r"ties in mergekit-0\.1\.5 looks at whole tensors") as caught:
        check_merge(plan, tmp_path / "out", WriteOptions(memory=100_000))
    assert "arithmetic='float32'" in caught.value.advice


def _stacks(folder: Path) -> list[Path]:
    """Checkpoints of the largest tensor of a 397B model, 8 GiB of experts side by side; files without blocks."""
    ref = StoredTensor("model.layers.0.mlp.experts.gate_up_proj", DType.BF16, (512, 2048, 4096), ())
    made = []
    for name in ("base", "one", "other"):
        (folder / name).mkdir()
        head = header([ref])
        with (folder / name / "model.safetensors").open("wb") as file:
            file.write(head)
            file.truncate(len(head) + ref.size)
        (folder / name / "config.json").write_text("{}")
        made.append(folder / name)
    return made


@pytest.mark.parametrize(
    ("method", "arithmetic", "megabytes", "too_few"),
    [
        ("slerp", "float32", 500, 5),
        ("slerp", "mergekit-0.1.5", 500, 5),
        ("nuslerp", "mergekit-0.1.5", 500, 5),
        ("dare_ties", "mergekit-0.1.5", 500, 5),
        ("ties", "bf16-stepwise", 500, 5),
        ("ties", "mergekit-0.1.5", 15_000, 13_000),
    ],
)
def test_the_largest_tensor_of_a_397b_model_fits_into_little_memory(
    method: str, arithmetic: str, megabytes: int, too_few: int, tmp_path: Path
) -> None:
    """Whole, its values alone would take 52 GB."""
    if for_merging() is None:
        pytest.skip("no C kernels here")
    plan = plan_recipe(_recipe(method, _stacks(tmp_path), arithmetic))
    if method != "slerp" or arithmetic == "float32" or reproducible(program_steps(DType.F32)):
        check_memory(plan, megabytes * 10**6)
    with pytest.raises(MergeError, match="looks at whole tensors"):
        check_memory(plan, too_few * 10**6)
