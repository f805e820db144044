"""Plans: every tensor of every model is merged, copied by a rule, or an error; layers can be stacked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.family import Family
from modelprov.errors import MergeError, UsageError
from modelprov.merge.config import merged_config
from modelprov.merge.planned import MergePlan
from modelprov.merge.virtual import plan_recipe, virtual_checkpoint
from modelprov.recipes.reading import parse
from modelprov.recipes.recipe import linear
from tests.merge.conftest import RNG, differing, model, stored_bytes

EXTRA = {"mtp.fc.weight": (RNG.standard_normal((16, 16)), "BF16")}


def with_missing(one: Path, other: Path, missing: str) -> MergePlan:
    recipe = linear({str(one): 0.5, str(other): 0.5})
    return plan_recipe(parse(recipe.as_yaml() + f"  missing: {missing}\n"))


def test_every_tensor_of_the_family_is_merged(family: Family) -> None:
    plan = plan_recipe(linear({str(family.nex): 0.5, str(family.qwen): 0.5}))
    assert [tensor.name for tensor in plan.tensors] == list(open_checkpoint(str(family.nex)).tensors)
    assert all(tensor.copy is None for tensor in plan.tensors)
    assert plan.notes == ()
    names = " ".join(tensor.name for tensor in plan.tensors)
    assert "mtp." in names
    assert "visual." in names
    assert "experts.gate_up_proj" in names


def test_fused_and_separate_experts_merge_to_the_same_bits(family: Family) -> None:
    """`stranger` stores experts fused, `rio` one by one and without MTP."""
    fused_first = {str(family.stranger): 0.75, str(family.rio): 0.25}
    separate_first = dict(reversed(fused_first.items()))
    plans = [
        plan_recipe(parse(linear(one).as_yaml() + f"  missing: {missing}\n"))
        for one, missing in ((fused_first, "base"), (separate_first, "copy"))
    ]
    fused, separate = (virtual_checkpoint(plan, "x", "x", Path()) for plan in plans)
    assert any(name.endswith("gate_up_proj") for name in fused.tensors)
    assert any(name.endswith("experts.0.gate_proj.weight") for name in separate.tensors)
    assert differing(fused, separate) == []
    assert fused.parameters == separate.parameters


def test_what_only_the_first_model_has_is_copied_and_said(tmp_path: Path) -> None:
    one, other = model(tmp_path / "one", **EXTRA), model(tmp_path / "other")
    plan = plan_recipe(linear({str(one): 0.5, str(other): 0.5}))
    (copied,) = [tensor for tensor in plan.tensors if tensor.copy]
    assert copied.name == "mtp.fc.weight"
    assert "missing in other: copied from one" in plan.notes[0]
    opened, virtual = open_checkpoint(str(one)), virtual_checkpoint(plan, "x", "x", tmp_path)
    ours = stored_bytes(virtual, virtual.tensors["mtp.fc.weight"])
    assert ours == stored_bytes(opened, opened.tensors["mtp.fc.weight"])


def test_what_only_another_model_has_is_an_error_unless_the_recipe_says_what_to_do(tmp_path: Path) -> None:
    one, other = model(tmp_path / "one"), model(tmp_path / "other", **EXTRA)
    with pytest.raises(MergeError, match=r"mtp.fc.weight is in other and missing in one") as caught:
        plan_recipe(linear({str(one): 0.5, str(other): 0.5}))
    assert "drop" in caught.value.advice
    copied, dropped = with_missing(one, other, "copy"), with_missing(one, other, "drop")
    assert "mtp.fc.weight" in [tensor.name for tensor in copied.tensors]
    assert "mtp.fc.weight" not in [tensor.name for tensor in dropped.tensors]
    assert "left out, as the recipe says" in dropped.notes[0]
    with pytest.raises(MergeError, match="missing in one"):
        with_missing(other, one, "error")


def test_another_vocabulary_or_shape_is_an_error_with_both_shapes(tmp_path: Path) -> None:
    one, wide, tall = model(tmp_path / "a"), model(tmp_path / "b", hidden=32), model(tmp_path / "c", vocabulary=33)
    with pytest.raises(MergeError, match=r"\[32, 16\] in a and \[32, 32\] in b"):
        plan_recipe(linear({str(one): 1, str(wide): 1}))
    with pytest.raises(MergeError, match=r"\[32, 16\] in a and \[33, 16\] in c: the vocabularies differ"):
        plan_recipe(linear({str(one): 1, str(tall): 1}))


def test_integers_are_copied_and_said(tmp_path: Path) -> None:
    extra = {"model.position_ids": np.arange(8)}
    one, other = model(tmp_path / "one", **extra), model(tmp_path / "other", **extra)
    plan = plan_recipe(linear({str(one): 0.5, str(other): 0.5}))
    virtual = virtual_checkpoint(plan, "x", "x", tmp_path)
    assert "I64" in plan.notes[0]
    ref = virtual.refused["model.position_ids"]
    held = bytearray(64)
    virtual.source.read_into(ref.shard, ref.start, memoryview(held))
    assert np.frombuffer(held, np.int64).tolist() == list(range(8))


def test_layers_are_stacked_and_numbered_anew(tmp_path: Path) -> None:
    one, other = model(tmp_path / "one", layers=3), model(tmp_path / "other", layers=3)
    text = f"""
