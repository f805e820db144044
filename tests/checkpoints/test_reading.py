"""Bringing blocks into memory: the same bytes by every method, words on every failure, few open files."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.plan import Plan, plan_pass, plan_segments
from modelprov.checkpoints.reading import MAX_OPEN_FILES, LoadedBlock, Reader, Sources
from modelprov.checkpoints.sources import local, local_access, page_cache
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.checkpoints.sources.local_access import LocalAccess
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.demo.writing import Weights
from modelprov.errors import TruncatedShardError, UnreadableFileError
from tests import memory
from tests.factories import layout_header, write_checkpoint, write_raw

METHODS = ("auto", "map", "direct", "buffered")
ON_LINUX = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux shows them")


def tensors(seed: int, count: int = 6) -> dict[str, tuple[np.ndarray, str]]:
    rng = np.random.default_rng(seed)
    kinds = ("BF16", "F32", "F16")
    return {f"layers.{i}.w": (rng.normal(0, 1, (30 + i, 40 * (i + 1))), kinds[i % 3]) for i in range(count)}


def opened(tmp_path: Path, shards: tuple[int, ...] = (1, 3)) -> Alignment:
    folders = [write_checkpoint(tmp_path / f"c{i}", tensors(i), count) for i, count in enumerate(shards)]
    return align([open_checkpoint(str(folder)) for folder in folders])


def paths(checkpoint: Checkpoint) -> list[Path]:
    return [checkpoint.home / shard.name for shard in checkpoint.shards]


def access(alignment: Alignment, method: str = "auto") -> LocalAccess:
    """The way to the first checkpoint's files."""
    found = Sources(alignment.checkpoints, method).access[0]
    assert isinstance(found, LocalAccess)
    return found


def read_all(plan: Plan, sources: Sources) -> list[bytes]:
    """Every segment's bytes, by checkpoint and then in the plan's order; read by pieces they are no others."""
    reader = Reader(plan, sources)
    found: list[list[bytes]] = [[] for _ in sources.access]
    for number in range(plan.blocks):
        loaded, block = reader.load(number), plan.block(number)
        for i, buffer in enumerate(loaded.buffers):
            for start, size in zip(loaded.start[i].tolist(), plan.sizes[i, block].tolist(), strict=True):
                assert start % 4 == 0
                found[i].append(bytes(buffer[start : start + size]))
    assert [b"".join(parts) for parts in found] == read_by_pieces(plan, sources)
    return [b"".join(parts) for parts in found]


def read_by_pieces(plan: Plan, sources: Sources) -> list[bytes]:
    """The same by way of who reads stored bytes himself."""
    reader = Reader(plan, sources)
    found: list[list[bytes]] = [[] for _ in sources.access]
    for number in range(plan.blocks):
        pieces, block = reader.pieces(number), plan.block(number)
        for i, buffer in enumerate(pieces.buffers):
            for start, size in zip(pieces.start[i].tolist(), plan.sizes[i, block].tolist(), strict=True):
                out = bytearray(size)
                if isinstance(buffer, np.ndarray):
                    out[:] = buffer[start : start + size].tobytes()
                else:
                    buffer.read_into(start, memoryview(out))
                found[i].append(bytes(out))
    return [b"".join(parts) for parts in found]


def stored(alignment: Alignment, plan: Plan) -> list[bytes]:
    """The same from the files themselves."""
    found = []
    for i, checkpoint in enumerate(alignment.checkpoints):
        content = [path.read_bytes() for path in paths(checkpoint)]
        found.append(
            b"".join(
                content[shard][start : start + size]
                for shard, start, size in zip(plan.shard[i], plan.start[i], plan.sizes[i], strict=True)
            )
        )
    return found


