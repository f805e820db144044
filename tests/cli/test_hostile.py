"""Broken, lying and odd checkpoints, through the command: one clear message, no traceback, nothing left behind."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, encode
from tests.cli.conftest import Command, Outcome
from tests.factories import layout_header, write_checkpoint, write_index, write_raw
from tests.kernels import PROCESSOR, Real, processor_with

MANY = 100_000 if os.environ.get("MODELPROV_SLOW") else 10_000


class Explosive:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.path),)


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def rewrite_header(path: Path, change: Callable[[dict[str, dict[str, object]]], object]) -> None:
    """Change a header and keep the data."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    change(header)
    write_raw(path, header, raw[8 + length :])


def overlap(header: dict[str, dict[str, object]]) -> None:
    first, second = [one for name, one in header.items() if name != "__metadata__"][:2]
    second["data_offsets"] = first["data_offsets"]
    second["shape"], second["dtype"] = first["shape"], first["dtype"]


def truncated(folder: Path) -> None:
    path = shards(folder)[-1]
    os.truncate(path, path.stat().st_size - 1000)


def header_of_a_gigabyte(folder: Path) -> None:
    with shards(folder)[0].open("r+b") as file:
        file.write(struct.pack("<Q", 10**9))


def header_of_more_than_there_is(folder: Path) -> None:
    with shards(folder)[0].open("r+b") as file:
        file.write(struct.pack("<Q", 2**64 - 1))


def missing_shard(folder: Path) -> None:
    shards(folder)[0].unlink()


def duplicate_tensor(folder: Path) -> None:
    shutil.copy(shards(folder)[0], folder / "model-copy.safetensors")
    (folder / "model.safetensors.index.json").unlink()


def nothing_in_it(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def pickles_only(folder: Path) -> None:
    nothing_in_it(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Explosive(folder.parent / "exploded")))


def fp8_without_scales(folder: Path) -> None:
    nothing_in_it(folder)
    write_checkpoint(folder, {"model.layers.0.mlp.up_proj.weight": (bytes(64 * 64), "F8_E4M3", (64, 64))})


def not_json(folder: Path) -> None:
    write_raw(shards(folder)[0], b'{"a": [' + b"[" * 50_000)


def broken_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("{")


def index_that_leaves_the_folder(folder: Path) -> None:
    write_index(folder, {"a": "../../etc/passwd"})


def endless_link(folder: Path) -> None:
    path = shards(folder)[0]
    path.unlink()
    path.symlink_to(path.name)


def endless_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder)


def folder_for_a_shard(folder: Path) -> None:
    path = shards(folder)[0]
    path.unlink()
    path.mkdir()


def device_for_a_shard(folder: Path) -> None:
    """Reading it would never end."""
    path = shards(folder)[0]
    path.unlink()
    path.symlink_to("/dev/zero")


def lfs_pointer(folder: Path) -> None:
    shards(folder)[0].write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("[1, 2]")


def escape_in_a_name(folder: Path) -> None:
    rewrite_header(shards(folder)[0], lambda header: header.update({"\x1b[2Jx": header.popitem()[1]}))


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a truncated shard": (truncated, "bytes are missing"),
    "overlapping offsets": (lambda folder: rewrite_header(shards(folder)[0], overlap), "overlap"),
    "a header that claims a gigabyte": (header_of_a_gigabyte, "claims a header of 1,000,000,000 bytes"),
    "a header that claims everything": (header_of_more_than_there_is, "claims a header"),
    "a missing shard": (missing_shard, "missing"),
    "a tensor in two shards": (duplicate_tensor, "model-copy.safetensors"),
    "an empty folder": (nothing_in_it, "no .safetensors file"),
    "only a pickle": (pickles_only, "bare pickle"),
    "FP8 without scales": (fp8_without_scales, "F8_E4M3 without scales"),
    "a header nested too deep": (not_json, "not"),
    "an index that is no JSON": (broken_index, "not valid JSON"),
    "an index that leaves the folder": (index_that_leaves_the_folder, "outside the folder"),
    "a shard that links to itself": (endless_link, ""),
    "a folder that links to itself": (endless_folder, "nothing is at"),
    "a folder in place of a shard": (folder_for_a_shard, "not a regular file"),
    "a device in place of a shard": (device_for_a_shard, "not a regular file"),
    "a Git LFS pointer": (lfs_pointer, "Git LFS pointer"),
    "a config that is no object": (broken_config, "config.json"),
    "an escape sequence in a name": (escape_in_a_name, "unprintable"),
}


