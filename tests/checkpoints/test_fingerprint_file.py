"""The file format of fingerprints: what is written is read, and anything else is refused in words."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.fingerprint_contents import Contents, Rows
from modelprov.checkpoints.fingerprint_file import fingerprint_bytes, header_texts
from modelprov.checkpoints.formats.dtypes import DType, encode_single
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Overlaps
from modelprov.errors import (
    InvalidCheckpointError,
    InvalidFingerprintError,
    NotInFingerprintError,
    UnsupportedFormatError,
)
from tests.factories import write_checkpoint


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    """A model of two shards, of which three blocks are kept; two of them touch."""
    tensors = {f"model.layers.{n}.mlp.up_proj.weight": np.full((16, 16), n, np.float32) for n in range(4)}
    opened = open_checkpoint(str(write_checkpoint(tmp_path / "model", tensors, 2)))
    starts = [ref.start for ref in opened.tensors.values() if ref.shard == 0]
    blocks = [(0, starts[0], 64), (0, starts[0] + 64, 64), (1, next(iter(opened.tensors.values())).start, 16)]
    weights = bytearray(144)
    for number, (shard, start, size) in enumerate(blocks):
        opened.source.read_into(shard, start, memoryview(weights)[64 * number :][:size])
    return Contents(
        "model", None, 0, 512, [(each.name, each.size) for each in opened.shards], header_texts(opened),
        np.array(blocks, np.int64), bytes(weights), {("model.layers.0.mlp.up_proj.weight", "rows"): np.arange(16.0)},
        {"vocab_size": 7}, None,
        Rows((" a", "b"), "strings", DType.BF16, 4, np.arange(8, dtype=np.uint16).tobytes()),
        Overlaps(("layers.0.up_proj.weight", "layers.1.up_proj.weight"), 8, np.eye(2, dtype=np.float32)),
    )  # fmt: skip


def written(path: Path, contents: Contents, **changed: Any) -> str:
    path.write_bytes(fingerprint_bytes(replace(contents, **changed)))
    return str(path)


def test_what_is_written_is_read(contents: Contents, tmp_path: Path) -> None:
    opened = open_checkpoint(written(tmp_path / "a.mpf", contents))
    assert opened.label == "a"
    assert opened.config == {"vocab_size": 7}
    assert opened.fingerprint is not None
    assert opened.fingerprint.share == pytest.approx((144 + 16) / (4 * 16 * 16 * 4))  # blocks and embeddings
    assert len(opened.fingerprint.starts) == 2  # two blocks touch
    assert opened.fingerprint.sizes["model.layers.0.mlp.up_proj.weight", "rows"].tolist() == list(range(16))
    rows, overlaps = opened.fingerprint.rows, opened.fingerprint.overlaps
    assert rows is not None
    assert contents.rows is not None
    assert (rows.tokens, rows.by, rows.values.shape) == ((" a", "b"), "strings", (2, 4))
    assert encode_single(rows.values, DType.BF16).tobytes() == contents.rows.data  # bit by bit
    assert overlaps is not None
    assert overlaps.table.tolist() == [[1, 0], [0, 1]]
    shard, start, _ = contents.blocks[0].tolist()
    out = bytearray(128)
    opened.source.read_into(shard, start, memoryview(out))
    assert bytes(out) == contents.weights[:128]


def test_bytes_that_are_not_there_are_never_made_up(contents: Contents, tmp_path: Path) -> None:
    source = open_checkpoint(written(tmp_path / "a.mpf", contents)).source
    shard, start, _ = contents.blocks[0].tolist()
    for first, size in ((start - 1, 2), (start + 127, 2), (start + 400, 4), (0, 8)):
        with pytest.raises(NotInFingerprintError):
            source.read_into(shard, first, memoryview(bytearray(size)))


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9, 0.999])
def test_a_changed_byte_is_noticed(place: float, contents: Contents, tmp_path: Path) -> None:
    path = Path(written(tmp_path / "a.mpf", contents))
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InvalidCheckpointError):
        open_checkpoint(str(path))


def test_a_file_that_was_cut_short_is_refused(contents: Contents, tmp_path: Path) -> None:
    path = Path(written(tmp_path / "a.mpf", contents))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InvalidCheckpointError, match="missing"):
        open_checkpoint(str(path))


def blocks(*rows: tuple[int, int, int]) -> Callable[[Contents], dict[str, Any]]:
    size = sum(row[2] for row in rows)
    return lambda _: {"blocks": np.array(rows, np.int64).reshape(-1, 3), "weights": bytes(max(size, 0) % 10_000)}


HOSTILE: dict[str, Callable[[Contents], dict[str, Any]]] = {
    "a shard that is not there": blocks((7, 0, 4)),
    "a shard before the first": blocks((-1, 0, 4)),
    "a block behind the end": blocks((0, 1 << 40, 4)),
    "a block of no bytes": blocks((0, 8, 0)),
    "a block of fewer than none": blocks((0, 8, -4)),
    "places that overflow": blocks((0, (1 << 63) - 2, 4)),
    "blocks that overlap": blocks((0, 8, 8), (0, 12, 8)),
    "blocks out of order": blocks((0, 100, 4), (0, 8, 4)),
    "fewer weights than blocks": lambda of: {"weights": of.weights[:-1]},
    "sizes that are no numbers": lambda _: {"sizes": {("a", "rows"): np.array([np.nan])}},
    "embeddings of other tokens": lambda _: {"rows": Rows((" a",), "strings", DType.BF16, 4, bytes(16))},
    "one token twice": lambda _: {"rows": Rows(("a", "a"), "strings", DType.BF16, 4, bytes(16))},
    "overlaps of other matrices": lambda _: {"overlaps": Overlaps(("a",), 8, np.eye(2, dtype=np.float32))},
    "overlaps that are no numbers": lambda _: {"overlaps": Overlaps(("a",), 8, np.full((1, 1), np.nan, np.float32))},
    "heads of no width": lambda _: {"overlaps": Overlaps(("a",), 0, np.zeros((1, 1), np.float32))},
    "a shard of another size": lambda of: {"shards": [(name, size - 1) for name, size in of.shards]},
    "shards of giant size": lambda of: {"shards": [(name, 1 << 62) for name, _ in of.shards]},
    "no shards": lambda _: {"shards": [], "headers": []},
    "a header that lies": lambda of: {"headers": [of.headers[0].replace(b"F32", b"F16"), *of.headers[1:]]},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_contradicts_itself_is_refused(case: str, contents: Contents, tmp_path: Path) -> None:
    path = written(tmp_path / "a.mpf", contents, **HOSTILE[case](contents))
    with pytest.raises(InvalidCheckpointError):
        open_checkpoint(path)


def test_headers_that_unpack_to_more_than_they_say_are_not_unpacked(
    contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = zlib.compress(b"{" + b" " * 50_000_000, 9)
    monkeypatch.setattr(zlib, "compress", lambda *_: bomb)
    with pytest.raises(InvalidFingerprintError, match="another size"):
        open_checkpoint(written(tmp_path / "a.mpf", contents))


def test_other_files_and_versions_are_told_from_fingerprints(contents: Contents, tmp_path: Path) -> None:
    path = Path(written(tmp_path / "a.mpf", contents))
    path.write_bytes(path.read_bytes().replace(b'"version":"3"', b'"version":"9"'))
    with pytest.raises(InvalidFingerprintError, match="version '9'"):
        open_checkpoint(str(path))
    model = tmp_path / "model" / "model-00001-of-00002.safetensors"
    (tmp_path / "b.mpf").write_bytes(model.read_bytes())
    with pytest.raises(InvalidFingerprintError, match="no fingerprint"):
        open_checkpoint(str(tmp_path / "b.mpf"))
    (tmp_path / "c.mpf").write_text(json.dumps({"a": 1}))
    with pytest.raises(InvalidCheckpointError):
        open_checkpoint(str(tmp_path / "c.mpf"))


def test_headers_that_say_other_tensors_than_the_checkpoint_has_make_no_fingerprint(tmp_path: Path) -> None:
    tensors = {"model.layers.0.mlp.up_proj.weight": np.ones((16, 16), np.float32)}
    opened = open_checkpoint(str(write_checkpoint(tmp_path / "model", tensors)))
    assert len(header_texts(opened)) == 1
    renamed = {f"text.{name}": ref._replace(name=f"text.{name}") for name, ref in opened.tensors.items()}
    with pytest.raises(UnsupportedFormatError, match="plain safetensors"):
        header_texts(replace(opened, tensors=renamed))
