"""The job behind `modelprov fingerprint`, and what takes a fingerprint in a model's place."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.cases.side_by_side import BEYOND, LISTED
from modelprov.checkpoints.digests import manifest_digest
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.roles import unnumbered
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.writing import Held, header
from modelprov.demo.writing import Weights, as_stored, fill_checkpoint
from modelprov.errors import CouldNotJudgeError, NotInFingerprintError, UsageError
from modelprov.forensics.sampling.blocks import RUN, choose_blocks, held_plan
from modelprov.jobs.compare import compare
from modelprov.jobs.compare_part import compare_part
from modelprov.jobs.fingerprint import fingerprint
from modelprov.jobs.inspect import inspect
from modelprov.jobs.verify import verify
from tests.factories import write_checkpoint
from tests.generated import Size, model


@pytest.fixture(scope="session")
def prints(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fingerprint of every model of the family, by its name."""
    folder = tmp_path_factory.mktemp("prints")
    for each in ("qwen", "nex", "sibling", "rio", "stranger"):
        fingerprint(models / each, folder / f"{each}.mpf", size=60_000)
    return folder


def stored(folder: Path, weights: Weights) -> Path:
    fill_checkpoint(folder, as_stored(weights), {}, 1)
    return folder


def test_a_fingerprint_opens_as_the_checkpoint_it_is_of(models: Path, prints: Path) -> None:
    whole, part = open_checkpoint(str(models / "rio")), open_checkpoint(str(prints / "rio.mpf"))
    assert part.tensors == whole.tensors
    assert part.shards == whole.shards
    assert part.config == whole.config
    assert manifest_digest(part) == manifest_digest(whole)
    assert inspect(prints / "rio.mpf").parameters == whole.parameters
    assert "a fingerprint of 'rio'" in part.notes[0]


def test_the_bytes_it_holds_are_those_of_the_checkpoint(models: Path, prints: Path) -> None:
    alignment = align([open_checkpoint(str(place)) for place in (models / "rio", prints / "rio.mpf")])
    plan = held_plan(alignment)
    assert plan.count.sum() > 10_000
    for shard, start, size in zip(plan.shard[1], plan.start[1], plan.sizes[1], strict=True):
        own, theirs = (bytearray(int(size)) for _ in range(2))
        for checkpoint, out in zip(alignment.checkpoints, (own, theirs), strict=True):
            checkpoint.source.read_into(int(shard), int(start), memoryview(out))
        assert own == theirs


def test_the_same_model_gives_the_same_file(models: Path, prints: Path, tmp_path: Path) -> None:
    made = fingerprint(models / "nex", tmp_path / "nex.mpf", size=60_000)
    assert made.file.read_bytes() == (prints / "nex.mpf").read_bytes()
    assert 0 < made.share < 1


def test_it_says_nothing_of_the_machine_it_was_made_on(models: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    shutil.copytree(models / "nex", secret / "nex")
    (secret / "nex" / "config.json").write_text('{"_name_or_path": "/home/somebody/nex", "vocab_size": 7}')
    made = fingerprint(secret / "nex", tmp_path / "nex.mpf", size=60_000)
    content = made.file.read_bytes()
    assert b"somebody" not in content
    assert b"secret" not in content
    assert open_checkpoint(str(made.file)).config == {"vocab_size": 7}


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (("rio.mpf", "nex.mpf", "qwen.mpf"), "merge"),
        (("rio.mpf", "nex", "qwen"), "merge"),
        (("rio", "nex.mpf", "qwen"), "merge"),
        (("sibling.mpf", "nex", "qwen.mpf"), "same-origin"),
        (("nex.mpf", "sibling", "qwen"), "same-origin"),
        (("qwen", "nex", "qwen.mpf"), "copy"),
    ],
)
def test_a_comparison_takes_fingerprints_in_any_mix(
    given: tuple[str, ...], verdict: str, models: Path, prints: Path
) -> None:
    places = [prints / each if each.endswith(".mpf") else models / each for each in given]
    report = compare(*places, device="cpu")
    assert report.verdict.class_ == verdict
    assert report.mode == "sample"
    assert any("a fingerprint of" in note for note in report.coverage.notes)
    if verdict == "merge":
        assert report.mixing.alpha == pytest.approx(0.565)


