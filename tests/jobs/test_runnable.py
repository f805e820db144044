"""A recipe is run as the merge that it describes, without its weights on the disk: the written merge is the oracle."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from modelprov.behavior import placing  # noqa: E402
from modelprov.behavior.generation.generate import generate, method_of  # noqa: E402
from modelprov.behavior.loading import LocalModel, load_model  # noqa: E402
from modelprov.errors import MergeError, NonFiniteOutputError, UsageError  # noqa: E402
from modelprov.jobs.runnable import runnable  # noqa: E402
from modelprov.merge.virtual import plan_recipe  # noqa: E402
from modelprov.merge.writing import WriteOptions, write_merge  # noqa: E402
from modelprov.progress import SILENT  # noqa: E402
from modelprov.recipes.reading import load  # noqa: E402
from tests.behavior.generation.conftest import one_thread  # noqa: E402, F401
from tests.behavior.probing.models import CHATML, write_model  # noqa: E402

LAYERS = 4
METHODS = ("linear", "ties")


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models with tied embeddings, and recipes of two kinds: elementwise, and of whole tensors."""
    folder = tmp_path_factory.mktemp("family")
    for seed, name in enumerate(("base", "nex", "qwen")):
        write_model(folder / name, CHATML, seed=seed, num_hidden_layers=LAYERS, layer_types=["full_attention"] * LAYERS)
    for method in METHODS:
        parts = "".join(
            f"- {{model: {folder / name}, parameters: {{weight: {weight}{', density: 0.5' * (method == 'ties')}}}}}\n"
            for name, weight in (("nex", 0.6), ("qwen", 0.4))
        )
        base = f"base_model: {folder / 'base'}\n" if method == "ties" else ""
        (folder / f"{method}.yml").write_text(f"merge_method: {method}\n{base}models:\n{parts}dtype: bfloat16\n")
    return folder


def loaded(recipe: Path, dtype: str = "auto", memory: int | None = None) -> LocalModel:
    with runnable([str(recipe)], SILENT) as found:
        return found[str(recipe)].load("merge", "cpu", dtype, memory)


def written(recipe: Path, out: Path) -> Path:
    write_merge(plan_recipe(load(recipe), recipe.parent), out, WriteOptions(), SILENT)
    return out


def tokens(model: LocalModel, method: str = "swir") -> list[tuple[int, ...]]:
    prompts = [[5, 6, 7], [8, 9], [10, 11, 12, 13]]
    return [answer.tokens for answer in generate(model, prompts, method_of(method, max_new_tokens=6, window=2), 0)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_a_recipe_answers_as_the_merge_that_is_written_of_it(family, tmp_path, method, dtype):
    recipe = family / f"{method}.yml"
    merged, whole = loaded(recipe, dtype), load_model(str(written(recipe, tmp_path / "out")), "merge", "cpu", dtype)
    assert merged.digest == whole.digest
    assert (merged.eos, merged.template, merged.model.dtype) == (whole.eos, whole.template, whole.model.dtype)
    assert merged.model.generation_config.to_dict() == whole.model.generation_config.to_dict()
    ours, theirs = merged.model.state_dict(), whole.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert tokens(merged) == tokens(whole)


def test_tied_weights_are_one_tensor_and_no_weights_lie_on_the_disk(family):
    merged = loaded(family / "linear.yml")
    assert merged.model.lm_head.weight.data_ptr() == merged.model.model.embed_tokens.weight.data_ptr()
    there = {path.name: path.stat().st_size for path in merged.folder.iterdir()}
    assert "config.json" in there
    assert not any(name.endswith((".safetensors", ".index.json")) for name in there)
    folder = merged.folder
    del merged
    assert not folder.exists()


def test_a_merge_takes_the_memory_of_one_copy_of_its_output(tmp_path):
    """Peak of resident memory while it is loaded, by the kernel's own account."""
    peak, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not peak.exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("only Linux with glibc says it")
    for seed, name in enumerate(("a", "b")):
        write_model(tmp_path / name, seed=seed, hidden_size=512, intermediate_size=4096, num_hidden_layers=6,
                    layer_types=["full_attention"] * 6)  # fmt: skip
    recipe = tmp_path / "r.yml"
    models = "".join(f"- {{model: {tmp_path / name}, parameters: {{weight: 0.5}}}}\n" for name in ("a", "b"))
    recipe.write_text(f"merge_method: linear\nmodels:\n{models}dtype: float32\n")
    loaded(recipe)  # what libraries and loops take once
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else what was freed counts as held, and would be taken again unseen
    before = resident(status, "VmRSS")
    peak.write_text("5")
    model = loaded(recipe)
    size = placing.places(model.model)["cpu"]
    assert size > 100 << 20
    assert resident(status, "VmHWM") - before < 1.5 * size


def resident(status: Path, what: str) -> int:
    [line] = [line for line in status.read_text().splitlines() if line.startswith(what)]
    return int(line.split()[1]) * 1024


def test_a_merge_larger_than_the_memory_is_spread_and_says_what_it_wrote(family, tmp_path):
    recipe = family / "linear.yml"
    whole = load_model(str(written(recipe, tmp_path / "out")), "merge", "cpu")
    size = placing.places(whole.model)["cpu"]
    spread = loaded(recipe, memory=int(0.6 * size))
    assert spread.device == "cpu, disk"
    assert "written to a temporary folder for this run" in (spread.spread or "")
    assert tokens(spread) == tokens(whole)


def test_a_disk_that_does_not_hold_what_must_be_written_is_refused_in_words(family, monkeypatch):
    monkeypatch.setattr(placing.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(UsageError, match=r"must be written to a temporary folder, whose disk has 0.01 kB free"):
        loaded(family / "linear.yml", memory=60_000)


def test_weights_that_overflow_are_said_as_when_the_merge_is_written(family, tmp_path):
    recipe = tmp_path / "large.yml"
    recipe.write_text(
        f"merge_method: linear\nmodels:\n- {{model: {family / 'nex'}, parameters: {{weight: 1.0e+38}}}}\n"
        f"- {{model: {family / 'qwen'}, parameters: {{weight: 1.0e+38}}}}\n"
        "parameters: {normalize: false}\ndtype: float16\n"
    )
    with pytest.raises(NonFiniteOutputError):
        loaded(recipe)


def test_what_is_wrong_with_a_recipe_is_said_before_a_model_is_loaded(family, monkeypatch):
    monkeypatch.setattr("modelprov.jobs.runnable.DEFAULT_MEMORY", 1000)
    with (
        pytest.raises(MergeError, match="looks at whole tensors") as refused,
        runnable([str(family / "nex"), str(family / "ties.yml")], SILENT),
    ):
        pass
    assert "give the folder" in refused.value.advice
