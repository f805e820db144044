"""What is saved in the place of weights is called by its name: login pages, pointers, archives, errors of servers."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import pickle
import random
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.mistaken import what_it_is
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import InvalidCheckpointError, ModelprovError, UnreadableFileError
from tests.factories import Tensor, write_checkpoint, write_safetensors

WEIGHTS: dict[str, Tensor] = {f"model.layers.{n}.mlp.up_proj.weight": np.zeros((2, 3), np.float32) for n in range(4)}


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"x" * 100)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.safetensors"), io.BytesIO())
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(100))
    return file.getvalue()


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 4976698672\n".format("ab" * 32)
PAGE = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>é</body></html>"
MISTAKES: dict[str, tuple[bytes, str]] = {
    "page": (PAGE.encode(), "HTML page"),
    "page without a type": (b"<html><body>Access denied</body></html>", "HTML page"),
    "page after blanks": (b"\n\n  " + PAGE.encode(), "HTML page"),
    "page with a mark": (b"\xef\xbb\xbf" + PAGE.encode(), "HTML page"),
    "page in UTF-16": (PAGE.encode("utf-16"), "HTML page"),
    "page after a comment": (b"<!-- proxy -->\n<HTML>", "HTML page"),
    "xhtml": (b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml">', "HTML page"),
    "answer of an object store": (
        b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "XML.*AccessDenied",
    ),
    "LFS pointer": (LFS.encode(), "Git LFS pointer"),
    "annex pointer": (b"/annex/objects/SHA256E-s4976698672--abc.safetensors\n", "git-annex pointer"),
    "annex link as a text": (b"../.git/annex/objects/zz/xx/SHA256E-s49--abc/SHA256E-s49--abc", "git-annex pointer"),
    "Xet pointer": (b"# xet version 0\nfilesize = 4976698672\nhash = 'abc'\n", "Xet pointer"),
    "zip": (zipped(), "zip archive"),
    "gzip": (gzip.compress(b"x" * 100, mtime=1_700_000_000), "gzip"),
    "gzip without a time": (gzip.compress(b"x" * 100, mtime=0), "gzip"),
    "xz": (lzma.compress(b"x" * 100), "xz"),
    "tar": (tarred(), "tar archive"),
    "pickle": (pickle.dumps({"a": [1, 2]}), "pickle"),
    "old pickle": (pickle.dumps({"a": [1, 2]}, protocol=2), "pickle"),
    "oldest pickle": (b"cos\nsystem\n(S'true'\ntR.", "pickle"),
    "GGUF": (b"GGUF\x03\x00\x00\x00" + bytes(100), "GGUF"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
    "array": (array(), "NumPy"),
    "error in JSON": (json.dumps({"error": "Invalid username or password."}).encode(), "JSON.*Invalid username"),
    "error in JSON, a brace where a header has it": (b'{"err": {"message": "Access denied"}}', "JSON"),
    "error in a text": (b"Entry not found", "text.*Entry not found"),
    "short error": (b"Denied", "text.*Denied"),
    "zeros": (bytes(10_000), "zeros"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("shards", [1, 2])
def test_what_lies_in_the_place_of_weights_is_named(tmp_path: Path, mistake: str, shards: int) -> None:
    content, what = MISTAKES[mistake]
    folder = write_checkpoint(tmp_path, WEIGHTS, shards)
    sorted(folder.glob("*.safetensors"))[-1].write_bytes(content)
    with pytest.raises(InvalidCheckpointError, match=f"(?s){what}") as caught:
        open_checkpoint(str(folder))
    assert "claims a header" not in caught.value.message
    assert caught.value.message.isprintable()
    assert caught.value.advice


@pytest.mark.parametrize("mistake", [name for name in MISTAKES if "JSON" not in name])
@pytest.mark.parametrize("file", ["model.safetensors.index.json", "config.json"])
def test_what_lies_in_the_place_of_the_index_or_config_is_named(tmp_path: Path, mistake: str, file: str) -> None:
    content, what = MISTAKES[mistake]
    folder = write_checkpoint(tmp_path, WEIGHTS, 2, config={})
    (folder / file).write_bytes(content)
    with pytest.raises(InvalidCheckpointError, match=f"(?s){file}.*{what}") as caught:
        open_checkpoint(str(folder))
    assert caught.value.message.isprintable()


def test_a_link_to_what_was_never_fetched_says_so(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").symlink_to("../.git/annex/objects/zz/SHA256E-s49--abc")
    with pytest.raises(UnreadableFileError, match="which is not there") as caught:
        open_checkpoint(str(tmp_path))
    assert "git annex get" in caught.value.advice


@pytest.mark.parametrize("sides", [(1,), (3, 2), (200, 100)])
def test_weights_are_never_taken_for_something_else(tmp_path: Path, sides: tuple[int, ...]) -> None:
    names = ("PK", "<html>", "a" * 3_000, "version https://git-lfs", "\u00e9")
    for name in names:
        path = write_safetensors(tmp_path / "model.safetensors", {name: np.zeros(sides, np.float32)})
        assert open_checkpoint(str(path)).tensors.keys() == {name}


def test_headers_of_every_length_are_still_read(tmp_path: Path) -> None:
    # The length is the first thing in the file: 0x7b is a brace, 0x3c an angle, 0x4b50 a zip's first two bytes.
    for padding in (*range(0, 300, 7), 0x4B50 - 80, 0x8B1F - 80):
        path = write_safetensors(tmp_path / "model.safetensors", {"a": np.zeros(3, np.float32)}, {"x": "y" * padding})
        assert open_checkpoint(str(path)).parameters == 3


@given(st.binary(max_size=300), st.sampled_from([content for content, _ in MISTAKES.values()]))
def test_any_bytes_are_named_or_not_but_never_break(noise: bytes, start: bytes) -> None:
    for head in (noise, start[: len(noise)] + noise):
        other = what_it_is(head)
        assert other is None or (other.what.isprintable() and other.advice)


def test_noise_is_refused_as_an_invalid_header(tmp_path: Path) -> None:
    draws = random.Random(0)
    for _ in range(50):
        (tmp_path / "model.safetensors").write_bytes(draws.randbytes(5_000))
        with pytest.raises(ModelprovError):
            open_checkpoint(str(tmp_path))