def test_strangers_are_cleared_only_where_sizes_of_rows_and_columns_are_held(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    first, second = (stored(tmp_path / each, model(rng, Size(3, 48, 96, 200))) for each in ("first", "second"))
    with_sizes = fingerprint(second, tmp_path / "second.mpf", size=200_000).file
    without = fingerprint(second, tmp_path / "without.mpf", size=2_000).file
    assert compare(first, with_sizes, device="cpu").verdict.class_ == "unrelated"
    assert compare(first, without, device="cpu").verdict.class_ == "inconclusive"


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("noise of twice its size, rotated", "a disguise cannot be excluded from a fingerprint"),
        ("embeddings replaced, noise, everything", "a disguise cannot be excluded from a fingerprint"),
        ("embeddings replaced, noise as large as weights", "a disguise cannot be excluded from a fingerprint"),
        ("stranger of the same config", ""),
    ],
)
def test_a_disguise_under_noise_is_not_cleared_by_a_fingerprint_and_a_stranger_is(
    name: str, says: str, whole: bool, tmp_path: Path
) -> None:
    case = next(each for each in (*LISTED, *BEYOND) if each.name == name)
    places = [stored(tmp_path / f"{number}", each) for number, each in enumerate(case.models()[:2])]
    held = [fingerprint(place, tmp_path / f"{place.name}.mpf").file for place in places]
    verdict = compare(places[0] if whole else held[0], held[1], device="cpu").verdict
    assert verdict.class_ == ("inconclusive" if says else "unrelated")
    assert says in verdict.summary
    measures = {each.measure.split(" of how ")[-1].split(",")[0] for each in verdict.rests_on}
    assert {"matrices overlap one another", "embeddings of shared tokens stand to one another"} <= measures


