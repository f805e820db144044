"""GGUF headers as hostile input: every lie of a number is an error that says what is wrong, and allocates nothing."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from modelprov.checkpoints.gguf_header import Length, read_gguf_headers
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.errors import InvalidHeaderError, TruncatedShardError, UnsupportedFormatError


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def tensor(name: str = "output.weight", sides: tuple[int, ...] = (4, 2), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(sides)}QIQ", len(sides), *sides, kind, offset)


def file(*tensors: bytes, keys: tuple[bytes, ...] = (), data: int = 64, version: int = 3, **counts: int) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, counts.get("tensors", len(tensors)), counts.get("keys", len(keys)))
    head += b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + bytes(data)


def read(folder: Path, content: bytes) -> Any:
    (folder / "model.gguf").write_bytes(content)
    return read_gguf_headers(LocalFiles(folder, ["model.gguf"]))[0]


def test_a_header_is_read(tmp_path: Path) -> None:
    many = struct.pack("<IQ", 8, 100) + text("token") * 100
    keys = (key("general.architecture", 8, text("llama")), key("tokenizer.ggml.tokens", 9, many))
    found = read(tmp_path, file(tensor(), tensor("token_embd.weight", offset=32), keys=keys))
    assert found.keys == {"general.architecture": "llama", "tokenizer.ggml.tokens": Length(100)}
    assert [(each.name, each.shape, each.kind.name) for each in found.tensors] == [
        ("output.weight", (2, 4), "F32"), ("token_embd.weight", (2, 4), "F32"),
    ]  # fmt: skip
    assert found.tensors[0].stop == found.tensors[1].start


def test_a_header_longer_than_the_first_read_is_read(tmp_path: Path) -> None:
    many = struct.pack("<IQ", 8, 300_000) + text("token") * 300_000
    found = read(tmp_path, file(tensor(), keys=(key("tokenizer.ggml.tokens", 9, many),)))
    assert found.keys == {"tokenizer.ggml.tokens": Length(300_000)}


LIES = {
    "another magic": b"GGML" + file(tensor())[4:],
    "more tensors than any file": file(tensor(), tensors=1 << 60),
    "more keys than any file": b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60),
    "a text beyond the file": file(keys=(struct.pack("<Q", 1 << 50) + b"a",)),
    "a list beyond the file": file(keys=(key("a", 9, struct.pack("<IQ", 4, 1 << 60)),)),
    "a list of lists without end": file(keys=(key("a", 9, struct.pack("<IQ", 9, 1) * 8),)),
    "an unknown kind of value": file(keys=(key("a", 99, b""),)),
    "a key twice": file(keys=(key("a", 7, b"\x01"), key("a", 7, b"\x00"))),
    "an alignment of nothing": file(tensor(), keys=(key("general.alignment", 4, struct.pack("<I", 0)),)),
    "an alignment that is no power of two": file(tensor(), keys=(key("general.alignment", 4, struct.pack("<I", 24)),)),
    "no sides": file(tensor(sides=())),
    "too many sides": file(tensor(sides=(2, 2, 2, 2, 2))),
    "sides beyond any file": file(tensor(sides=(1 << 62, 1 << 62))),
    "rows of no whole blocks": file(tensor(sides=(31, 2), kind=8)),
    "a name that cannot be printed": file(tensor("a\x1b[31m")),
    "a name twice": file(tensor(), tensor(offset=32)),
    "bytes that overlap": file(tensor(), tensor("b", offset=0)),
    "an offset between borders": file(tensor(offset=4)),
    "a name that is no text": file(tensor().replace(b"output", b"\xff\xfeput")),
}


@pytest.mark.parametrize("lie", list(LIES))
def test_a_lie_is_found(tmp_path: Path, lie: str) -> None:
    with pytest.raises(InvalidHeaderError):
        read(tmp_path, LIES[lie])


def test_what_is_missing_is_counted(tmp_path: Path) -> None:
    with pytest.raises(TruncatedShardError, match="32 bytes are missing"):
        read(tmp_path, file(tensor(), tensor("b", offset=64)))


@pytest.mark.parametrize("cut", [3, 10, 24, 40, 60])
def test_a_file_cut_in_its_header_is_truncated(tmp_path: Path, cut: int) -> None:
    with pytest.raises(TruncatedShardError, match="inside its header"):
        read(tmp_path, file(tensor(), keys=(key("a", 8, text("value")),))[:cut])


@pytest.mark.parametrize(("version", "words"), [(1, "version 1"), (4, "version 4"), (3 << 24, "big-endian")])
def test_versions_that_are_not_read_are_named(tmp_path: Path, version: int, words: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=words):
        read(tmp_path, file(tensor(), version=version))


def test_a_type_that_nobody_knows_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match="unknown type 77"):
        read(tmp_path, file(tensor(kind=77)))