def odd(folder: Path, seed: int) -> Path:
    """A checkpoint whose data begin at an odd byte: the format allows it, old writers did it."""
    layout = [("a", (3, 5), "BF16"), ("b", (4099,), "F32"), ("c", (64, 64), "BF16")]
    text, size = layout_header(layout)
    text += b" " * ((1 - len(text)) % 2)
    write_raw(folder / "model.safetensors", text, np.random.default_rng(seed).bytes(size))
    return folder


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("block", [1, 20_000, 8 << 20])
def test_every_method_brings_the_bytes_of_the_files(tmp_path: Path, method: str, block: int) -> None:
    alignment = opened(tmp_path)
    plan = plan_pass(alignment, block)
    sources = Sources(alignment.checkpoints, method)
    assert read_all(plan, sources) == stored(alignment, plan)
    sources.close()


@pytest.mark.parametrize("method", METHODS)
def test_data_at_odd_bytes_are_brought_to_whole_words(tmp_path: Path, method: str) -> None:
    alignment = align([open_checkpoint(str(odd(tmp_path / name, i))) for i, name in enumerate("xy")])
    for block in (1, 8 << 20):
        plan = plan_pass(alignment, block)
        assert (plan.start % 2).all()
        assert read_all(plan, Sources(alignment.checkpoints, method)) == stored(alignment, plan)