def test_a_fingerprint_of_version_2_is_read_and_clears_nobody(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    first, second = (stored(tmp_path / each, model(rng, Size(4, 64, 128, 200))) for each in ("first", "second"))
    new = fingerprint(second, tmp_path / "second.mpf").file
    old = tmp_path / "old.mpf"
    old.write_bytes(as_version_2(new.read_bytes()))
    assert compare(second, old, device="cpu").verdict.class_ == "copy"
    assert compare(first, new, device="cpu").verdict.class_ == "unrelated"
    verdict = compare(first, old, device="cpu").verdict
    assert (verdict.class_, verdict.rule) == ("inconclusive", "coordinates-open")
    assert "take it anew" in verdict.summary


def as_version_2(data: bytes) -> bytes:
    """The file as an earlier version wrote it: without embeddings, and without overlaps."""
    size = int.from_bytes(data[:8], "little")
    said, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    manifest = json.loads(said["__metadata__"]["manifest"])
    for key in ("tokens", "tokens_by", "overlaps", "head_width"):
        del manifest[key]
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    digest, parts = hashlib.sha256(text.encode()), []
    for name in ("blocks", "sizes", "headers", "weights"):
        start, stop = said[name]["data_offsets"]
        digest.update((stop - start).to_bytes(8, "little") + body[start:stop])
        parts.append(Held(name, said[name]["dtype"], tuple(said[name]["shape"]), body[start:stop]))
    metadata = said["__metadata__"] | {"version": "2", "manifest": text, "sha256": digest.hexdigest()}
    return header(parts, metadata) + b"".join(part.data for part in parts)


def test_a_reordered_model_is_not_cleared_by_a_fingerprint(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    base = model(rng, Size(3, 48, 96, 200))
    order = rng.permutation(48)
    moved = {
        name: ((array[..., order] if array.shape[-1] == 48 else array), dtype) for name, (array, dtype) in base.items()
    }
    moved = {
        name: ((array[order] if len(array.shape) > 1 and array.shape[0] == 48 else array), dtype)
        for name, (array, dtype) in moved.items()
    }
    suspect, parent = stored(tmp_path / "moved", moved), stored(tmp_path / "base", base)
    held = fingerprint(parent, tmp_path / "base.mpf", size=200_000).file
    verdict = compare(suspect, held, device="cpu").verdict
    assert verdict.class_ == "inconclusive"


def test_a_copy_whose_factors_were_moved_is_not_of_the_same_origin_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    base = model(rng, Size(3, 48, 96, 200))
    scaled = {
        name: (array * np.float32({"up_proj": 4, "down_proj": 0.25}.get(name.split(".")[-2], 1)), dtype)
        for name, (array, dtype) in base.items()
    }
    suspect, parent = stored(tmp_path / "scaled", scaled), stored(tmp_path / "base", base)
    held = fingerprint(parent, tmp_path / "base.mpf", size=200_000).file
    verdict = compare(suspect, held, device="cpu").verdict
    assert (verdict.class_, verdict.rule) == ("inconclusive", "scaled")
    assert "times 0.250 to " in verdict.summary
    assert compare(parent, held, device="cpu").verdict.class_ == "copy"


def test_every_layer_is_held_at_the_same_places(models: Path) -> None:
    alignment = align([open_checkpoint(str(models / "rio"))])
    places: dict[str, dict[int | None, set[int]]] = {}
    for number, first, _ in choose_blocks(alignment, 60_000, 0):
        tensor = alignment.tensors[number]
        if tensor.layer is not None:
            places.setdefault(unnumbered(tensor.name), {}).setdefault(tensor.layer, set()).add(first)
    assert any(len(each) > 1 for each in places.values())
    assert all(len({frozenset(firsts) for firsts in each.values()}) == 1 for each in places.values())


def test_few_changes_in_what_is_held_make_no_copy(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    base = model(rng, Size(3, 64, 128, 200))
    trained = {name: (array.copy(), dtype) for name, (array, dtype) in base.items()}
    for array, _ in trained.values():
        array.ravel()[::200] *= 1.5  # half a per cent of the weights, two or three of a block
    parent, suspect = stored(tmp_path / "base", base), stored(tmp_path / "trained", trained)
    held = fingerprint(parent, tmp_path / "base.mpf", size=60_000).file
    assert compare(suspect, held, device="cpu").verdict.class_ != "copy"


def test_the_places_of_a_small_fingerprint_are_among_those_of_a_large_one(models: Path) -> None:
    alignment = align([open_checkpoint(str(models / "qwen"))])
    small, large = (choose_blocks(alignment, elements, 0) for elements in (20_000, 60_000))
    assert set(small) < set(large)
    assert set(small) != set(choose_blocks(alignment, 20_000, 1))
    assert all(first % RUN == 0 for _, first, _ in large)


def test_one_model_stored_in_two_ways_is_held_at_the_same_places(models: Path) -> None:
    fused, split = (align([open_checkpoint(str(models / each))]) for each in ("qwen", "rio"))
    places = [
        {(of.tensors[tensor].name, first) for tensor, first, _ in choose_blocks(of, 40_000, 0)} for of in (fused, split)
    ]
    both = {tensor.name for tensor in fused.tensors} & {tensor.name for tensor in split.tensors}
    assert {place for place in places[0] if place[0] in both} <= places[
        1
    ]  # fused it has more tensors, so fewer of each


def test_what_needs_more_than_a_fingerprint_holds_is_refused_in_words(models: Path, prints: Path) -> None:
    recipe = prints / "claim.yml"
    recipe.write_text(
        f"merge_method: linear\nmodels:\n- model: {models / 'nex'}\n  parameters: {{weight: 0.6}}\n"
        f"- model: {models / 'qwen'}\n  parameters: {{weight: 0.4}}\ndtype: bfloat16\n"
    )
    with pytest.raises(NotInFingerprintError, match="is a fingerprint"):
        inspect(prints / "rio.mpf", digest=True)
    with pytest.raises(NotInFingerprintError):
        verify(prints / "rio.mpf", recipe)
    with pytest.raises(UsageError, match="fingerprint"):
        fingerprint(prints / "rio.mpf", prints / "again.mpf")
    asked: dict[str, Any]
    for asked in ({"full": True}, {"thorough": True}, {"candidates": models / "sibling"}, {"resume": prints / "sums"}):
        with pytest.raises(UsageError, match="fingerprint"):
            compare(prints / "rio.mpf", models / "nex", models / "qwen", device="cpu", **asked)
    with pytest.raises(UsageError, match="fingerprint"):
        compare_part(prints / "rio.mpf", models / "nex", part="1/2", output=prints / "part.mpsums", device="cpu")


def test_fingerprints_without_a_common_place_are_not_judged(tmp_path: Path) -> None:
    matrix = np.random.default_rng(6).standard_normal((512, 512)).astype(np.float32)
    place = write_checkpoint(tmp_path / "base", {"model.layers.0.mlp.up_proj.weight": matrix})
    held = [fingerprint(place, tmp_path / f"{seed}.mpf", size=4_096, seed=seed).file for seed in range(2)]
    with pytest.raises(CouldNotJudgeError, match="no place in common"):
        compare(*held, device="cpu")


def test_a_file_of_another_name_is_refused_before_anything_is_read(models: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.mpf"):
        fingerprint(models / "rio", tmp_path / "rio.safetensors")
    with pytest.raises(UsageError, match="does not exist"):
        fingerprint(models / "rio", tmp_path / "nowhere" / "rio.mpf")
