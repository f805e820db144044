"""A model larger than its device is spread over what there is, answers as it does in one place, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from modelprov.behavior import extra, memory, placing  # noqa: E402
from modelprov.behavior.generation.generate import generate, method_of  # noqa: E402
from modelprov.behavior.loading import LocalModel, load_model  # noqa: E402
from modelprov.checkpoints.opening import open_checkpoint  # noqa: E402
from modelprov.errors import UsageError  # noqa: E402
from tests.behavior.generation.conftest import one_thread  # noqa: E402, F401
from tests.behavior.probing.models import write_model  # noqa: E402

LAYERS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(
        tmp_path_factory.mktemp("spread") / "large", num_hidden_layers=LAYERS, layer_types=["full_attention"] * LAYERS
    )


@pytest.fixture(scope="module")
def size(folder: Path) -> int:
    return placing.size_of(open_checkpoint(str(folder)), "auto")


def answers(model: LocalModel, method: str) -> list[tuple[int, ...]]:
    prompts = [[5, 6, 7], [8, 9], [10, 11, 12, 13]]
    return [found.tokens for found in generate(model, prompts, method_of(method, max_new_tokens=5, window=2), 0)]


@pytest.mark.parametrize(("method", "dtype"), [("cot", "auto"), ("swir", "auto"), ("swir", "bfloat16")])
def test_layers_that_do_not_fit_stay_on_the_disk_and_the_answers_are_the_same(folder, size, method, dtype):
    whole = load_model(str(folder), device="cpu", dtype=dtype)
    share = 0.6 if dtype == "auto" else 0.3
    spread = load_model(str(folder), device="cpu", dtype=dtype, memory=int(share * size))
    assert whole.spread is None
    assert whole.device == "cpu"
    assert spread.device == "cpu, disk"
    assert "larger than the memory of one device" in (spread.spread or "")
    assert "on the disk" in (spread.spread or "")
    assert sum(placing.places(spread.model).values()) == sum(placing.places(whole.model).values())
    assert placing.places(spread.model)["cpu"] <= share * size
    assert answers(spread, method) == answers(whole, method)


def test_the_size_of_a_model_is_that_of_its_weights(folder, size):
    model = load_model(str(folder), device="cpu")
    assert size == placing.places(model.model)["cpu"]
    assert placing.size_of(open_checkpoint(str(folder)), "bfloat16") == size // 2


def test_without_accelerate_a_model_that_fits_is_loaded_and_one_that_does_not_is_refused_in_words(
    folder, size, monkeypatch
):
    found = extra.find_spec
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "accelerate" else found(name))
    assert load_model(str(folder), device="cpu").device == "cpu"
    with pytest.raises(UsageError, match=r"larger than the memory for it .* needs accelerate") as refused:
        load_model(str(folder), device="cpu", memory=size // 2)
    assert "pip install" in refused.value.advice


def test_too_little_memory_for_the_embeddings_is_said(folder):
    with pytest.raises(UsageError, match="does not hold its embeddings"):
        load_model(str(folder), device="cpu", memory=20_000)


def test_the_free_memory_of_a_container_is_what_its_limit_leaves(tmp_path):
    for name, text in (
        ("memory.max", "1000\n"),
        ("memory.current", "700\n"),
        ("memory.stat", "anon 1\ninactive_file 50\n"),
    ):
        (tmp_path / name).write_text(text)
    assert memory._left_to_container(tmp_path) == 350
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._left_to_container(tmp_path) is None
    assert memory._left_to_container(tmp_path / "elsewhere") is None
    assert memory.free_memory("cpu") > 0


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            True,
        ),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("size mismatch"), False),
        (OSError(28, "No space left on device"), False),
    ],
    ids=str,
)
def test_which_errors_are_a_lack_of_memory(error, is_memory):
    assert memory.ran_out(error) == is_memory