@pytest.mark.parametrize("method", METHODS)
def test_scattered_and_unordered_segments_are_found(tmp_path: Path, method: str) -> None:
    alignment = opened(tmp_path)
    tensor, first, count = (np.array(column) for column in ([5, 0, 3, 0], [4096, 100, 64, 0], [500, 3, 10, 7]))
    plan = plan_segments(alignment, tensor, 4 * (first // 4), count, 1 << 20)
    assert read_all(plan, Sources(alignment.checkpoints, method)) == stored(alignment, plan)


def test_a_checkpoint_without_files_is_asked_for_its_bytes() -> None:
    weights: Weights = {name: (values.astype(np.float32), DType.F32) for name, (values, _) in tensors(0).items()}
    alignment = align([memory.checkpoint("a", weights), memory.checkpoint("b", weights)])
    plan = plan_pass(alignment, 20_000)
    for method in METHODS:
        right = b"".join(values.tobytes() for values, _ in weights.values())
        assert read_all(plan, Sources(alignment.checkpoints, method)) == [right, right]


@ON_LINUX
def test_each_method_is_the_one_that_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alignment = opened(tmp_path, (1, 1))
    assert access(alignment, "map").mapped(0) is not None
    for method in ("direct", "buffered"):
        assert access(alignment, method).mapped(0) is None
    for method in ("map", "buffered"):
        assert access(alignment, method).direct(0) is None
    monkeypatch.setattr(local_access, "cached_share", lambda _: 1.0)
    assert access(alignment).mapped(0) is not None
    monkeypatch.setattr(local_access, "cached_share", lambda _: 0.5)
    assert access(alignment).mapped(0) is None


@ON_LINUX
def test_what_the_system_holds_is_read_by_pieces_and_through_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a GPU needs it: reading past the cache what lies in memory would ask the disk for it once more."""
    alignment = opened(tmp_path)
    monkeypatch.setattr(local_access, "cached_share", lambda _: 1.0)
    monkeypatch.setattr(local_access.Direct, "read", lambda *_: pytest.fail("read past the cache"))
    plan = plan_pass(alignment, 20_000)
    sources = Sources(alignment.checkpoints)
    assert read_by_pieces(plan, sources) == stored(alignment, plan)
    assert not isinstance(Reader(plan, sources).pieces(0).buffers[0], np.ndarray)


@pytest.mark.parametrize(("cached", "sizes"), [(1.0, [2048, 2048]), (0.0, [43_008])])
def test_of_a_file_that_the_system_holds_nothing_that_lies_far_between_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: float, sizes: list[int]
) -> None:
    """A disk reads tens of kilobytes around in the time of another call; memory does not."""
    layout = [("a", (64, 1024), "BF16")]
    text, size = layout_header(layout)
    for name in "xy":
        write_raw(tmp_path / name / "model.safetensors", text, np.random.default_rng(0).bytes(size))
    alignment = align([open_checkpoint(str(tmp_path / name)) for name in "xy"])
    asked: list[int] = []
    read = local.read_at
    monkeypatch.setattr(local_access, "cached_share", lambda _: cached)
    monkeypatch.setattr(local, "read_at", lambda d, out, start: asked.append(len(out)) or read(d, out, start))
    columns = (np.array(column) for column in ([0, 0], [0, 20_480], [1024, 1024]))
    plan = plan_segments(alignment, *columns, 1 << 20)
    sources = Sources(alignment.checkpoints, "buffered")
    Reader(plan, sources).load(0)
    assert asked == [*sizes, *sizes]
    assert read_all(plan, sources) == stored(alignment, plan)


def test_direct_reads_bring_everything_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alignment = opened(tmp_path)
    plan = plan_pass(alignment, 20_000)
    sources = Sources(alignment.checkpoints, "direct")
    if access(alignment, "direct").direct(0) is None:
        pytest.skip("no direct reads on this file system")

    def never(*_: object) -> None:
        raise AssertionError("read once more through the page cache")

    monkeypatch.setattr(LocalFiles, "read_into", never)
    assert read_all(plan, sources) == stored(alignment, plan)


def test_direct_reads_that_the_system_refuses_become_plain_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alignment = opened(tmp_path)
    plan = plan_pass(alignment)
    monkeypatch.setattr(local_access, "open_direct", lambda _: None)
    assert read_all(plan, Sources(alignment.checkpoints, "direct")) == stored(alignment, plan)


def test_direct_reads_that_come_in_pieces_or_fail_midway_are_finished_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alignment = opened(tmp_path)
    plan = plan_pass(alignment)
    real, calls = os.preadv, iter(range(1_000_000))

    def short(descriptor: int, buffers: list[memoryview], start: int) -> int:
        turn = next(calls) % 4
        if turn == 3 and len(buffers[0]) % 4096 == 0:
            raise OSError(22, "Invalid argument")
        return real(descriptor, [buffers[0][: (4096, 100, 8192)[turn % 3]]], start)

    monkeypatch.setattr(os, "preadv", short)
    try:
        assert read_all(plan, Sources(alignment.checkpoints, "direct")) == stored(alignment, plan)
    except UnreadableFileError:
        pytest.fail("a refused direct read was not read again")


@pytest.mark.parametrize("method", METHODS)
def test_a_shard_cut_short_before_it_is_read_is_an_error_in_words(tmp_path: Path, method: str) -> None:
    alignment = opened(tmp_path, (1, 1))
    checkpoint = alignment.checkpoints[1]
    os.truncate(paths(checkpoint)[0], checkpoint.shards[0].size - 1)
    with pytest.raises(TruncatedShardError, match=r"c1.*(shorter|ends)"):
        read_all(plan_pass(alignment), Sources(alignment.checkpoints, method))


@pytest.mark.parametrize("method", METHODS)
def test_a_shard_cut_short_while_it_is_read_is_an_error_in_words(tmp_path: Path, method: str) -> None:
    """Without the check a map would end the process with SIGBUS."""
    alignment = opened(tmp_path, (1, 1))
    plan = plan_pass(alignment, 1)
    reader = Reader(plan, Sources(alignment.checkpoints, method))
    reader.load(0)
    os.truncate(paths(alignment.checkpoints[1])[0], 4096)
    with pytest.raises(TruncatedShardError):
        reader.load(plan.blocks - 1)


@pytest.mark.parametrize("method", METHODS)
def test_a_shard_that_vanished_is_an_error_in_words(tmp_path: Path, method: str) -> None:
    alignment = opened(tmp_path, (1, 1))
    paths(alignment.checkpoints[1])[0].unlink()
    with pytest.raises(UnreadableFileError, match="c1"):
        read_all(plan_pass(alignment), Sources(alignment.checkpoints, method))


@pytest.mark.parametrize("method", METHODS)
def test_a_shard_that_may_not_be_read_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    alignment = opened(tmp_path, (1, 1))

    def refuse(path: object, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnreadableFileError, match="Permission denied") as caught:
        read_all(plan_pass(alignment), Sources(alignment.checkpoints, method))
    assert "permissions" in caught.value.advice


@ON_LINUX
@pytest.mark.parametrize("method", ["map", "direct", "auto"])
def test_few_files_stay_open_however_many_shards_there_are(tmp_path: Path, method: str) -> None:
    many = {f"layers.{i}.w": (np.full((4, 8), float(i)), "BF16") for i in range(3 * MAX_OPEN_FILES)}
    folder = write_checkpoint(tmp_path / "many", many, len(many))
    alignment = align([open_checkpoint(str(folder))] * 2)
    plan = plan_segments(alignment, *(np.array(c) for c in (range(len(many)), [0] * len(many), [32] * len(many))), 1)
    sources = Sources(alignment.checkpoints, method)
    before = open_files()
    assert read_all(plan, sources) == stored(alignment, plan)
    assert open_files() - before <= 2 * MAX_OPEN_FILES + 64
    sources.close()
    gc.collect()
    assert open_files() <= before


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@ON_LINUX
def test_files_in_use_stay_open_until_the_reader_lets_go(tmp_path: Path) -> None:
    """Closing a pass under a reader must not give its descriptor to somebody else."""
    alignment = opened(tmp_path, (1, 1))
    sources = Sources(alignment.checkpoints, "direct")
    held = sources.access[0]
    assert isinstance(held, LocalAccess)
    direct = held.direct(0)
    if direct is None:
        pytest.skip("no direct reads on this file system")
    sources.close()
    os.fstat(direct.descriptor)
    number = direct.descriptor
    del direct
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_buffers_are_reused_from_block_to_block(tmp_path: Path) -> None:
    alignment = opened(tmp_path, (1, 1))
    plan = plan_pass(alignment, 1)
    reader = Reader(plan, Sources(alignment.checkpoints, "buffered"))
    addresses = {reader.load(number).buffers[0].ctypes.data for number in range(plan.blocks)}
    assert plan.blocks > 4
    assert len(addresses) < plan.blocks


def test_readers_in_several_threads_get_their_own_bytes(tmp_path: Path) -> None:
    alignment = opened(tmp_path)
    plan = plan_pass(alignment, 1)
    right = stored(alignment, plan)
    for method in METHODS:
        sources = Sources(alignment.checkpoints, method)
        with ThreadPoolExecutor(6) as pool:
            results = list(pool.map(lambda _, sources=sources: read_all(plan, sources) == right, range(6)))
        assert results == [True] * 6


def test_a_block_stays_valid_after_the_pass_was_closed(tmp_path: Path) -> None:
    alignment = opened(tmp_path, (1, 1))
    plan = plan_pass(alignment)
    sources = Sources(alignment.checkpoints, "map")
    loaded: LoadedBlock = Reader(plan, sources).load(0)
    sources.close()
    gc.collect()
    start, size = int(loaded.start[0, 0]), int(plan.sizes[0, 0])
    assert bytes(loaded.buffers[0][start : start + size]) == stored(alignment, plan)[0][:size]


def test_where_the_page_cache_cannot_be_asked_a_file_counts_as_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alignment = opened(tmp_path, (1, 1))
    mapping = access(alignment, "map").mapped(0)
    assert mapping is not None
    assert 0 <= page_cache.cached_share(mapping) <= 1

    def absent(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(page_cache.ctypes, "CDLL", absent)
    assert page_cache.cached_share(mapping) == 0
    monkeypatch.setattr(page_cache, "O_DIRECT", 0)
    assert page_cache.open_direct(lambda _: -1) is None


def test_buffers_for_direct_reads_begin_on_a_page() -> None:
    for size in (0, 1, 4096, 100_000):
        buffer = page_cache.aligned_buffer(size)
        assert buffer.ctypes.data % page_cache.ALIGNMENT == 0
        assert len(buffer) == max(size, 1)
        buffer[:] = 1


def test_what_a_segment_takes_is_worked_out_once_however_many_blocks_ask(tmp_path: Path) -> None:
    """Worked out for every block it would make a pass quadratic in the size of its models."""
    plan = plan_pass(opened(tmp_path), 20_000)
    assert plan.sizes is plan.sizes
    assert plan.bytes == plan.sizes.sum()
