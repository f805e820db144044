"""Opening checkpoints: what is read, what is refused and in which words."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import (
    CheckpointNotFoundError,
    DuplicateTensorError,
    InvalidCheckpointError,
    MissingShardError,
    TruncatedShardError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from tests.factories import Tensor, write_checkpoint, write_index, write_safetensors

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def weights(count: int = 6) -> dict[str, Tensor]:
    return {f"layers.{i}.w": (np.full((2, 3), i, np.float64), "BF16") for i in range(count)}


def test_a_sharded_folder_with_an_index_opens(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights(), shards=3, config={"model_type": "llama"})
    checkpoint = open_checkpoint(str(folder))
    assert checkpoint.label == "model"
    assert checkpoint.location == str(folder)
    assert checkpoint.tensors.keys() == weights().keys()
    assert len(checkpoint.shards) == 3
    assert checkpoint.config == {"model_type": "llama"}
    assert checkpoint.parameters == 36
    assert checkpoint.metadata == {"format": "pt"}
    assert checkpoint.revision is None
    assert checkpoint.notes == ()


def test_the_bytes_of_every_tensor_are_where_the_checkpoint_says(tmp_path: Path) -> None:
    tensors: dict[str, Tensor] = {f"w{i}": np.full((3, i + 1), i, np.float32) for i in range(5)}
    checkpoint = open_checkpoint(str(write_checkpoint(tmp_path / "model", tensors, shards=2)))
    for name, ref in checkpoint.tensors.items():
        raw = bytearray(ref.stop - ref.start)
        checkpoint.source.read_into(ref.shard, ref.start, memoryview(raw))
        array = tensors[name]
        assert isinstance(array, np.ndarray)
        assert bytes(raw) == array.tobytes()


def test_shards_without_an_index_and_with_odd_names_all_belong(tmp_path: Path) -> None:
    folder = write_checkpoint(
        tmp_path / "model", weights(), shards=3, index=False, shard_name="model-{number:05d}.safetensors"
    )
    assert open_checkpoint(str(folder)).tensors.keys() == weights().keys()


def test_a_single_file_opens_and_takes_the_config_beside_it(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights(), config={"a": 1})
    checkpoint = open_checkpoint(str(folder / "model.safetensors"))
    assert checkpoint.tensors.keys() == weights().keys()
    assert checkpoint.config == {"a": 1}


def test_shards_in_folders_of_their_own_are_named_from_the_models_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "part").mkdir(parents=True)
    for name, tensor in (("part/x.safetensors", "b"), ("y.safetensors", "a")):
        write_safetensors(folder / name, {tensor: np.ones(3, np.float32)})
    write_index(folder, {"a": "./y.safetensors", "b": "part//x.safetensors"})
    (folder / "config.json").write_text('{"model_type": "llama"}')
    checkpoint = open_checkpoint(str(folder))
    assert [(shard.name, shard.file_name) for shard in checkpoint.shards] == [
        ("part/x.safetensors", "x.safetensors"),
        ("y.safetensors", "y.safetensors"),
    ]
    assert [checkpoint.source.place(number) for number in range(2)] == [
        str(folder / "part" / "x.safetensors"),
        str(folder / "y.safetensors"),
    ]
    assert checkpoint.home == folder
    assert checkpoint.config == {"model_type": "llama"}


def test_opening_leaves_no_file_open(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights(), shards=3)
    held = Path("/proc/self/fd")
    if not held.exists():
        pytest.skip("counts open files in /proc")
    before = len(list(held.iterdir()))
    opened = open_checkpoint(str(folder))
    assert len(list(held.iterdir())) == before
    assert len(opened.shards) == 3


def test_an_index_may_have_any_name_and_may_be_given_itself(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights(), shards=2)
    (folder / "model.safetensors.index.json").rename(folder / "other.safetensors.index.json")
    assert len(open_checkpoint(str(folder)).tensors) == 6
    assert len(open_checkpoint(str(folder / "other.safetensors.index.json")).tensors) == 6


def test_of_several_indexes_the_usual_one_counts(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights(), shards=2)
    write_index(folder, {"x": "gone.safetensors"}, "consolidated.safetensors.index.json")
    assert len(open_checkpoint(str(folder)).tensors) == 6


def test_several_unusual_indexes_are_a_question_to_the_user(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights())
    for name in ("a", "b"):
        write_index(folder, {"layers.0.w": "model.safetensors"}, f"{name}.safetensors.index.json")
    with pytest.raises(InvalidCheckpointError, match="several indexes"):
        open_checkpoint(str(folder))


def test_tensors_are_in_file_order(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(write_checkpoint(tmp_path / "model", weights(), shards=3)))
    places = [(ref.shard, ref.start) for ref in checkpoint.tensors.values()]
    assert places == sorted(places)


def test_files_that_the_index_does_not_name_are_noted_not_read(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights(), shards=2)
    write_safetensors(folder / "consolidated.safetensors", {"tok": np.zeros(3, np.float32)})
    checkpoint = open_checkpoint(str(folder))
    assert "tok" not in checkpoint.tensors
    assert any("consolidated.safetensors" in note for note in checkpoint.notes)


def test_tensors_that_the_index_omits_are_kept_and_noted(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights())
    write_index(folder, {"layers.0.w": "model.safetensors"})
    checkpoint = open_checkpoint(str(folder))
    assert len(checkpoint.tensors) == 6
    assert any("5 tensors" in note for note in checkpoint.notes)


def test_a_shard_that_the_index_names_but_is_gone_is_an_error(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights(), shards=3)
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(MissingShardError, match="model-00002-of-00003"):
        open_checkpoint(str(folder))


def test_a_tensor_that_is_not_in_its_shard_is_an_error(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights())
    write_index(folder, dict.fromkeys([*weights(), "phantom"], "model.safetensors"))
    with pytest.raises(MissingShardError, match="phantom"):
        open_checkpoint(str(folder))


def test_a_tensor_that_is_in_another_shard_than_the_index_says_is_an_error(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights(), shards=2)
    index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    first, *_, last = index
    index[first] = index[last]
    write_index(folder, index)
    with pytest.raises(MissingShardError, match=first):
        open_checkpoint(str(folder))


def test_two_shards_that_claim_one_tensor_are_an_error(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights(), shards=2, index=False)
    write_safetensors(folder / "again.safetensors", {"layers.0.w": np.zeros(3, np.float32)})
    with pytest.raises(DuplicateTensorError, match=r"layers\.0\.w.*again.*model-00001"):
        open_checkpoint(str(folder))


@pytest.mark.parametrize("name", ["../secret.safetensors", "a/../../secret.safetensors", "C:\\secret.safetensors", ""])
def test_an_index_that_points_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    write_safetensors(tmp_path / "secret.safetensors", weights())
    folder = write_checkpoint(tmp_path / "model", weights())
    write_index(folder, {"layers.0.w": name})
    with pytest.raises(InvalidCheckpointError, match="outside the folder"):
        open_checkpoint(str(folder))


def test_an_index_with_an_absolute_path_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights())
    write_index(folder, {"layers.0.w": str(folder / "model.safetensors")})
    with pytest.raises(InvalidCheckpointError, match="outside the folder"):
        open_checkpoint(str(folder))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', "[" * 100_000])
def test_a_broken_index_is_an_error(tmp_path: Path, text: str) -> None:
    folder = write_checkpoint(tmp_path / "model", weights())
    (folder / "model.safetensors.index.json").write_text(text)
    with pytest.raises(InvalidCheckpointError, match=r"index\.json"):
        open_checkpoint(str(folder))


@pytest.mark.parametrize("text", ["{", "[]", "\udcff"])
def test_a_broken_config_is_an_error(tmp_path: Path, text: str) -> None:
    folder = write_checkpoint(tmp_path / "model", weights())
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidCheckpointError, match=r"config\.json"):
        open_checkpoint(str(folder))


def test_nothing_at_the_place_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError) as caught:
        open_checkpoint(str(tmp_path / "nowhere"))
    assert caught.value.advice


def test_a_path_with_a_null_byte_is_not_found() -> None:
    with pytest.raises(CheckpointNotFoundError):
        open_checkpoint("a\0b")


def test_an_empty_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError, match=r"no \.safetensors file"):
        open_checkpoint(str(tmp_path))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"])
def test_bare_pickles_are_never_opened(tmp_path: Path, name: str) -> None:
    # A pickle that would make a file when opened.
    made = tmp_path / "made"
    (tmp_path / name).write_bytes(f"cos\nsystem\n(S'touch {made}'\ntR.".encode())
    for location in (tmp_path, tmp_path / name):
        with pytest.raises(UnsupportedFormatError, match="never opened") as caught:
            open_checkpoint(str(location))
        assert "safetensors" in caught.value.advice
    assert not made.exists()


@pytest.mark.parametrize(
    ("file", "what", "advice"),
    [
        ("__0_0.distcp", "DCP", "dcp_to_torch"), ("model.onnx", "ONNX", "exported"),
        ("tf_model.h5", "Keras", "from_tf"),
        ("flax_model.msgpack", "Flax", "from_flax"), ("weights.npz", "NumPy", "save_file"),
    ],
)  # fmt: skip
def test_weights_of_other_programs_are_refused_by_name_with_the_way_to_convert_them(
    tmp_path: Path, file: str, what: str, advice: str
) -> None:
    (tmp_path / file).write_bytes(b"x")
    for location in (tmp_path, tmp_path / file):
        with pytest.raises(UnsupportedFormatError, match=what) as caught:
            open_checkpoint(str(location))
        assert advice in caught.value.advice


def test_a_gguf_file_that_ends_in_its_header_is_truncated(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(TruncatedShardError, match="header"):
        open_checkpoint(str(tmp_path))


@pytest.mark.parametrize("by", ["file", "folder", "config only", "names"])
def test_an_adapter_alone_is_refused_with_the_way_to_merge_it(tmp_path: Path, by: str) -> None:
    adapter: dict[str, Tensor] = {"base_model.model.layers.0.q_proj.lora_A.weight": np.zeros((8, 16), np.float32)}
    if by == "config only":
        (tmp_path / "adapter_config.json").write_text("{}")
    else:
        name = "renamed.safetensors" if by == "names" else "adapter_model.safetensors"
        write_safetensors(tmp_path / name, adapter)
    location = tmp_path / "adapter_model.safetensors" if by == "file" else tmp_path
    with pytest.raises(UnsupportedFormatError, match="LoRA") as caught:
        open_checkpoint(str(location))
    assert "Merge" in caught.value.advice


def test_an_adapter_beside_a_model_is_left_out_and_noted(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", weights())
    write_safetensors(folder / "adapter_model.safetensors", {"x.lora_A": np.zeros(3, np.float32)})
    checkpoint = open_checkpoint(str(folder))
    assert checkpoint.tensors.keys() == weights().keys()
    assert "adapter_model" in checkpoint.notes[0]


def test_a_folder_that_is_called_like_a_shard_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(UnreadableFileError, match="not a regular file"):
        open_checkpoint(str(tmp_path))


def test_an_input_output_error_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(UnreadableFileError, match="Input/output error"):
        open_checkpoint(str(tmp_path))


def cached(tmp_path: Path) -> Path:
    """A Hugging Face cache as the Hub library lays it out: blobs, and a snapshot of links."""
    repository = tmp_path / "hub" / "models--org--name"
    blobs = write_checkpoint(repository / "blobs", weights(), config={"model_type": "llama"})
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for file in blobs.iterdir():
        os.symlink(os.path.relpath(file, snapshot), snapshot / file.name)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return snapshot


def test_a_snapshot_folder_of_links_opens_and_records_its_commit(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(cached(tmp_path)))
    assert checkpoint.revision == COMMIT
    assert checkpoint.label == "name"
    assert checkpoint.tensors.keys() == weights().keys()


@pytest.mark.parametrize("location", ["org/name", "org/name@main", f"org/name@{COMMIT}"])
def test_a_repository_id_is_found_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    cached(tmp_path)
    use_cache(tmp_path, monkeypatch)
    checkpoint = open_checkpoint(location)
    assert checkpoint.revision == COMMIT
    assert checkpoint.label == "name"
    assert checkpoint.location == location


@pytest.mark.parametrize("location", ["org/other", "org/name@branch"])
def test_a_repository_that_is_not_in_the_cache_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    cached(tmp_path)
    use_cache(tmp_path, monkeypatch)
    with pytest.raises(CheckpointNotFoundError, match="cache") as caught:
        open_checkpoint(location)
    assert f"hf download {location.partition('@')[0]}" in caught.value.advice
    assert "HF_HUB_OFFLINE" in caught.value.advice


def use_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