def refused(said: Outcome, words: str, folder: Path) -> None:
    """Exit 2, one message that holds `words`, no traceback, no escape sequence, and no report."""
    assert said.code == 2, said
    assert said.out == ""
    assert words in said.err
    lines = said.err.splitlines()
    assert lines[0].startswith("error: ")
    assert all(line.startswith("  → ") for line in lines[1:])
    assert len(lines) <= 2
    assert "Traceback" not in said.err
    assert "\x1b" not in said.err
    assert not [path for path in folder.rglob("*") if "report" in path.name or path.name.endswith(".part")]


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_checkpoint_is_refused_in_words(
    compare: Command, models: Path, tmp_path: Path, case: str, position: int
) -> None:
    damage, words = BROKEN[case]
    shutil.copytree(models / "nex", tmp_path / "broken")
    damage(tmp_path / "broken")
    arguments: list[object] = ["rio", "sibling", "qwen"]
    arguments[position] = "broken"
    refused(compare(*arguments, "--json", "report.json", "--html", "report.html"), words, tmp_path)
    assert not (tmp_path / "exploded").exists()


def test_the_pickle_of_these_tests_does_explode_when_opened(tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    pickle.loads(pickle.dumps(Explosive(tmp_path / "exploded")))
    assert (tmp_path / "exploded").exists()


@pytest.mark.parametrize("case", ["a truncated shard", "only a pickle", "a device in place of a shard"])
def test_a_broken_control_is_refused_too(compare: Command, models: Path, tmp_path: Path, case: str) -> None:
    shutil.copytree(models / "sibling", tmp_path / "broken")
    BROKEN[case][0](tmp_path / "broken")
    said = compare("rio", "nex", "qwen", "--control", "broken", "--json", "report.json")
    refused(said, BROKEN[case][1], tmp_path)


@pytest.mark.parametrize("case", [case for case in BROKEN if case != "FP8 without scales"])
def test_inspect_refuses_the_same(modelprov: Command, models: Path, tmp_path: Path, case: str) -> None:
    damage, words = BROKEN[case]
    shutil.copytree(models / "nex", tmp_path / "broken")
    damage(tmp_path / "broken")
    refused(modelprov("inspect", tmp_path / "broken", "--json", tmp_path / "report.json"), words, tmp_path)


def test_a_file_that_may_not_be_read_is_refused_in_words(
    compare: Command, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests may run as root, for whom no file is locked: the system's refusal is played."""
    locked, real = shards(models / "nex")[0], os.open

    def refuse(path: str | Path, *arguments: int, **settings: int | None) -> int:
        if str(path).endswith(locked.name) and Path(path).resolve() == locked.resolve():
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    refused(compare("rio", "nex", "qwen", "--json", "report.json"), "Permission denied", tmp_path)


def test_a_home_that_nobody_has_is_refused_in_words(compare: Command, tmp_path: Path) -> None:
    said = compare("rio", "~nobody-of-this-name/model", "--json", "report.json")
    assert said.code == 2
    assert "Traceback" not in said.err
    assert not list(tmp_path.iterdir())


def test_a_path_too_long_for_the_system_is_refused_in_words(compare: Command, tmp_path: Path) -> None:
    refused(compare("rio", "x" * 5000), "", tmp_path)


def test_a_report_that_links_to_itself_is_refused(compare: Command, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    said = compare("nex", "qwen", "--json", "loop")
    assert said.code == 2
    assert "Traceback" not in said.err
    assert (tmp_path / "loop").is_symlink()


def read(said: Outcome) -> dict[str, object]:
    assert said.code in (0, 1), said.err
    return json.loads(said.out)  # type: ignore[no-any-return]


def edited(models: Path, name: str, folder: Path, change: Callable[[dict[str, np.ndarray]], object]) -> Path:
    """A member of the family with some raw tensors (uint8) changed."""
    shutil.copytree(models / name, folder)
    for path in shards(folder):
        raw = bytearray(path.read_bytes())
        length = struct.unpack("<Q", raw[:8])[0]
        header = json.loads(bytes(raw[8 : 8 + length]))
        view = np.frombuffer(raw, np.uint8)
        base = 8 + length
        change(
            {
                tensor: view[base + entry["data_offsets"][0] : base + entry["data_offsets"][1]]
                for tensor, entry in header.items()
                if tensor != "__metadata__"
            }
        )
        path.write_bytes(raw)
    return folder


@pytest.mark.parametrize("which", ["rio", "nex", "qwen"])
def test_nan_and_infinite_weights_are_counted_and_leave_the_verdict(
    compare: Command, models: Path, tmp_path: Path, which: str
) -> None:
    spoiled = 0

    def spoil(tensors: dict[str, np.ndarray]) -> None:
        nonlocal spoiled
        for name, raw in tensors.items():
            if "q_proj" in name:
                values = raw.view(np.uint16)
                values[::50] = 0x7FC0  # NaN
                values[1::50] = 0xFF80  # minus infinity
                spoiled += len(values[::50]) + len(values[1::50])

    folder = edited(models, which, tmp_path / which, spoil)
    arguments = [folder if name == which else name for name in ("rio", "nex", "qwen")]
    found = read(compare(*arguments, "--json", "-"))
    assert found["verdict"]["class"] == "merge"  # type: ignore[index]
    assert found["coverage"]["nonfinite"] == spoiled > 0  # type: ignore[index]
    assert found["reproduction"]["bit_equal"] == 1  # type: ignore[index]
    assert {row["nonfinite"] for row in found["tensors"] if "q_proj" in row["name"]} == {spoiled}  # type: ignore[attr-defined]
    if which == "nex":
        assert f"{spoiled:,}" in compare(*arguments).out


def test_a_tensor_of_another_shape_is_listed_and_the_rest_compared(
    compare: Command, models: Path, tmp_path: Path
) -> None:
    shutil.copytree(models / "nex", tmp_path / "nex")
    changed = []

    def reshape(header: dict[str, dict[str, object]]) -> None:
        for name, entry in header.items():
            if "k_proj" in name:
                rows, columns = entry["shape"]  # type: ignore[misc]
                entry["shape"] = [2 * rows, columns // 2]
                changed.append(name)

    for path in shards(tmp_path / "nex"):
        rewrite_header(path, reshape)
    found = read(compare("rio", tmp_path / "nex", "qwen", "--json", "-"))
    groups = [group for group in found["coverage"]["unaligned"] if "shape" in group["reason"]]  # type: ignore[index]
    assert {group["checkpoint"] for group in groups} == {"rio", "nex", "qwen"}
    assert all("k_proj" in group["examples"][0] for group in groups)
    assert len(changed) == 1
    assert found["coverage"]["share"] < 1  # type: ignore[index]
    assert found["verdict"]["class"] == "merge"  # type: ignore[index]


@pytest.mark.parametrize("reading", ["map", "direct", "buffered", "auto"])
def test_a_shard_cut_short_during_the_run_is_refused_in_words(
    compare: Command, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    shutil.copytree(models / "nex", tmp_path / "nex")

    def cut(real: Real, *given: Any) -> Any:
        rows = real(*given)
        for path in shards(tmp_path / "nex"):
            os.truncate(path, 4096)
        return rows

    monkeypatch.setattr(PROCESSOR, processor_with(cut))
    said = compare(
        "rio",
        tmp_path / "nex",
        "qwen",
        "--memory",
        "1",
        "--threads",
        "1",
        "--reading",
        reading,
        "--json",
        "report.json",
    )
    refused(said, str(tmp_path / "nex"), tmp_path)


WEIRD = [
    "model.layers.0.<script>alert(1)</script>.weight",
    "model.layers.0.[bold red]markup[/].weight",
    "model.layers.0.ünï—名前🦙.weight",
    "model.layers.0.with | pipe and `tick`.weight",
    "model.layers.0.{{ template }}.weight",
    "model.layers.99999999999999999999.weight",
    "." * 50,
    "model.layers.0." + "x" * 5000,
    "-",
    "..",
]


def test_odd_tensor_names_reach_every_report_unharmed(compare: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    base = {name: rng.normal(0, 0.02, (64, 64)) for name in WEIRD}
    tuned = {name: values + rng.normal(0, 0.002, (64, 64)) for name, values in base.items()}
    for folder, tensors in (("s", tuned), ("r", base)):
        write_checkpoint(tmp_path / folder, {name: (values, "BF16") for name, values in tensors.items()})
    said = compare("s", "r", "--json", "r.json", "--html", "r.html", "--markdown", "r.md")
    assert said.code in (0, 3)  # so few tensors need not settle anything
    assert "Traceback" not in said.err
    names = {row["name"] for row in json.loads((tmp_path / "r.json").read_text())["tensors"]}
    assert len(names) == len(WEIRD)
    assert WEIRD[0] in names
    page = (tmp_path / "r.html").read_text()
    assert "<script>alert" not in page
    assert "\x1b[" not in said.out


def test_weights_near_the_end_of_the_range_reach_every_report(compare: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0, 0.02, (64, 64))
    for folder, values in (("s", 1e39 * base), ("p", base + rng.normal(0, 0.002, (64, 64))), ("r", base)):
        write_checkpoint(tmp_path / folder, {"model.layers.0.mlp.up_proj.weight": (values, "BF16")})
    said = compare("s", "p", "r", "--json", "r.json", "--html", "r.html", "--markdown", "r.md")
    assert said.code in (0, 1, 3)
    assert "Traceback" not in said.err


def test_very_many_tiny_tensors_work(compare: Command, tmp_path: Path) -> None:
    """A hundred thousand with MODELPROV_SLOW=1; `-s` shows how long it took."""
    text, size = layout_header(
        [(f"model.layers.3.mlp.experts.{number}.up_proj.weight", (4, 4), "BF16") for number in range(MANY)]
    )
    rng = np.random.default_rng(0)
    base = rng.normal(0, 0.02, size // 2)
    for folder, values in (("s", base + rng.normal(0, 0.002, size // 2)), ("r", base)):
        write_raw(tmp_path / folder / "model.safetensors", text, encode(values, DType.BF16).tobytes())
    started = time.perf_counter()
    said = compare("s", "r", "--json", "r.json", "--quiet")
    print(f"{MANY:,} tensors took {time.perf_counter() - started:.1f} s")
    found = json.loads((tmp_path / "r.json").read_text())
    assert said.code in (0, 3)
    assert found["coverage"]["tensors"] == MANY
    assert found["coverage"]["elements_read"] == 16 * MANY
