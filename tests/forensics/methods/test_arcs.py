"""Slerp and NuSLERP are named with their t, by layer too; what was trained or picked is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov import compare, verify
from modelprov.checkpoints.formats.dtypes import DType, decode
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.tiny.shipped import unpack
from modelprov.demo.writing import Weights, as_stored, write_checkpoint
from modelprov.forensics.compare import Options
from modelprov.forensics.search.methods.arcs import _Arc
from modelprov.forensics.search.methods.gradients import Allowed, setting
from modelprov.recipes.arithmetics import Arithmetic
from tests.forensics.methods.making import family, merged, negatives, search
from tests.generated import Size, apply, change, merge, model
from tests.memory import judge, run

FILTERED = [
    {"filter": "self_attn", "value": [0.0, 0.5, 0.3, 1.0]},
    {"filter": "mlp", "value": [1.0, 0.6]},
    {"value": 0.5},
]


def weights_of(folder: Path) -> Weights:
    """The weights of a small model in a folder."""
    opened, found = open_checkpoint(str(folder)), {}
    for name, ref in opened.tensors.items():
        stored = np.empty(ref.count * ref.dtype.size, np.uint8)
        opened.source.read_into(ref.shard, ref.start, stored.data)
        found[name] = decode(stored, ref.dtype).astype(np.float32).reshape(ref.shape), ref.dtype
    return found


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
@pytest.mark.parametrize("t", [0.35, [0.2, 0.8], FILTERED])
def test_slerp_is_named_with_its_t(dtype: DType, t: Any) -> None:
    first, second, base = family(dtype)
    found = search(merged("slerp", [second], first, options={"t": t}), first, second, base)
    assert found is not None
    assert (found.made.method, found.made.base, found.made.models) == ("slerp", 0, (1,))
    assert found.made.options == {"t": t}
    assert found.bits.equal == found.bits.elements


def test_slerp_of_trained_models_is_named_though_its_angles_are_float32(tmp_path: Path) -> None:
    """One tensor's angle moves t by 4e-7 beyond its rounding cells; NuSLERP gives all bits but five of 655,360."""
    unpack(tmp_path / "family")
    nex, qwen = (weights_of(tmp_path / "family" / name) for name in ("nex", "qwen"))
    found = search(merged("slerp", [nex], qwen, options={"t": 0.35}), nex, qwen)
    assert found is not None
    assert found.made.method == "slerp"
    assert found.bits.equal == found.bits.elements


@pytest.mark.parametrize("based", [False, True])
@pytest.mark.parametrize("options", [{}, {"nuslerp_flatten": False}])
def test_nuslerp_is_named_with_its_weights(options: dict[str, bool], based: bool) -> None:
    first, second, base = family()
    suspect = merged("nuslerp", [first, second], base if based else None, each={"weight": [0.7, 0.3]}, options=options)
    found = search(suspect, first, second, base)
    assert found is not None
    assert (found.made.method, found.made.base, found.made.options) == ("nuslerp", 2 if based else None, options)
    assert [own["weight"] for own in found.made.each] == [0.7, 0.3]


@pytest.mark.parametrize("make", [make for _, make in negatives()], ids=[name for name, _ in negatives()])
def test_no_method_is_named_for_what_none_made(make: Any) -> None:
    first, second, base = family()
    suspect = make()
    assert search(suspect, first, second, base) is None
    assert search(suspect, first, second) is None


def test_the_verdict_names_the_method_and_no_training() -> None:
    first, second, base = family()
    found = judge(merged("slerp", [second], first, options={"t": 0.35}), first, second, base)
    assert (str(found.verdict.class_), found.verdict.rule) == ("merge", "method")
    assert "S is slerp of P2 on P1 (t 0.35)." in found.verdict.summary
    assert found.after_merge.sigma == 0
    assert found.method is not None
    assert found.method.recomputed == found.method.tensors > 10


def test_a_later_change_of_one_tensor_is_not_explained_away() -> None:
    first, second, base = family()
    suspect = dict(merged("slerp", [second], first, options={"t": 0.35}))
    suspect["model.layers.0.self_attn.q_proj.weight"] = first["model.layers.0.self_attn.q_proj.weight"]
    assert judge(suspect, first, second, base).verdict.rule != "method"


@pytest.mark.parametrize("t", [0.35, FILTERED])
def test_the_recipe_that_is_found_makes_the_same_bits(tmp_path: Path, t: Any) -> None:
    first, second, base = family()
    models: dict[str, Weights] = {
        "s": merged("slerp", [second], first, options={"t": t}), "a": first, "b": second, "base": base,
    }  # fmt: skip
    places = {name: str(tmp_path / name) for name in models}
    for name, weights in models.items():
        write_checkpoint(tmp_path / name, as_stored(weights), {"model_type": "llama"})
    report = compare(*places.values(), device="cpu")
    assert report.method is not None
    (tmp_path / "found.yml").write_text(report.method.yaml)
    assert verify(places["s"], tmp_path / "found.yml").reproduced


def test_a_gradient_is_the_shortest_list_that_lies_in_every_interval() -> None:
    def at(*values: float) -> list[Allowed]:
        last = len(values) - 1
        return [Allowed(f"layers.{n}", n / last, value - 1e-6, value + 1e-6) for n, value in enumerate(values)]

    assert setting(at(0.5, 0.5, 0.5)) == 0.5
    assert setting(at(0.2, 0.3, 0.4, 0.5)) == [0.2, 0.5]
    assert setting(at(0.1, 0.5, 0.9, 0.6, 0.3)) == [0.1, 0.9, 0.3]
    assert setting(at(0.1, 0.7, 0.2, 0.9)) == [0.1, 0.7, 0.2, 0.9]
    assert setting([*at(0.1, 0.7), *at(0.2, 0.9)]) is None


def test_a_mix_that_was_trained_further_in_a_layer_that_no_method_was_tried_on_stays_a_mix_of_the_rest() -> None:
    rng = np.random.default_rng(3)
    base = model(rng, Size(24, 48, 96, 160))
    tune = apply(base, change(base, rng, 4e-4, low_rank=0, uneven=0))  # so near that mergekit's slerp is a lerp
    mix = merge([tune, base], (0.565, 0.435), Arithmetic.FLOAT32, DType.BF16)
    further = apply(mix, change(mix, rng, 2e-4, only=lambda name: ".layers.7." in name))
    options = Options(threads=1, device="cpu", sample=True, sample_elements=1 << 14)
    found = run([further, tune, base], (), options).findings
    assert (found.verdict.class_, found.verdict.rule, found.method) == ("merge", "partly-exact", None)
    assert found.verdict.share == pytest.approx(0.96, abs=0.01)


def test_weights_that_add_up_to_nothing_begin_in_the_middle() -> None:
    same = np.ones((1, 8))
    assert _Arc(same, same).start(np.array([0.0, 0.0])) == 0.5
    assert _Arc(same, same).start(np.array([1.0, 3.0])) == 0.75
