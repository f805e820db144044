"""Digests change with what they cover and with nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints import digests
from modelprov.checkpoints.digests import manifest_digest, sampled_digest, weights_digest
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.sources.local import LocalFiles
from tests.factories import Tensor, write_checkpoint


def write(folder: Path, value: float = 1.0, side: int = 50) -> Path:
    tensors: dict[str, Tensor] = {f"w{i}": np.full((side, 3), value, np.float32) for i in range(4)}
    return write_checkpoint(folder, tensors, shards=2)


def test_both_are_unchanged_when_the_folder_is_moved(tmp_path: Path) -> None:
    one, two = (open_checkpoint(str(write(tmp_path / name))) for name in ("one", "two"))
    assert manifest_digest(one) == manifest_digest(two)
    assert weights_digest(one) == weights_digest(two)


def test_a_changed_value_changes_only_the_digest_of_the_weights(tmp_path: Path) -> None:
    one, two = (open_checkpoint(str(write(tmp_path / str(value), value))) for value in (1.0, 2.0))
    assert manifest_digest(one) == manifest_digest(two)
    assert weights_digest(one) != weights_digest(two)


def test_a_changed_shape_changes_the_manifest(tmp_path: Path) -> None:
    one, two = (open_checkpoint(str(write(tmp_path / str(side), side=side))) for side in (50, 51))
    assert manifest_digest(one) != manifest_digest(two)


def test_a_renamed_shard_changes_the_manifest(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    before = manifest_digest(open_checkpoint(str(folder)))
    (folder / "model.safetensors.index.json").unlink()
    (folder / "model-00001-of-00002.safetensors").rename(folder / "first.safetensors")
    assert manifest_digest(open_checkpoint(str(folder))) != before


def test_they_are_what_the_documentation_says(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(write(tmp_path / "model")))
    manifest, weights = "", ""
    for path in sorted((tmp_path / "model").glob("*.safetensors")):
        raw = path.read_bytes()
        header = raw[8 : 8 + int.from_bytes(raw[:8], "little")]
        manifest += f"{path.name}\t{len(raw)}\t{hashlib.sha256(header).hexdigest()}\n"
        weights += f"{path.name}\t{len(raw)}\t{hashlib.sha256(raw).hexdigest()}\n"
    assert manifest_digest(checkpoint) == hashlib.sha256(manifest.encode()).hexdigest()
    assert weights_digest(checkpoint) == hashlib.sha256(weights.encode()).hexdigest()


def test_pieces_do_not_change_the_digest_and_progress_adds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = open_checkpoint(str(write(tmp_path / "model")))
    whole = weights_digest(checkpoint)
    monkeypatch.setattr(digests, "CHUNK_BYTES", 77)
    seen: list[int] = []
    assert weights_digest(checkpoint, seen.append) == whole
    assert sum(seen) == sum(shard.size for shard in checkpoint.shards)
    assert max(seen) <= 77


def test_the_order_of_the_shards_does_not_matter(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(str(write(tmp_path / "model")))
    turned = replace(
        checkpoint,
        shards=checkpoint.shards[::-1],
        source=LocalFiles(checkpoint.home, [shard.name for shard in checkpoint.shards[::-1]]),
    )
    assert manifest_digest(turned) == manifest_digest(checkpoint)
    assert weights_digest(turned) == weights_digest(checkpoint)


def test_the_sampled_digest_tells_weights_of_one_layout_apart(tmp_path: Path) -> None:
    values = {"model.a": np.arange(8192, dtype=np.float32)}
    other = {"model.a": np.arange(8192, dtype=np.float32) + 1}
    late = {"model.a": np.where(np.arange(8192) < 8000, values["model.a"], np.float32(0))}
    opened = [
        open_checkpoint(str(write_checkpoint(tmp_path / str(number), tensors)))
        for number, tensors in enumerate((values, other, late, values))
    ]
    first, second, third, same = map(sampled_digest, opened)
    assert first == same != second
    assert first == third  # only the first 4,096 bytes of a tensor are covered
    assert len(set(map(manifest_digest, opened))) == 1
