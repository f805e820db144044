"""Which files of a folder are the model: the default of its family; everything else is named aloud, never added up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import (
    CheckpointNotFoundError,
    ForeignLinkError,
    InvalidCheckpointError,
    ModelprovError,
    UnsupportedFormatError,
)
from tests.factories import Tensor, write_checkpoint, write_index, write_safetensors

BEST, OTHER = 1.0, 2.0
NAMES = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(4)]


def weights(value: float, names: list[str] = NAMES) -> dict[str, Tensor]:
    return {name: np.full((2, 3), value, np.float32) for name in names}


def write(folder: Path, *files: str, value: float = BEST) -> None:
    """The same model in one file, or dealt to several."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        write_safetensors(folder / file, weights(value, NAMES[number :: len(files)]))


def read(folder: Path) -> tuple[set[float], int, tuple[str, ...]]:
    """The values, the number of elements and the notes of what was opened."""
    checkpoint = open_checkpoint(str(folder))
    values = set()
    for ref in checkpoint.tensors.values():
        raw = bytearray(ref.stop - ref.start)
        checkpoint.source.read_into(ref.shard, ref.start, memoryview(raw))
        values |= set(np.frombuffer(raw, np.float32).tolist())
    assert set(checkpoint.notes) <= set(inspect_checkpoint(checkpoint).warnings)
    return values, checkpoint.parameters, checkpoint.notes


DEALT = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
DEFAULTS = {
    "one file": ("model.safetensors",),
    "diffusers": ("diffusion_pytorch_model.safetensors",),
    "shards": DEALT,
    "shards without a total": ("model-00001.safetensors", "model-00002.safetensors"),
    "one file of another name": ("weights.safetensors",),
}
OTHERS = {
    "half precision": ("{stem}.fp16.safetensors",),
    "brain floats": ("{stem}.bf16.safetensors",),
    "not averaged": ("{stem}.non_ema.safetensors",),
    "both": ("{stem}.fp16.safetensors", "{stem}.non_ema.safetensors"),
    "sharded variant": ("{stem}.fp16-00001-of-00002.safetensors", "{stem}.fp16-00002-of-00002.safetensors"),
    "sharded variant as it was": ("{stem}-00001-of-00002.fp16.safetensors", "{stem}-00002-of-00002.fp16.safetensors"),
    "the maker's format": ("consolidated.safetensors",),
    "the maker's format, dealt": ("consolidated-00001-of-00002.safetensors", "consolidated-00002-of-00002.safetensors"),
    "the maker's ranks": ("consolidated.00.safetensors", "consolidated.01.safetensors"),
    "optimizer": ("optimizer.safetensors",),
    "training": ("scheduler.safetensors", "random_states_0.safetensors", "optimizer_1.safetensors"),
    "adapter": ("adapter_model.safetensors",),
    "adapter of diffusers": ("pytorch_lora_weights.safetensors",),
}


@pytest.mark.parametrize("others", OTHERS)
@pytest.mark.parametrize("default", DEFAULTS)
@pytest.mark.parametrize("index", [False, True])
def test_the_default_is_read_and_the_rest_named(tmp_path: Path, default: str, others: str, index: bool) -> None:
    files = DEFAULTS[default]
    stem = files[0].removesuffix(".safetensors").split("-0")[0]
    rest = [name.format(stem=stem) for name in OTHERS[others]]
    write(tmp_path, *files)
    write(tmp_path, *rest, value=OTHER)
    if index:
        held = {name: files[number] for number in range(len(files)) for name in NAMES[number :: len(files)]}
        write_index(tmp_path, held, f"{stem}.safetensors.index.json")
        write_index(tmp_path, {"x": "gone.safetensors"}, f"{stem}.safetensors.index.fp16.json")
        write_index(tmp_path, {"x": "gone.safetensors"}, "consolidated.safetensors.index.json")
    values, elements, notes = read(tmp_path)
    assert values == {BEST}
    assert elements == 6 * len(NAMES)
    for name in rest:
        assert any(name in note for note in notes), name


@pytest.mark.parametrize("second", ["pytorch_model", "old"])
def test_another_set_of_shards_is_a_second_copy(tmp_path: Path, second: str) -> None:
    write(tmp_path, *DEALT)
    write(tmp_path, *(name.replace("model", second) for name in DEALT), value=OTHER)
    values, elements, notes = read(tmp_path)
    assert (values, elements) == ({BEST}, 6 * len(NAMES))
    assert any(second in note for note in notes)


def test_the_default_file_beside_shards_that_no_index_names_is_the_model(tmp_path: Path) -> None:
    write(tmp_path, "model.safetensors")
    write(tmp_path, *DEALT, value=OTHER)
    values, elements, notes = read(tmp_path)
    assert (values, elements) == ({BEST}, 6 * len(NAMES))
    assert any(all(name in note for name in DEALT) for note in notes)


