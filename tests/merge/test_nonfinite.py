"""Infinities and NaN that a merge itself would make are an error; those that a model holds are passed on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.compiled import any_nonfinite
from modelprov.checkpoints.formats.dtypes import DType, decode, encode
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import NonFiniteOutputError
from modelprov.merge.virtual import plan_recipe, virtual_checkpoint
from modelprov.merge.writing import WriteOptions, write_merge
from modelprov.recipes.reading import parse
from modelprov.recipes.recipe import Recipe, linear
from tests import factories
from tests.merge.conftest import Silence, stored_bytes

SIZE = 600_000  # elements: more than the program reads at a time
PLACE = 300_007


def checkpoint(folder: Path, dtype: str, **special: float) -> Path:
    """A model with one large tensor of ones, except for the elements that are given as `at_NUMBER`."""
    values = np.ones(SIZE)
    for place, value in special.items():
        values[int(place.removeprefix("at_"))] = value
    return factories.write_checkpoint(folder, {"model.layers.0.mlp.up_proj.weight": (values.reshape(600, 1000), dtype)})


def write(recipe: Recipe, out: Path) -> np.ndarray:
    write_merge(plan_recipe(recipe), out, WriteOptions(shard_size=500_000), Silence())
    found = open_checkpoint(str(out))
    ref = found.tensors["model.layers.0.mlp.up_proj.weight"]
    return decode(np.frombuffer(stored_bytes(found, ref), np.uint8), ref.dtype)


@pytest.mark.parametrize(
    ("dtype", "out_dtype", "large", "weight"),
    [
        ("F16", None, 60_000.0, 2.0),
        ("F32", "float16", 70_000.0, 0.5),
        ("BF16", "float16", 1e30, 0.5),
        ("BF16", None, 3e38, 2.0),
        ("F32", "bfloat16", 3.4028e38, 0.5),
        ("F32", None, 3e38, 2.0),
    ],
)
@pytest.mark.parametrize("arithmetic", ["float32", "float64", "mergekit-0.1.5", "float32-fused"])
def test_an_overflow_of_one_element_is_an_error_that_names_it_and_leaves_nothing(
    tmp_path: Path, dtype: str, out_dtype: str | None, large: float, weight: float, arithmetic: str
) -> None:
    models = [checkpoint(tmp_path / name, dtype, **{f"at_{PLACE}": large}) for name in ("one", "other")]
    lines = "".join(f"- {{model: {model}, parameters: {{weight: {weight}}}}}\n" for model in models)
    recipe = parse(f"merge_method: linear\nmodels:\n{lines}parameters: {{normalize: false}}\n"
                   + (f"out_dtype: {out_dtype}\n" if out_dtype else "")
                   + f"modelprov: {{arithmetic: {arithmetic}}}\n")  # fmt: skip
    with pytest.raises(NonFiniteOutputError, match=rf"model\.layers\.0\.mlp\.up_proj\.weight .* {PLACE:,}") as caught:
        write(recipe, tmp_path / "out")
    assert "out_dtype=" in caught.value.advice
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


METHODS = {
    "task_arithmetic": "parameters: {weight: 3.0e+38}",
    "passthrough": "parameters: {scale: 1.0e+38}",
    "ties": "parameters: {weight: 3.0e+38, density: 1.0}",
}


@pytest.mark.parametrize("method", METHODS)
def test_other_methods_are_watched_too(tmp_path: Path, method: str) -> None:
    base, model = checkpoint(tmp_path / "base", "F32"), checkpoint(tmp_path / "model", "F32", at_5=1e6)
    base_line = "" if method == "passthrough" else f"base_model: {base}\n"
    recipe = parse(f"merge_method: {method}\n{base_line}models: [{{model: {model}, {METHODS[method]}}}]\n"
                   + ("" if method == "passthrough" else "parameters: {normalize: false}\n"))  # fmt: skip
    with pytest.raises(NonFiniteOutputError, match=r"element [05],?"):
        write(recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("which", [0, 1])
def test_what_a_model_holds_already_is_passed_on(tmp_path: Path, special: float, which: int) -> None:
    settings: list[dict[str, float]] = [{}, {}]
    settings[which] = {"at_7": special, f"at_{SIZE - 1}": special}
    models = [checkpoint(tmp_path / f"{n}", "BF16", **one) for n, one in enumerate(settings)]
    values = write(linear(dict.fromkeys(map(str, models), 0.5)), tmp_path / "out")
    assert np.flatnonzero(~np.isfinite(values)).tolist() == [7, SIZE - 1]


def test_a_model_that_holds_an_infinity_does_not_hide_one_that_is_made_elsewhere(tmp_path: Path) -> None:
    models = [checkpoint(tmp_path / f"{n}", "BF16", at_7=np.inf, **{f"at_{PLACE}": 3e38}) for n in range(2)]
    lines = "".join(f"- {{model: {model}, parameters: {{weight: 1}}}}\n" for model in models)
    text = (
        f"merge_method: linear\nmodels:\n{lines}parameters: {{normalize: false}}\nmodelprov: {{arithmetic: float64}}\n"
    )
    with pytest.raises(NonFiniteOutputError, match=f"{PLACE:,}"):
        write(parse(text), tmp_path / "out")


def test_an_infinity_made_by_a_recipe_that_is_a_model_is_an_error_too(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "model", "F16", at_3=60_000.0)
    inner = linear({str(model): 2.0}).model_copy(update={"parameters": {"normalize": False}})
    (tmp_path / "inner.yml").write_text(inner.as_yaml())
    with pytest.raises(NonFiniteOutputError, match="element 3,"):
        write(linear({str(tmp_path / "inner.yml"): 0.5, str(model): 0.5}), tmp_path / "out")


def test_a_recipe_that_is_only_read_may_make_infinities(tmp_path: Path) -> None:
    """Else nobody could verify that a broken model is what a recipe makes."""
    model = checkpoint(tmp_path / "model", "F16", at_3=60_000.0)
    recipe = linear({str(model): 2.0}).model_copy(update={"parameters": {"normalize": False}})
    virtual = virtual_checkpoint(plan_recipe(recipe), "v", "v", tmp_path)
    ref = next(iter(virtual.tensors.values()))
    values = decode(np.frombuffer(stored_bytes(virtual, ref), np.uint8), ref.dtype)
    assert np.flatnonzero(~np.isfinite(values)).tolist() == [3]


@given(
    st.sampled_from(list(DType)),
    st.lists(st.sampled_from([0.0, -1.5, 65_504.0, -3.3e38, np.inf, -np.inf, np.nan]), max_size=40),
    st.integers(0, 40),
)
def test_the_compiled_check_says_what_numpy_says(dtype: DType, values: list[float], count: int) -> None:
    raw = encode(np.array(values, np.float64), dtype)
    count = min(count, len(values))
    wanted = not np.isfinite(decode(raw[: count * dtype.size], dtype)).all()
    assert any_nonfinite(raw, dtype.code, count) == wanted


@pytest.mark.parametrize("arithmetic", ["float32", "float64"])
def test_a_nan_of_all_ones_that_a_model_holds_is_no_number_in_a_merge_of_half_the_size(
    tmp_path: Path, arithmetic: str
) -> None:
    models = [checkpoint(tmp_path / name, "F32") for name in ("one", "other")]
    ref = open_checkpoint(str(models[0])).tensors["model.layers.0.mlp.up_proj.weight"]
    with next(models[0].glob("*.safetensors")).open("r+b") as file:
        file.seek(ref.start + 4 * PLACE)
        file.write(b"\xff\xff\xff\x7f")
    lines = "".join(f"- {{model: {model}, parameters: {{weight: 0.5}}}}\n" for model in models)
    recipe = parse(
        f"merge_method: linear\nmodels:\n{lines}out_dtype: bfloat16\nmodelprov: {{arithmetic: {arithmetic}}}"
    )
    found = write(recipe, tmp_path / "out")
    assert np.flatnonzero(np.isnan(found)).tolist() == [PLACE]
