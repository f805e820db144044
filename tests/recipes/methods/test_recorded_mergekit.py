"""Our methods against recorded outputs of mergekit 0.1.4 and 0.1.5 (tests/data/mergekit/README.md)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.native import for_merging
from modelprov.recipes.methods import METHODS
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Inputs
from tests.recipes.methods import recorded

# Everything that is not here has the same bits in all elements also where torch is not installed. The least share of
# equal bits measured there, and why:
WITHOUT_TORCH = {
    # The largest variances: float32 rounding in the program's variance separates elements that are exactly equal.
    "sce/bf16": 0.999,
    "sce-three/f32": 0.9998,
    "sce-distinct/bf16": 0.997,
    # The divergence of two nearly equal softmaxes is mostly rounding of the library's exponential.
    "arcee_fusion/f32": 0.998,
    "arcee_fusion/bf16": 0.95,
}
EXPONENTIAL = "arcee_fusion"  # torch's own exponential differs in its last digits between processors too
CUT = ("ties", "breadcrumbs")  # keep the largest: which of equal ones at the cut, an unstable sort decides


def _contested(inputs: Inputs) -> Any:
    """Elements whose size, in any model, equals one at a cut that falls between equal sizes."""
    step = steps_of(inputs)
    marked = np.zeros(len(inputs.tensors[0]), bool)
    for tensor, model in zip(inputs.tensors, inputs.models, strict=True):
        sizes = np.abs(step(step(tensor) - step(inputs.base)))
        ordered = np.sort(sizes)[::-1]
        dropped = int(model.get("gamma", 0) * len(sizes))
        for cut in (dropped, dropped + int(model["density"] * len(sizes))):
            if 0 < cut < len(sizes) and ordered[cut - 1] == ordered[cut]:
                marked |= sizes == ordered[cut]
    return marked


@pytest.mark.parametrize("program", recorded.PROGRAMS)
@pytest.mark.parametrize("case", recorded.cases(random=False))
def test_the_bits_are_those_that_mergekit_wrote(case: str, program: str) -> None:
    for tensor in recorded.tensor_names():
        ours, theirs = recorded.merged(case, program, tensor), recorded.output(case, program, tensor)
        differing = ours.view(np.uint32) != theirs.view(np.uint32)
        if torch.backends.cpu.get_cpu_capability() != "AVX512":  # which the recording's processor has
            if for_merging() is None and case.startswith(CUT):  # torch sorts, and otherwise there
                differing &= ~_contested(recorded.inputs(case, program, tensor))
            if case.startswith(EXPONENTIAL):
                assert differing.mean() <= 1 - WITHOUT_TORCH[case], tensor
                continue
        assert int(differing.sum()) == 0, tensor


@pytest.mark.parametrize("program", recorded.PROGRAMS)
@pytest.mark.parametrize("case", recorded.cases(random=False))
def test_without_torch_the_bits_are_mergekits_except_where_torch_decides(
    case: str, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelprov.recipes.methods.choosing.find_spec", lambda _name: None)
    equal = total = 0
    for tensor in recorded.tensor_names():
        ours, theirs = recorded.merged(case, program, tensor), recorded.output(case, program, tensor)
        same = ours.view(np.uint32) == theirs.view(np.uint32)
        if for_merging() is None and case.startswith(CUT):
            same = same[~_contested(recorded.inputs(case, program, tensor))]
        equal, total = equal + int(same.sum()), total + len(same)
    if case in WITHOUT_TORCH:
        assert WITHOUT_TORCH[case] <= equal / total < 1
    else:
        assert equal == total > 3000


def test_elements_that_are_left_out_because_of_equal_sizes_are_few_and_none_where_sizes_differ() -> None:
    names = recorded.tensor_names()

    def left_out(case: str) -> float:
        marked = [_contested(recorded.inputs(case, recorded.PROGRAMS[1], name)) for name in names]
        return float(np.concatenate(marked).mean())

    assert left_out("ties-distinct/f32") == 0
    assert left_out("breadcrumbs-distinct/f32") == 0
    assert 0 < left_out("ties/bf16") < 0.25


@pytest.mark.parametrize("program", recorded.PROGRAMS)
@pytest.mark.parametrize(
    ("case", "share", "tolerance"),
    [("dare_linear-raw", 0.4, 0.03), ("dare_linear-one", 0.4, 0.03), ("della_linear-raw", 0.4, 0.03)],
)
def test_random_masks_keep_as_much_as_mergekits(case: str, share: float, tolerance: float, program: str) -> None:
    name = "model.embed_tokens.weight"
    given = recorded.inputs(f"{case}/f32", program, name)
    large = np.abs(given.tensors[0] - given.base) > 1e-3  # small changes round away and look dropped
    kept_by = {
        "mergekit": recorded.output(f"{case}/f32", program, name)[large] != given.base[large],
        "ours": recorded.merged(f"{case}/f32", program, name, np.random.default_rng(1))[large] != given.base[large],
    }
    lift = 0.04 if case.startswith("della") else 0.0  # large changes are kept more often there
    for kept in kept_by.values():
        assert kept.mean() == pytest.approx(share + lift, abs=tolerance)


@pytest.mark.parametrize("case", ["dare_linear-one/f32", "dare_ties-one/f32", "della-one/f32", "della_linear-one/f32"])
def test_what_random_methods_keep_is_enlarged_to_the_l1_norm_of_the_task_vector(case: str) -> None:
    name = "model.embed_tokens.weight"
    given = recorded.inputs(case, recorded.PROGRAMS[1], name)
    delta = (given.tensors[0] - given.base).astype(np.float64)
    for values in (
        recorded.output(case, recorded.PROGRAMS[1], name),
        recorded.merged(case, recorded.PROGRAMS[1], name, np.random.default_rng(2)),
    ):
        change = (values - given.base).astype(np.float64)
        assert np.abs(change).sum() == pytest.approx(np.abs(delta).sum(), rel=0.003)
        kept = change != 0
        factor = (delta[kept] @ change[kept]) / (delta[kept] @ delta[kept])
        assert factor == pytest.approx(np.abs(delta).sum() / np.abs(delta[kept]).sum(), rel=0.003)


def test_della_keeps_with_a_probability_that_grows_with_the_rank_in_the_row_as_mergekit_does() -> None:
    for name in ("model.embed_tokens.weight",):
        given = recorded.inputs("della_linear-raw/f32", recorded.PROGRAMS[1], name)
        sizes = np.abs(given.tensors[0] - given.base).reshape(given.shape)
        ranks = sizes.argsort(1).argsort(1).ravel() / (given.shape[1] - 1)
        for values in (
            recorded.output("della_linear-raw/f32", recorded.PROGRAMS[1], name),
            recorded.merged("della_linear-raw/f32", recorded.PROGRAMS[1], name, np.random.default_rng(3)),
        ):
            slope, at_zero = np.polyfit(ranks, values != given.base, 1)
            assert at_zero == pytest.approx(0.2, abs=0.05)  # density 0.4 - epsilon 0.2
            assert slope == pytest.approx(0.4, abs=0.08)


@pytest.mark.parametrize("program", recorded.PROGRAMS)
def test_the_quartiles_of_arcee_fusion_are_values_that_occur_and_the_lower_of_two(program: str) -> None:
    """A tensor (of the recorded models, not of `KEPT`) for which interpolated quartiles choose two other elements."""
    held = json.loads((recorded.FOLDER / "arcee_fusion_norm.json").read_text())
    base, other, output = (np.array(held[name], np.float32) for name in ("base", "other", "output"))
    given = Inputs(tensors=[other], base=base, shape=base.shape, models=[{}], arithmetic=program, out_dtype=DType.F32)
    assert np.array_equal(METHODS["arcee_fusion"].merge(given), output)