def single(value: object) -> dict[str, Tensor]:
    """The tensors of the single file, changed."""
    changed = {name: np.full((2, 3), OTHER, np.float32) for name in NAMES}
    return changed | value if isinstance(value, dict) else dict(list(changed.items())[:3])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "same names, shapes and formats (whether of the same bits was not looked at)"),
        ({"model.norm.weight": np.ones(3, np.float32)}, "1 only in it, e.g. 'model.norm.weight'"),
        (None, "1 missing in it, e.g. 'model.layers.3.mlp.up_proj.weight'"),
        ({NAMES[1]: np.ones((3, 2), np.float32)}, "1 of another shape or format in it, e.g. 'model.layers.1.mlp"),
        ({NAMES[1]: (np.ones((2, 3)), "BF16")}, "1 of another shape or format in it, e.g. 'model.layers.1.mlp"),
    ],
)
def test_the_index_is_followed_and_what_else_programs_would_load_is_said(
    tmp_path: Path, change: object, said: str
) -> None:
    write(tmp_path, *DEALT)
    write_safetensors(tmp_path / "model.safetensors", single(change))
    write_index(tmp_path, {name: DEALT[number % 2] for number, name in enumerate(NAMES)})
    values, _, notes = read(tmp_path)
    assert values == {BEST}
    note, share = notes
    assert "'model.safetensors' (" in share
    assert said in note
    assert ("holds another model" in note) is (change != {})
    assert "transformers would take model.safetensors first, vLLM takes the files that the index names" in note