merge_method: passthrough
slices:
- sources: [{{model: {one}, layer_range: [0, 2]}}]
- sources: [{{model: {other}, layer_range: [1, 3]}}]
"""
    plan = plan_recipe(parse(text))
    virtual, a, b = virtual_checkpoint(plan, "x", "x", tmp_path), open_checkpoint(str(one)), open_checkpoint(str(other))
    up = "model.layers.{}.mlp.up_proj.weight"
    for layer, (source, own) in enumerate([(a, 0), (a, 1), (b, 1), (b, 2)]):
        ours = stored_bytes(virtual, virtual.tensors[up.format(layer)])
        assert ours == stored_bytes(source, source.tensors[up.format(own)])
    for name, source in (("model.embed_tokens.weight", a), ("model.norm.weight", b), ("lm_head.weight", b)):
        assert stored_bytes(virtual, virtual.tensors[name]) == stored_bytes(source, source.tensors[name])
    assert len(virtual.tensors) == 4 * 2 + 3
    config = merged_config(plan) or {}
    assert config["num_hidden_layers"] == 4
    assert config["layer_types"] == ["a", "b", "b", "c"]
    assert any("in layers that no slice takes" in note for note in plan.notes)


def test_slices_that_do_not_fit_are_errors(tmp_path: Path) -> None:
    one = model(tmp_path / "one")
    slices = "merge_method: passthrough\nslices:\n- sources: [{{model: {}, layer_range: [{}]}}]\n"
    with pytest.raises(UsageError, match="which has 2"):
        plan_recipe(parse(slices.format(one, "0, 3")))


def test_a_gradient_gives_each_layer_its_own_weight(tmp_path: Path) -> None:
    one, other = model(tmp_path / "one", layers=3), model(tmp_path / "other", layers=3)
    text = f"""
merge_method: linear
models:
- {{model: {one}, parameters: {{weight: [1, 0]}}}}
- {{model: {other}, parameters: {{weight: [0, 1]}}}}
"""
    plan = plan_recipe(parse(text))
    weights = {tensor.name: [own["weight"] for own in tensor.pieces[0].settings.models] for tensor in plan.tensors}
    ups = [weights[f"model.layers.{layer}.mlp.up_proj.weight"] for layer in range(3)]
    assert ups == [[1, 0], [0.5, 0.5], [0, 1]]
    assert weights["model.embed_tokens.weight"] == [1, 0]
    assert weights["lm_head.weight"] == [1, 0]  # measured in mergekit 0.1.4: only layers move along a gradient


def test_a_base_that_nothing_uses_is_an_error(tmp_path: Path) -> None:
    one, other, third = (model(tmp_path / name) for name in "abc")
    recipe = parse(linear({str(one): 0.5, str(other): 0.5}).as_yaml() + f"base_model: {third}\n")
    with pytest.raises(UsageError, match="does not use it"):
        plan_recipe(recipe)
