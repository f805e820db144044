"""Words for groups of tensors: what is described is read back as the same, and means the same tensors."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelprov.errors import UsageError
from modelprov.recipes.tensor_groups import MOST_LAYERS, Part, TensorGroup, describe, group_of, kind_of, parse, runs_of

KINDS = (
    st.sampled_from(
        [
            "model.norm.weight", "model.layers.mlp.up_proj.weight", "layers", "all", "all tensors", "layers 3",
            "outside the layers", "a (layers 3)", "a (outside the layers)", "a; b", '"', '"a"', "a\"b", " a ", "", "\\",
            "a\nb", "a\u00a0b", "模型.weight", "\u2028", "\ud800", "x" * 200, "a,b", "(", ";", "😀.weight",
        ]
    )
    | st.text(max_size=12)
)  # fmt: skip
LAYERS = st.integers(0, 9) | st.integers(0, MOST_LAYERS - 1)
RUNS = st.lists(st.tuples(LAYERS, LAYERS).map(lambda pair: (min(pair), max(pair))), min_size=1, max_size=5).map(runs_of)
PARTS = st.builds(Part, st.none() | KINDS, st.none() | st.just(()) | RUNS)
GROUPS = st.lists(PARTS, min_size=1, max_size=6).map(lambda parts: TensorGroup(tuple(parts)))
PLACES = st.tuples(st.none() | st.integers(0, 6) | LAYERS, st.sampled_from(["a", "b", "norm"]) | KINDS)


@given(GROUPS)
def test_a_group_is_read_from_its_words_as_it_was(group: TensorGroup) -> None:
    assert parse(describe(group)) == group


@given(st.lists(PLACES, min_size=1, max_size=40, unique=True), st.data())
@example([(None, "a"), (3, "a"), (3, "b")], None)
def test_the_words_for_some_tensors_mean_exactly_those(
    tensors: list[tuple[int | None, str]], data: st.DataObject | None
) -> None:
    numbers = range(len(tensors))
    members = [0] if data is None else data.draw(st.lists(st.sampled_from(numbers), min_size=1, unique=True))
    group = group_of(members, [layer for layer, _ in tensors], [kind for _, kind in tensors])
    read = parse(describe(group))
    assert [number for number in numbers if read.covers(*tensors[number])] == sorted(members)


@given(GROUPS, PLACES)
def test_a_group_covers_what_one_of_its_parts_means(group: TensorGroup, place: tuple[int | None, str]) -> None:
    layer, kind = place

    def means(part: Part) -> bool:
        if part.kind not in (None, kind) or part.layers is None:
            return part.kind in (None, kind)
        if layer is None:
            return part.layers == ()
        return any(first <= layer <= last for first, last in part.layers)

    assert group.covers(layer, kind) == any(map(means, group.parts))


@given(st.lists(st.integers(0, 60), max_size=40))
def test_layers_are_the_same_in_runs(layers: list[int]) -> None:
    runs = runs_of((layer, layer) for layer in layers)
    assert [layer for first, last in runs for layer in range(first, last + 1)] == sorted(set(layers))
    assert all(after - last > 1 for (_, last), (after, _) in pairwise(runs))


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([0, 1, 2, 3, 4, 5], "all tensors"),
        ([1, 2, 3, 4], "layers 0-1"),
        ([1, 3], "mlp.weight (layers 0-1)"),
        ([0, 1, 2, 3], "layers 0; norm.weight; mlp.weight (layers 1)"),
        ([0], "norm.weight"),
        ([5], "embed.weight"),
    ],
)
def test_groups_are_described_as_reports_have_always_said_them(members: list[int], words: str) -> None:
    layers = [None, 0, 0, 1, 1, None]
    kinds = ["norm.weight", "mlp.weight", "attn.weight", "mlp.weight", "attn.weight", "embed.weight"]
    assert describe(group_of(members, layers, kinds)) == words


def test_a_kind_that_is_in_layers_of_another_group_too_is_told_apart() -> None:
    layers, kinds = [None, 3, 3], ["norm.weight", "norm.weight", "mlp.weight"]
    outside, inside = group_of([0], layers, kinds), group_of([1, 2], layers, kinds)
    assert describe(outside) == "norm.weight (outside the layers)"
    assert not parse(describe(outside)).covers(3, "norm.weight")
    assert describe(inside) == "layers 3"
    assert describe(group_of([0, 1], layers, kinds)) == "norm.weight (layers 3); norm.weight (outside the layers)"


@pytest.mark.parametrize(
    "words", ["", " ", ";", "a;", "a; ;b", "every second one", '"a', '"\\x"', '"a" b', "a (layers )", "layers 0-2;"]
)
def test_words_that_mean_nothing_are_an_error_in_words(words: str) -> None:
    if words == '"a':  # earlier reports wrote every kind as it stands
        assert parse(words) == TensorGroup((Part('"a', None),))
        return
    with pytest.raises(UsageError, match=r"means nothing|no range"):
        parse(words)


@pytest.mark.parametrize("words", ['"' + '\\"' * 500_000, '"a";' * 300_000 + '"', "a (layers " + "0-9999, " * 100_000])
def test_hostile_words_end_soon(words: str) -> None:
    started = time.process_time()
    with pytest.raises(UsageError):
        parse(words + ";")
    assert time.process_time() - started < 20


def test_a_kind_in_quotation_marks_is_read_as_json_reads_text() -> None:
    assert parse('"a\\u0062 \\"c"') == TensorGroup((Part('ab "c', None),))


def test_a_kind_is_a_name_without_its_numbers() -> None:
    assert kind_of("model.layers.11.mlp.experts.7.up_proj.weight") == "model.layers.mlp.experts.up_proj.weight"
    assert kind_of("h.0") == "h"
    assert kind_of("conv1.weight") == "conv1.weight"