@pytest.mark.parametrize("kind", ["rubbish", "a link", "a folder"])
def test_a_single_file_that_cannot_be_read_spoils_nothing(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "model"
    write(folder, *DEALT)
    write_index(folder, {name: DEALT[number % 2] for number, name in enumerate(NAMES)})
    if kind == "rubbish":
        (folder / "model.safetensors").write_bytes(b"no header")
    elif kind == "a folder":
        (folder / "model.safetensors").mkdir()
    else:
        write(tmp_path / "elsewhere", "model.safetensors")
        (folder / "model.safetensors").symlink_to(tmp_path / "elsewhere" / "model.safetensors")
    values, _, notes = read(folder)
    assert values == {BEST}
    assert ["cannot be read (" in note and "transformers would take" in note for note in notes][:1] == [True]
    assert all("of all weights files here were read" in note for note in notes[1:])


def test_a_variant_alone_is_the_model_and_its_own_index_is_followed(tmp_path: Path) -> None:
    dealt = tuple(name.replace("model", "model.fp16") for name in DEALT)
    write(tmp_path, *dealt)
    assert read(tmp_path)[:2] == ({BEST}, 6 * len(NAMES))
    assert any("fp16" in note for note in read(tmp_path)[2])
    index = {name: dealt[number % 2] for number, name in enumerate(NAMES)}
    path = write_index(tmp_path, index, "model.safetensors.index.fp16.json")
    write(tmp_path, "model.bf16.safetensors", value=OTHER)
    assert read(tmp_path)[:2] == ({BEST}, 6 * len(NAMES))
    assert open_checkpoint(str(path)).parameters == 6 * len(NAMES)


def test_several_variants_without_a_default_are_a_question_to_the_user(tmp_path: Path) -> None:
    write(tmp_path, "model.fp16.safetensors")
    write(tmp_path, "model.non_ema.safetensors", value=OTHER)
    with pytest.raises(InvalidCheckpointError, match=r"several variants.*fp16.*non_ema") as caught:
        read(tmp_path)
    assert "path" in caught.value.advice
    assert open_checkpoint(str(tmp_path / "model.fp16.safetensors")).parameters == 6 * len(NAMES)


def test_the_makers_format_alone_is_the_model(tmp_path: Path) -> None:
    write(tmp_path, "consolidated.00.safetensors", "consolidated.01.safetensors")
    assert read(tmp_path)[:2] == ({BEST}, 6 * len(NAMES))


def test_parts_whose_names_say_what_they_hold_all_belong(tmp_path: Path) -> None:
    write(tmp_path, "model.layers.0.safetensors", "model.layers.1.safetensors", "lm_head.safetensors")
    assert read(tmp_path)[1] == 6 * len(NAMES)


def test_a_shard_that_the_names_promise_is_missed_aloud(tmp_path: Path) -> None:
    write(tmp_path, *DEALT)
    (tmp_path / DEALT[1]).unlink()
    assert any("2 files" in note for note in read(tmp_path)[2])


@pytest.mark.parametrize("file", ["optimizer.safetensors", "scheduler.safetensors", "random_states_0.safetensors"])
def test_the_state_of_a_training_run_alone_is_no_model(tmp_path: Path, file: str) -> None:
    write(tmp_path, file)
    with pytest.raises(UnsupportedFormatError, match="training run"):
        open_checkpoint(str(tmp_path))


def test_a_pipeline_names_its_sub_folders(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    for part in ("text_encoder", "unet", "vae"):
        write(tmp_path / part, "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors")
    write(tmp_path, "whole.safetensors")
    with pytest.raises(UnsupportedFormatError, match=r"text_encoder.*unet.*vae") as caught:
        open_checkpoint(str(tmp_path))
    assert "Give the folder" in caught.value.advice
    assert open_checkpoint(str(tmp_path / "unet")).parameters


def test_a_folder_of_checkpoints_names_them(tmp_path: Path) -> None:
    for step in ("checkpoint-500", "checkpoint-1000"):
        write(tmp_path / step, "model.safetensors")
    with pytest.raises(CheckpointNotFoundError, match=r"checkpoint-1000.*checkpoint-500"):
        open_checkpoint(str(tmp_path))


@pytest.mark.parametrize("inside", ["original", "checkpoint-500"])
def test_weights_in_sub_folders_are_named_and_not_read(tmp_path: Path, inside: str) -> None:
    write(tmp_path, "model.safetensors")
    write(tmp_path / inside, "consolidated.safetensors", value=OTHER)
    values, elements, notes = read(tmp_path)
    assert (values, elements) == ({BEST}, 6 * len(NAMES))
    assert any(inside in note for note in notes)


def test_a_pipeline_is_all_of_its_models_each_under_its_name(tmp_path: Path) -> None:
    index = {
        "_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"], "text_encoder": ["transformers", "CLIPTextModel"],
        "safety_checker": [None, None],
    }  # fmt: skip
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    write(tmp_path / "unet", *(f"diffusion_pytorch_model-0000{n}-of-00002.safetensors" for n in (1, 2)), value=BEST)
    write(tmp_path / "vae", "diffusion_pytorch_model.fp16.safetensors", value=OTHER)
    write(tmp_path / "text_encoder", "model.safetensors", value=3.0)
    write(tmp_path / "safety_checker", "model.safetensors", value=4.0)
    write(tmp_path, "all.safetensors", value=5.0)
    values, elements, notes = read(tmp_path)
    assert (values, elements) == ({BEST, OTHER, 3.0}, 3 * 6 * len(NAMES))
    opened = open_checkpoint(str(tmp_path))
    assert opened.tensors.keys() == {f"{part}.{name}" for part in ("unet", "vae", "text_encoder") for name in NAMES}
    assert {shard.name.partition("/")[0] for shard in opened.shards} == {"unet", "vae", "text_encoder"}
    assert any(note.startswith("vae: the variant 'fp16' is all that is here") for note in notes)
    assert any("does not name, not read: 'safety_checker'" in note for note in notes)
    assert any("beside the pipeline, not read: 'all.safetensors'" in note for note in notes)


def sentence_transformer(folder: Path, transformer: str) -> None:
    modules = [
        {"idx": 0, "name": "0", "path": transformer, "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "modules.json").write_text(json.dumps(modules))


@pytest.mark.parametrize("transformer", ["", "0_Transformer"])
def test_the_transformer_of_a_sentence_transformer_is_the_model(tmp_path: Path, transformer: str) -> None:
    sentence_transformer(tmp_path, transformer)
    write_checkpoint(tmp_path / transformer, weights(BEST), config={"model_type": "bert"})
    write(tmp_path / "2_Dense", "model.safetensors", value=OTHER)
    write(tmp_path / "3_Other", "model.safetensors", value=OTHER)
    values, _, notes = read(tmp_path)
    assert values == {BEST, OTHER}
    opened = open_checkpoint(str(tmp_path))
    assert opened.config == {"model_type": "bert"}
    assert opened.tensors.keys() == {*NAMES, *(f"2_Dense.{name}" for name in NAMES)}
    assert any("read with the modules '2_Dense'" in note for note in notes)
    assert any("not read: '3_Other'" in note for note in notes)
    assert any(f"read from the sub-folder '{transformer}'" in note for note in notes) == bool(transformer)


@pytest.mark.parametrize("place", ["../outside", "/etc", "a/../../outside", "a\\..\\b"])
def test_modules_that_lead_out_of_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    write(tmp_path / "outside", "model.safetensors")
    sentence_transformer(tmp_path / "model", place)
    with pytest.raises(InvalidCheckpointError, match="outside the folder"):
        open_checkpoint(str(tmp_path / "model"))


def test_a_module_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "outside", "model.safetensors")
    sentence_transformer(tmp_path / "model", "0_Transformer")
    (tmp_path / "model" / "0_Transformer").symlink_to(tmp_path / "outside")
    with pytest.raises(ForeignLinkError):
        open_checkpoint(str(tmp_path / "model"))


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[]", "[1]", '[{"path": 1}]', '[{"path": "gone", "type": "Transformer"}]']
)
def test_odd_lists_of_modules_are_no_more_than_an_error(tmp_path: Path, text: str) -> None:
    write(tmp_path, "model.safetensors")
    (tmp_path / "modules.json").write_text(text)
    try:
        assert read(tmp_path)[0] == {BEST}
    except ModelprovError as error:
        assert "modules.json" in error.message  # noqa: PT017
