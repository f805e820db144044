"""Models of very many tensors: what is asked once for a kind of tensor says the same of each, and costs little each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprov.checkpoints import header_entries
from modelprov.checkpoints.header import header_of
from modelprov.checkpoints.header_entries import Entries, as_written, entries_of
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.components import component_of, components_of, layers_of
from modelprov.checkpoints.layouts.naming import PREFIXES, WRAPPERS, canonical_name, canonical_names
from modelprov.checkpoints.layouts.numbered import kinds_of
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.plan import plan_pass, tensor_bytes
from modelprov.checkpoints.types import AlignedTensor, Component, decisive_of
from modelprov.errors import InvalidHeaderError, ModelprovError
from modelprov.recipes.tensor_groups import kind_of
from tests.factories import write_safetensors, write_sparse

NUMBERS = st.sampled_from(["0", "7", "12", "007", "123456", "1234567", "٣", "1x"])
WORDS = st.sampled_from(
    ["model", "layers", "h", "blocks", "mlp", "experts", "self_attn", "block_sparse_moe", "gate", "w1", "w3", "norm",
     "norm1", "lm_head", "lm_heads", "embed_tokens", "visual", "mtp", "language_model", "module", "_orig_mod",
     "base_layer", "q_proj", "gate_up_proj", "qkv_proj", "shared_expert", "A_log", "weight", "bias", "", "a\nb"]
)  # fmt: skip
BEGINNINGS = st.sampled_from(["", *WRAPPERS, *(prefix for prefix, _ in PREFIXES)])
NAMES = st.builds(lambda begin, parts: begin + ".".join(parts), BEGINNINGS, st.lists(WORDS | NUMBERS, max_size=7))
SHAPES = st.sampled_from([(), (8,), (1, 8), (64, 64), (4, 64, 64)])
CALLS_A_TENSOR = 12
"""Python functions, ours and the libraries', that three checkpoints together may call for each tensor of a layout."""


@given(st.lists(NAMES, max_size=12))
def test_names_asked_together_are_spelt_as_each_alone(names: list[str]) -> None:
    assert canonical_names(tuple(names)) == tuple(map(canonical_name, names))


@given(st.lists(st.tuples(NAMES, SHAPES), max_size=12))
def test_tensors_asked_together_have_the_places_of_each_alone(tensors: list[tuple[str, tuple[int, ...]]]) -> None:
    names, shapes = [name for name, _ in tensors], [shape for _, shape in tensors]
    expected = [component_of(name, shape) for name, shape in tensors]
    assert list(zip(*components_of(names, shapes), strict=True)) == expected
    assert layers_of(tuple(names)) == {layer for layer, _, _ in expected if layer is not None}


@given(st.lists(NAMES, max_size=12))
def test_what_kind_a_name_is_of_hangs_on_its_form_alone(names: list[str]) -> None:
    """So strata ask once for each form."""
    assert list(map(kind_of, kinds_of(tuple(names)))) == list(map(kind_of, names))


@given(st.lists(st.tuples(st.sampled_from(Component), SHAPES), max_size=12))
def test_tensors_asked_together_are_decisive_as_each_alone(tensors: list[tuple[Component, tuple[int, ...]]]) -> None:
    aligned = [AlignedTensor("a", None, component, None, shape, ()) for component, shape in tensors]
    assert decisive_of(aligned) == [tensor.decisive for tensor in aligned]


def entries(draw: st.DrawFn) -> dict[str, Any]:
    """A header in which every tensor follows the one before, some of it then wrong or unusual."""
    header: dict[str, Any] = {}
    at = 0
    for number in draw(st.permutations(range(draw(st.integers(0, 5))))):
        dtype, size = draw(st.sampled_from([("F32", 4), ("BF16", 2), ("I8", 1), ("F64", 8)]))
        shape = draw(st.sampled_from([[2, 3], [], [0, 5], [4], [1, 1, 2]]))
        count = 1
        for side in shape:
            count *= side
        header[f"t{number}"] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + count * size]}
        at += count * size
    odd = st.sampled_from([True, 1.0, -1, "2", None, 1 << 64, (1 << 63) + 1, [], {}, "F4", "F33"])
    for name, place in draw(st.lists(st.tuples(st.sampled_from(list(header) or [""]), st.integers(0, 6)), max_size=2)):
        wrong = draw(odd)
        if name not in header or not isinstance(header[name], dict):
            continue
        entry = header[name] = json.loads(json.dumps(header[name]))
        if place == 0:
            header[name] = wrong
        elif place == 1:
            entry["more"] = wrong
        elif place == 2:
            entry.pop(draw(st.sampled_from(["dtype", "shape", "data_offsets"])), None)
        elif place in (3, 4):
            key = ("shape", "data_offsets")[place - 3]
            entry[key] = [wrong, *entry[key][1:]] if isinstance(entry.get(key), list) else wrong
        else:
            entry[("dtype", "shape")[place - 5]] = wrong
    return header


