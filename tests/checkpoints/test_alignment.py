"""Alignment: the same tensor everywhere, or a reason; nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Alignment, Checkpoint, Component, Unaligned
from tests.factories import Tensor, write_checkpoint

H = 32


def zeros(*shape: int, dtype: str = "BF16") -> Tensor:
    return np.zeros(shape), dtype


def model(layers: int = 2) -> dict[str, Tensor]:
    tensors = {"model.embed_tokens.weight": zeros(100, H), "lm_head.weight": zeros(100, H)}
    for layer in range(layers):
        for part in "qkvo":
            tensors[f"model.layers.{layer}.self_attn.{part}_proj.weight"] = zeros(H, H)
        tensors[f"model.layers.{layer}.input_layernorm.weight"] = zeros(H)
        tensors[f"model.layers.{layer}.mlp.up_proj.weight"] = zeros(2 * H, H)
    return tensors


def opened(folder: Path, tensors: dict[str, Tensor], config: dict[str, Any] | None = None) -> Checkpoint:
    return open_checkpoint(str(write_checkpoint(folder, tensors, config=config)))


def nothing_is_lost(alignment: Alignment) -> None:
    """Every stored element of each checkpoint is aligned once or unaligned once."""
    for number, checkpoint in enumerate(alignment.checkpoints):
        aligned = sum(tensor.views[number].count for tensor in alignment.tensors)
        left = sum(item.count for item in alignment.unaligned if item.checkpoint == number)
        assert aligned + left == checkpoint.parameters


def reasons(alignment: Alignment, name: str) -> list[str]:
    return [item.reason for item in alignment.unaligned if item.name == name]


def test_equal_layouts_align_completely_in_the_file_order_of_the_first(tmp_path: Path) -> None:
    one, two = opened(tmp_path / "one", model()), opened(tmp_path / "two", model())
    alignment = align([one, two])
    assert alignment.unaligned == ()
    assert [tensor.views[0].ref.name for tensor in alignment.tensors] == list(one.tensors)
    assert alignment.share(0) == alignment.share(1) == 1.0
    assert not any(tensor.guessed for tensor in alignment.tensors)
    nothing_is_lost(alignment)


def test_prefixes_and_dtypes_may_differ(tmp_path: Path) -> None:
    renamed: dict[str, Tensor] = {
        name.replace("model.", "model.language_model."): zeros(*np.shape(tensor[0]), dtype="F32")
        for name, tensor in model().items()
    }
    alignment = align([opened(tmp_path / "one", model()), opened(tmp_path / "two", renamed)])
    assert alignment.unaligned == ()
    assert {view.ref.dtype.value for tensor in alignment.tensors for view in tensor.views} == {"BF16", "F32"}


def test_a_tensor_that_one_lacks_is_named_for_everyone_who_has_it(tmp_path: Path) -> None:
    extra = model() | {"mtp.fc.weight": zeros(H, 2 * H)}
    checkpoints = [opened(tmp_path / "a", extra), opened(tmp_path / "b", model()), opened(tmp_path / "c", extra)]
    alignment = align(checkpoints)
    expected = (
        Unaligned(0, "mtp.fc.weight", 2 * H * H, "missing in b"),
        Unaligned(2, "mtp.fc.weight", 2 * H * H, "missing in b"),
    )
    assert alignment.unaligned == expected
    nothing_is_lost(alignment)


def test_different_vocabularies_show_both_shapes(tmp_path: Path) -> None:
    larger = model() | {"model.embed_tokens.weight": zeros(150, H)}
    alignment = align([opened(tmp_path / "a", model()), opened(tmp_path / "b", larger)])
    assert reasons(alignment, "model.embed_tokens.weight") == [
        f"shape [100, {H}] here, [150, {H}] in b",
        f"shape [150, {H}] here, [100, {H}] in a",
    ]
    nothing_is_lost(alignment)


def test_the_same_number_of_elements_in_another_shape_does_not_align(tmp_path: Path) -> None:
    turned = model() | {"lm_head.weight": zeros(H, 100)}
    alignment = align([opened(tmp_path / "a", model()), opened(tmp_path / "b", turned)])
    assert len(reasons(alignment, "lm_head.weight")) == 2


def test_sides_of_one_do_not_matter(tmp_path: Path) -> None:
    name = "model.layers.0.linear_attn.conv1d.weight"
    alignment = align([opened(tmp_path / "a", {name: zeros(64, 1, 4)}), opened(tmp_path / "b", {name: zeros(64, 4)})])
    assert [tensor.shape for tensor in alignment.tensors] == [(64, 1, 4)]


def test_formats_that_cannot_be_compared_are_named_on_both_sides(tmp_path: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    eight: dict[str, Tensor] = {name: (bytes(2 * H * H), "F8_E4M3", (2 * H, H))}
    alignment = align([opened(tmp_path / "a", model() | eight), opened(tmp_path / "b", model())])
    assert reasons(alignment, name) == ["stored as F8_E4M3, which cannot be compared", "stored as F8_E4M3 in a"]
    nothing_is_lost(alignment)


def test_integer_buffers_are_unaligned_with_their_format(tmp_path: Path) -> None:
    buffer: dict[str, Tensor] = {"model.position_ids": np.arange(5)}
    alignment = align([opened(tmp_path / x, model() | buffer) for x in "ab"])
    assert reasons(alignment, "model.position_ids") == ["stored as I64, which cannot be compared"] * 2
    nothing_is_lost(alignment)


def test_empty_tensors_are_not_compared(tmp_path: Path) -> None:
    alignment = align([opened(tmp_path / x, model() | {"model.nothing": zeros(0, 4)}) for x in "ab"])
    assert reasons(alignment, "model.nothing") == ["empty"] * 2


def test_the_same_weights_under_two_spellings_are_not_counted_twice(tmp_path: Path) -> None:
    twice = model() | {"model.language_model.layers.0.mlp.up_proj.weight": zeros(2 * H, H)}
    alignment = align([opened(tmp_path / "a", twice), opened(tmp_path / "b", model())])
    assert len(reasons(alignment, "model.layers.0.mlp.up_proj.weight")) == 1
    nothing_is_lost(alignment)


def test_a_tied_head_is_compared_with_a_stored_one(tmp_path: Path) -> None:
    tied = {name: tensor for name, tensor in model().items() if name != "lm_head.weight"}
    alignment = align([opened(tmp_path / "a", model()), opened(tmp_path / "b", tied, {"tie_word_embeddings": True})])
    head = next(tensor for tensor in alignment.tensors if tensor.component is Component.HEAD)
    assert [view.ref.name for view in head.views] == ["lm_head.weight", "model.embed_tokens.weight"]
    assert alignment.unaligned == ()


def test_heads_that_are_all_tied_are_not_duplicated(tmp_path: Path) -> None:
    tied = {name: tensor for name, tensor in model().items() if name != "lm_head.weight"}
    alignment = align([opened(tmp_path / x, tied, {"tie_word_embeddings": True}) for x in "ab"])
    assert not any(tensor.component is Component.HEAD for tensor in alignment.tensors)
    nothing_is_lost(alignment)


def test_a_missing_head_that_is_not_tied_is_missing(tmp_path: Path) -> None:
    headless = {name: tensor for name, tensor in model().items() if name != "lm_head.weight"}
    alignment = align(
        [opened(tmp_path / "a", model()), opened(tmp_path / "b", headless, {"tie_word_embeddings": False})]
    )
    assert reasons(alignment, "lm_head.weight") == ["missing in b"]


def test_a_tied_head_of_another_size_is_charged_only_to_the_one_that_stores_it(tmp_path: Path) -> None:
    tied = {"model.embed_tokens.weight": zeros(150, H)}
    alignment = align([opened(tmp_path / "a", model()), opened(tmp_path / "b", tied, {"tie_word_embeddings": True})])
    assert [item.checkpoint for item in alignment.unaligned if item.name == "lm_head.weight"] == [0]
    nothing_is_lost(alignment)


TASK = {
    f"{part}.layer.{n}.{what}.weight": zeros(H, H) for part in ("encoder",) for n in range(3) for what in ("a", "b")
}


@pytest.mark.parametrize("prefix", ["bert.", "module.vit.", "student.", "model.encoder_model."])
def test_a_prefix_that_only_some_have_is_set_aside_and_said(tmp_path: Path, prefix: str) -> None:
    """Several matrices of one shape in a layer: only names can pair them."""
    task = {f"{prefix}{name}": tensor for name, tensor in TASK.items()} | {"classifier.weight": zeros(2, H)}
    models = [opened(tmp_path / "base", TASK), opened(tmp_path / "task", task), opened(tmp_path / "other", TASK)]
    for asked in (models, models[::-1], models[1:], models[:2], [models[1], models[1], models[0]]):
        alignment = align(asked)
        assert len(alignment.tensors) == len(TASK)
        assert not any(tensor.guessed for tensor in alignment.tensors)
        for tensor in alignment.tensors:
            assert len({view.ref.name.removeprefix(prefix) for view in tensor.views}) == 1
        assert any(repr(prefix) in note and "task" in note for note in alignment.notes)
        nothing_is_lost(alignment)


def test_models_that_are_spelled_alike_need_no_note(tmp_path: Path) -> None:
    assert align([opened(tmp_path / x, model()) for x in "ab"]).notes == ()


def renamed(old: str, new: str) -> dict[str, Tensor]:
    return {name.replace(old, new): tensor for name, tensor in model().items()}


def test_a_renamed_matrix_that_is_alone_of_its_shape_is_guessed_and_marked(tmp_path: Path) -> None:
    checkpoints = [
        opened(tmp_path / "a", model()),
        opened(tmp_path / "b", renamed("up_proj", "expand")),
        opened(tmp_path / "c", model()),
    ]
    alignment = align(checkpoints)
    guessed = [tensor for tensor in alignment.tensors if tensor.guessed]
    assert [[view.ref.name for view in tensor.views] for tensor in guessed] == [
        [f"model.layers.{i}.mlp.{part}.weight" for part in ("up_proj", "expand", "up_proj")] for i in range(2)
    ]
    assert alignment.unaligned == ()
    nothing_is_lost(alignment)


def test_matrices_that_could_be_either_are_never_guessed(tmp_path: Path) -> None:
    other = {name.replace("q_proj", "x").replace("k_proj", "y"): tensor for name, tensor in model().items()}
    alignment = align([opened(tmp_path / "a", model()), opened(tmp_path / "b", other)])
    assert not any(tensor.guessed for tensor in alignment.tensors)
    assert len(alignment.unaligned) == 8
    nothing_is_lost(alignment)


def test_vectors_are_never_guessed(tmp_path: Path) -> None:
    alignment = align([opened(tmp_path / "a", model()), opened(tmp_path / "b", renamed("input_", "other_"))])
    assert not any(tensor.guessed for tensor in alignment.tensors)
    nothing_is_lost(alignment)


def test_checkpoints_with_nothing_in_common_give_an_empty_alignment(tmp_path: Path) -> None:
    alignment = align([opened(tmp_path / "a", model()), opened(tmp_path / "b", {"x": zeros(3, 4)})])
    assert alignment.tensors == ()
    assert alignment.share(0) == alignment.share(1) == 0.0
    nothing_is_lost(alignment)


def test_a_checkpoint_aligns_with_itself_alone(tmp_path: Path) -> None:
    alignment = align([opened(tmp_path / "a", model())])
    assert len(alignment.tensors) == len(model())
    assert alignment.unaligned == ()


def test_no_checkpoints_align_to_nothing() -> None:
    assert align([]) == Alignment((), (), ())


NAMES = ["model.layers.0.a.weight", "layers.0.a.weight", "model.layers.0.mlp.b.weight", "lm_head.weight", "x.y"]
TENSORS = st.dictionaries(
    st.sampled_from([*NAMES, "model.embed_tokens.weight", "model.layers.0.mlp.experts.gate_up_proj"]),
    st.sampled_from([(2, 3), (3, 2), (4,), (2, 1, 3), (2, 4, 3), (0, 2)]),
    min_size=1,
)


@given(st.lists(TENSORS, min_size=1, max_size=3))
def test_every_element_is_aligned_once_or_unaligned_once_whatever_is_stored(
    tmp_path_factory: Any, layouts: list[dict[str, tuple[int, ...]]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    checkpoints = [
        opened(folder / str(i), {name: zeros(*shape) for name, shape in layout.items()})
        for i, layout in enumerate(layouts)
    ]
    alignment = align(checkpoints)
    nothing_is_lost(alignment)
    for tensor in alignment.tensors:
        assert len({view.count for view in tensor.views}) == 1
        assert len(tensor.views) == len(checkpoints)
