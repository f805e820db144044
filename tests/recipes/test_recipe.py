"""The one recipe: whatever it says is written and read back as the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.reading import from_data, parse
from modelprov.recipes.recipe import DTYPES, Extension, Group, Recipe, Slice, SourceModel

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "1e-5",
        "0x10",
        "yes",
        "null",
        "~",
        "",
        "a: b",
        "# x",
        "a\u2028b",
        "\x85",
        "\ufeff",
        "\x1b",
        "{% x %}\n\n y ",
        "=",
        "<<",
    ]
)
NUMBERS = st.floats(-1e30, 1e30) | st.integers(-1000, 1000)
SCALARS = NUMBERS | st.booleans() | TEXT
SETTINGS: st.SearchStrategy[Any] = (
    SCALARS
    | st.lists(NUMBERS, min_size=1, max_size=3)
    | st.lists(st.fixed_dictionaries({"filter": TEXT, "value": SCALARS}))
)
PARAMETERS = st.dictionaries(TEXT, SETTINGS, max_size=3)
RANGES = st.tuples(st.integers(0, 50), st.integers(1, 50)).map(lambda pair: (pair[0], pair[0] + pair[1]))
MODELS = st.lists(st.builds(SourceModel, model=TEXT, parameters=PARAMETERS), min_size=1, max_size=3).map(tuple)
SOURCES = st.builds(SourceModel, model=TEXT, parameters=PARAMETERS, layer_range=RANGES)
SLICES = st.lists(
    st.builds(Slice, sources=st.lists(SOURCES, min_size=1, max_size=2).map(tuple), parameters=PARAMETERS),
    min_size=1, max_size=2,
).map(tuple)  # fmt: skip
FORMATS = st.none() | st.sampled_from(sorted({*DTYPES, *(dtype.torch_name for dtype in DType)}))
GROUPS = st.builds(Group, tensors=TEXT, weights=st.dictionaries(TEXT, st.floats(-2, 2)))
EXTENSIONS = st.builds(
    Extension,
    arithmetic=st.none() | TEXT,
    bit_equal=st.none() | st.floats(0, 1),
    reference=st.none() | TEXT,
    stored_as=st.dictionaries(TEXT, TEXT, max_size=2),
    groups=st.lists(st.builds(Group, tensors=TEXT, weights=st.dictionaries(TEXT, st.floats(-2, 2))), max_size=2).map(
        tuple
    ),
    missing=st.sampled_from(["base", "copy", "drop", "error"]),
    seed=st.integers(0, (1 << 63) - 1),
)
COMMON = {
    "merge_method": TEXT, "base_model": st.none() | TEXT, "parameters": PARAMETERS, "dtype": FORMATS,
    "out_dtype": FORMATS, "tokenizer_source": st.none() | TEXT, "chat_template": st.none() | TEXT,
    "name": st.none() | TEXT, "modelprov": EXTENSIONS,
}  # fmt: skip
RECIPES = st.builds(Recipe, models=MODELS, **COMMON) | st.builds(Recipe, slices=SLICES, **COMMON)


@given(RECIPES)
def test_a_recipe_is_read_as_it_was_written(recipe: Recipe) -> None:
    assert parse(recipe.as_yaml()) == recipe
    assert from_data(recipe.as_data()) == recipe