@settings(max_examples=60)
@given(st.composite(entries)())
def test_a_header_checked_by_its_columns_says_what_its_entries_say_one_by_one(header: dict[str, Any]) -> None:
    def told() -> Entries | str:
        try:
            found = entries_of(header, "a file")
        except InvalidHeaderError as error:
            return error.message
        return Entries(*(list(getattr(found, each)) for each in ("names", "dtypes", "shapes", "begins", "ends")))

    together = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(header_entries, "_at_once", lambda _: None)
        assert told() == together


class Texts:
    """A shard whose data begin behind the header that is looked at."""

    names = ("shard",)

    def __init__(self, size: int) -> None:
        self._size = size

    def place(self, _shard: int) -> str:
        """Where it would be."""
        return "a file"

    def size(self, _shard: int) -> int:
        """Its bytes."""
        return self._size


@given(
    st.composite(entries)(),
    st.sampled_from([None, {"format": "pt"}, {"a": "},", "b": "x"}, {"a": "\\"}, {"a": 1}]),
    st.data(),
)
def test_a_header_read_as_the_library_writes_it_says_what_a_reader_of_json_says(
    header: dict[str, Any], metadata: dict[str, Any] | None, data: st.DataObject
) -> None:
    whole = header if metadata is None else {"__metadata__": metadata, **header}
    text = json.dumps(whole, separators=data.draw(st.sampled_from([(",", ":"), (", ", ": ")])))
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(text)))
        cut, more = (
            data.draw(st.integers(0, 2)),
            data.draw(st.text(st.sampled_from('0123456789-"{}[],: \\txé\n'), max_size=2)),
        )
        text = text[:at] + more + text[at + cut :]
    ends = [
        entry["data_offsets"][1] for entry in header.values() if isinstance(entry, dict) and entry.get("data_offsets")
    ]
    size = 8 + len(text.encode()) + max((end for end in ends if type(end) is int), default=0)

    def told() -> object:
        try:
            return header_of(Texts(size), 0, text.encode())  # type: ignore[arg-type]
        except ModelprovError as error:
            return error.message

    at_once = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modelprov.checkpoints.header.as_written", lambda _: None)
        patch.setattr(header_entries, "_at_once", lambda _: None)
        assert told() == at_once


def test_a_header_as_the_library_writes_it_needs_no_reader_of_json(tmp_path: Path) -> None:
    content = write_safetensors(
        tmp_path / "a.safetensors", {"a.b": np.ones((2, 3), np.float32), "c": np.ones(0)}, {"format": "pt"}
    )
    text = content.read_bytes()[8:].partition(b"}}")[0] + b"}}"
    assert as_written(text.decode() + "   ") is not None


def calls(work: Callable[[], object]) -> int:
    """How many Python functions `work` calls."""
    count = 0

    def seen(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def layout(layers: int) -> list[tuple[str, list[int], str]]:
    """A mixture of 64 experts in each layer."""
    return [("model.embed_tokens.weight", [64, 32], "BF16")] + [
        (f"model.layers.{layer}.mlp.experts.{expert}.{word}_proj.weight", [16, 32], "BF16")
        for layer in range(layers)
        for expert in range(64)
        for word in ("gate", "up", "down")
    ]


def test_opening_aligning_and_planning_call_few_functions_a_tensor(tmp_path: Path) -> None:
    sizes, seen = (2, 10), []
    for layers in sizes:
        folders = [tmp_path / f"{layers}-{number}" for number in range(3)]
        for folder in folders:
            write_sparse(folder, layout(layers), 2)

        def prepare(folders: list[Path] = folders) -> None:
            alignment = align([open_checkpoint(str(folder)) for folder in folders])
            plan_pass(alignment)
            tensor_bytes(alignment)

        prepare()
        seen.append(calls(prepare))
    more = (sizes[1] - sizes[0]) * 64 * 3
    assert (seen[1] - seen[0]) / more < CALLS_A_TENSOR
