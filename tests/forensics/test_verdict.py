"""The rules of the verdict one by one on facts made by hand, and the main histories through the whole pipeline."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.forensics.compare import Options
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.findings import Findings
from modelprov.forensics.judging.roles import Between
from modelprov.forensics.judging.sections import programs
from modelprov.forensics.judging.verdict import Decision, decide
from modelprov.forensics.results import CandidateRecipe
from modelprov.recipes.arithmetics import Arithmetic
from tests.generated import Size, apply, cast, change, combine, layer_of, merge, model, quantised, sparse
from tests.memory import judge, run

# --- rules on facts made by hand --------------------------------------------------------------------------------------

SIBLING = Facts(
    elements=100_000, parents=2, correlations=(0.999, 0.999), bit_equal=0.02, distinct=90_000, missed=90_000,
    agreement=0.2, betweenness=0.3, weights=(0.0, 1.0), weight_error=0.003, collinearity=0.01, straightness=-0.5,
    spread=0.0,
)  # fmt: skip
REPRODUCED = replace(
    SIBLING, bit_equal=1.0, missed=0, mixes=True, agreement=1.0, betweenness=1.0, weights=(0.6, 0.4), collinearity=1.0,
    straightness=1.0,
)  # fmt: skip
EXACT = replace(REPRODUCED, bit_equal=0.9, missed=9_000, exact=True)
TRAINED = replace(EXACT, exact=False, agreement=0.9, betweenness=0.98, straightness=0.995, mixes=False)


def outcome(facts: Facts, **changes: object) -> tuple[str, str]:
    decision = decide(replace(facts, **changes))  # type: ignore[arg-type]
    return str(decision.class_), decision.rule


def test_too_few_matrix_elements_decide_nothing_whatever_else_fits() -> None:
    assert outcome(REPRODUCED, elements=999) == ("inconclusive", "no-evidence")
    assert outcome(REPRODUCED, elements=999, identical=(1,)) == ("inconclusive", "no-evidence")


def test_weights_that_are_mostly_not_finite_or_do_not_vary_decide_nothing() -> None:
    assert outcome(REPRODUCED, finite=0.4, identical=(1,)) == ("inconclusive", "no-evidence")
    assert outcome(SIBLING, correlations=(None, None)) == ("inconclusive", "no-evidence")


def test_the_bits_of_a_parent_are_a_copy_and_with_other_norms_a_finetune() -> None:
    assert outcome(SIBLING, identical=(2,)) == ("copy", "identical")
    assert decide(replace(SIBLING, identical=(2,))).parent == 2
    assert outcome(SIBLING, identical=(2,), vectors_differ=True) == ("finetune", "identical")


def test_a_finding_about_less_than_half_of_the_suspect_is_not_one_about_the_suspect() -> None:
    for facts in (replace(SIBLING, identical=(1,)), REPRODUCED, EXACT, TRAINED, SIBLING):
        assert outcome(facts, compared_decisive=0.4) == ("inconclusive", "partial")
        assert outcome(facts, compared_decisive=0.5)[1] != "partial"
        assert outcome(facts, compared=0.4)[1] != "partial"  # norms and the like count for nothing
    assert outcome(SIBLING, correlations=(0.01, 0.0), compared_decisive=0.4) == ("inconclusive", "partial")


def test_unrelated_needs_low_correlation_with_every_parent_and_in_every_tensor() -> None:
    assert outcome(SIBLING, correlations=(0.09, -0.4)) == ("unrelated", "unrelated")
    assert outcome(SIBLING, correlations=(0.09, 0.11)) == ("inconclusive", "weak-kinship")
    assert outcome(SIBLING, correlations=(0.05, 0.0), kin_tensors=0.05) == ("inconclusive", "weak-kinship")
    assert outcome(SIBLING, correlations=(0.49, 0.3)) == ("inconclusive", "weak-kinship")
    assert outcome(SIBLING, correlations=(0.5, 0.3)) == ("finetune", "near-one-parent")


def test_there_is_no_all_clear_while_a_parent_has_the_same_sizes_in_another_order() -> None:
    stranger = replace(SIBLING, correlations=(0.01, 0.0))
    assert outcome(stranger) == ("unrelated", "unrelated")
    assert outcome(stranger, elsewhere=1) == ("inconclusive", "other-coordinates")
    assert decide(replace(stranger, elsewhere=2)).parent == 2


def test_a_mixture_in_the_middle_of_the_cells_is_no_merge_whatever_the_bits_say() -> None:
    assert outcome(REPRODUCED, short=False, centred=1) == ("inconclusive", "extrapolated")
    assert outcome(REPRODUCED, short=False, extrapolated=1) == ("merge", "reproduced")
    assert outcome(REPRODUCED, short=True, extrapolated=1) == ("inconclusive", "extrapolated")
    assert outcome(TRAINED, centred=2) == ("inconclusive", "extrapolated")


def test_an_extrapolation_in_float32_needs_its_bits() -> None:
    beyond = replace(EXACT, interior=False, short=False, weights=(1.4, -0.4), straightness=None)
    assert outcome(beyond) == ("inconclusive", "extrapolated")
    assert outcome(beyond, short=True) == ("merge", "exact-to-rounding")
    assert outcome(beyond, bit_equal=1.0, missed=0) == ("merge", "reproduced")


def test_ties_that_no_rounding_decided_are_no_exact_merge() -> None:
    uneven = {"ties": 50, "ties_even": 0.98, "ties_firm": True}
    assert outcome(EXACT, **uneven) == ("inconclusive", "ties")
    assert outcome(EXACT, **(uneven | {"ties": 49})) == ("merge", "exact-to-rounding")
    assert outcome(EXACT, **(uneven | {"ties_even": 0.99})) == ("merge", "exact-to-rounding")
    assert outcome(EXACT, **(uneven | {"ties_firm": False})) == ("merge", "exact-to-rounding")
    assert outcome(EXACT, **(uneven | {"ties_firm": False, "roomy": 499})) == ("inconclusive", "ties")
    assert outcome(REPRODUCED, **uneven) == ("merge", "reproduced")  # every bit came out, the ties among them


def test_a_suspect_that_is_hardly_ever_strictly_between_is_no_trained_merge() -> None:
    assert outcome(TRAINED, roomy=499) == ("inconclusive", "shared-direction")
    assert outcome(TRAINED, strictly=0.79) == ("inconclusive", "shared-direction")
    assert outcome(TRAINED, strictly=0.8) == ("merge-then-trained", "merge-then-trained")


def test_a_second_direction_is_said_by_weight_or_by_where_small_differences_went() -> None:
    assert outcome(SIBLING, weights=(0.1, 0.95)) == ("inconclusive", "two-directions")
    assert decide(replace(SIBLING, weights=(0.1, 0.95))).parent == 1
    assert outcome(SIBLING, weights=(0.09, 0.95)) == ("finetune", "near-one-parent")
    assert outcome(SIBLING, towards=(0.75, None)) == ("inconclusive", "two-directions")
    assert outcome(SIBLING, towards=(0.74, None)) == ("finetune", "near-one-parent")


def test_with_one_parent_kinship_is_a_finetune() -> None:
    assert outcome(Facts(elements=5_000, parents=1, correlations=(0.9,))) == ("finetune", "near-one-parent")


def test_a_recipe_of_several_parents_that_gives_the_bits_is_a_merge() -> None:
    assert outcome(REPRODUCED) == ("merge", "reproduced")
    assert outcome(REPRODUCED, bit_equal=0.9999, missed=9) == ("merge", "reproduced")
    assert outcome(REPRODUCED, bit_equal=0.9998, missed=18) != ("merge", "reproduced")


def test_a_recipe_of_one_parent_is_no_merge() -> None:
    assert outcome(REPRODUCED, mixes=False, weights=(1.0, 0.0)) == ("finetune", "near-one-parent")


def test_a_recipe_that_only_repeats_one_parents_bits_is_no_merge() -> None:
    """0.9999 of one parent and 0.0001 of another reproduces nearly any copy with a few changed elements."""
    near_copy = replace(REPRODUCED, weights=(0.9999, 0.0001), straightness=-0.2, bit_equal=0.99995)
    assert outcome(near_copy, distinct=499, missed=0) == ("finetune", "near-one-parent")
    assert outcome(near_copy, distinct=2_000, missed=21) == ("finetune", "near-one-parent")
    assert outcome(near_copy, distinct=2_000, missed=20) == ("merge", "reproduced")


def test_every_piece_of_a_recipe_needs_elements_of_its_own() -> None:
    assert outcome(REPRODUCED, pieces=40, distinct=3_999)[0] != "merge"
    assert outcome(REPRODUCED, pieces=40, distinct=4_000) == ("merge", "reproduced")


def test_one_weighting_in_every_rounding_cell_is_a_merge_only_with_full_agreement_and_betweenness() -> None:
    assert outcome(EXACT) == ("merge", "exact-to-rounding")
    assert outcome(EXACT, agreement=None) == ("merge", "exact-to-rounding")
    for hole in ({"agreement": 0.9998}, {"betweenness": 0.9998}, {"betweenness": None}, {"distinct": 499}):
        assert outcome(EXACT, **hole) != ("merge", "exact-to-rounding")


def test_an_exact_extrapolation_needs_agreement_but_cannot_lie_between() -> None:
    beyond = replace(EXACT, interior=False, betweenness=0.1, weights=(1.5, -0.5), straightness=None)
    assert outcome(beyond) == ("merge", "exact-to-rounding")
    assert outcome(beyond, agreement=0.9) != ("merge", "exact-to-rounding")


def test_what_is_exact_in_most_of_the_weights_only_was_changed_afterwards() -> None:
    assert outcome(REPRODUCED, explained=0.6) == ("merge-then-trained", "partly-exact")
    assert outcome(EXACT, explained=0.6) == ("merge-then-trained", "partly-exact")
    assert outcome(REPRODUCED, explained=0.4) == ("inconclusive", "partly-exact")


def test_an_argument_between_the_suspect_and_a_third_is_the_child() -> None:
    between = Between(child=1, first=0, second=2, cosine=-0.99, position=0.6)
    assert decide(replace(SIBLING, between=(between,))) == replace(
        decide(replace(SIBLING, between=(between,))), rule="other-child", parent=1
    )
    assert outcome(SIBLING, between=(between,)) == ("inconclusive", "other-child")
    assert outcome(TRAINED, other_exact=1) == ("inconclusive", "other-child")
    assert outcome(REPRODUCED, other_exact=1) == ("merge", "reproduced")
    assert outcome(REPRODUCED, other_exact=1, interior=False) == ("inconclusive", "other-child")


def test_parents_that_lie_on_a_line_among_themselves_say_nothing_of_the_suspect() -> None:
    apart = Between(child=2, first=1, second=3, cosine=-0.99, position=0.6)
    assert outcome(SIBLING, between=(apart,)) == ("finetune", "near-one-parent")


def test_near_the_line_with_even_weights_is_a_merge_that_was_trained() -> None:
    assert outcome(TRAINED) == ("merge-then-trained", "merge-then-trained")
    assert outcome(TRAINED, weights=(0.4, 0.3, 0.3), parents=3) == ("merge-then-trained", "merge-then-trained")


@pytest.mark.parametrize(
    "doubt",
    [
        {"straightness": 0.969},
        {"straightness": None},
        {"spread": 0.021},
        {"spread": None},
        {"weights": (1.06, -0.06)},
        {"weights": (0.951, 0.049)},
        {"weights": None},
    ],
    ids=str,
)
def test_each_doubt_alone_withholds_merge_then_trained(doubt: dict[str, object]) -> None:
    assert outcome(TRAINED, **doubt)[0] in ("inconclusive", "finetune")


def test_a_stage_of_the_parents_training_is_no_merge_though_its_collinearity_is_high() -> None:
    """A random walk seen at 93 % of the way: collinearity 0.96, weight 0.93, and the angle at the suspect is right."""
    walk = replace(TRAINED, weights=(0.93, 0.07), collinearity=0.964, straightness=0.0, agreement=0.5)
    assert outcome(walk) == ("finetune", "near-one-parent")
    assert outcome(walk, weights=(0.8, 0.2), collinearity=0.97) == ("inconclusive", "shared-direction")


def test_one_parents_weight_must_be_known_before_the_suspect_is_its_finetune() -> None:
    assert outcome(SIBLING, weight_error=0.06) == ("inconclusive", "shared-direction")
    assert outcome(SIBLING, weights=(1.6, -0.6)) == ("inconclusive", "shared-direction")
    assert decide(SIBLING) == Decision(decide(SIBLING).class_, "near-one-parent", 2)


# --- histories through the whole pipeline -----------------------------------------------------------------------------

WEIGHTS = (0.565, 0.435)


@functools.cache
def family(dtype: DType = DType.BF16) -> tuple[Weights, Weights, Weights]:
    """Two finetunes of one base, and the base."""
    rng = np.random.default_rng(7)
    base = model(rng, Size(3, 32, 64, 200), dtype)
    return apply(base, change(base, rng, 3e-4)), apply(base, change(base, rng, 3e-4)), base


def noise(of: Weights, size: float, seed: int = 1) -> dict[str, np.ndarray]:
    return change(of, np.random.default_rng(seed), size, low_rank=0, uneven=0)


def named(found: Findings) -> tuple[str, str]:
    return str(found.verdict.class_), found.verdict.rule


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
@pytest.mark.parametrize("arithmetic", list(Arithmetic))
def test_an_exact_merge_is_reproduced_to_the_last_bit_in_every_arithmetic(arithmetic: Arithmetic, dtype: DType) -> None:
    parent, _, base = family(dtype)
    everything = Options(threads=1, device="cpu", sample_elements=1 << 19)  # so that the sample settles every tie
    found = run([merge([parent, base], WEIGHTS, arithmetic), parent, base], options=everything).findings
    assert named(found) == ("merge", "reproduced")
    assert found.reproduction.bit_equal == 1
    assert found.reproduction.groups[0].weights["P1"] == pytest.approx(WEIGHTS[0], abs=1e-6)
    assert "the recipe explains every bit" in found.verdict.summary


@pytest.mark.parametrize(
    ("arithmetic", "name", "program"),
    [
        (Arithmetic.STEPWISE, "bf16-stepwise", "mergekit up to 0.1.4 with dtype bfloat16"),
        # bf16(0.6) + bf16(0.4) rounds to 1: nothing to divide by
        (Arithmetic.STEPWISE_UNNORMALISED, "bf16-stepwise", "mergekit up to 0.1.4 with dtype bfloat16"),
        (Arithmetic.STEPWISE_DELTA, "bf16-delta", "the task arithmetic of mergekit with dtype bfloat16"),
    ],
)
def test_coarse_arithmetic_is_named_and_not_taken_for_training(arithmetic: Arithmetic, name: str, program: str) -> None:
    parent, _, base = family()
    found = judge(merge([parent, base], [0.6, 0.4], arithmetic), parent, base)
    assert named(found) == ("merge", "reproduced")
    assert found.reproduction.arithmetic is not None
    assert name in found.reproduction.arithmetic
    assert found.reproduction.programs == program
    assert f"as {program}, among others" in found.verdict.summary


def test_no_program_is_named_where_two_arithmetics_reproduce_equally_much() -> None:
    def candidate(arithmetic: str, share: float) -> CandidateRecipe:
        return CandidateRecipe(description="", arithmetic=arithmetic, groups=(), bit_equal=share, elements=10)

    fused, plain, other = candidate("float32-fused (A then B)", 1.0), candidate("float32", 1.0), candidate("float64", 1)
    assert programs((fused, candidate("float32", 0.9))) == "mergekit 0.1.5"
    assert programs((fused, plain)) is None
    assert programs((fused, other)) is None
    assert programs((other,)) is None


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_a_little_training_after_a_merge_is_seen_and_measured(share: float) -> None:
    parent, _, base = family()
    found = judge(apply(merge([parent, base], WEIGHTS), noise(base, 3e-4 * share)), parent, base)
    assert named(found) == ("merge-then-trained", "merge-then-trained")
    assert found.facts.weights == pytest.approx(WEIGHTS, abs=0.01)
    assert found.after_merge.sigma_relative == pytest.approx(share, rel=0.5)


@pytest.mark.parametrize("along", [0.0, 0.4, 0.9])
def test_the_interval_holds_the_share_that_was_mixed_also_when_training_went_on_along_the_line(along: float) -> None:
    """Training on a parent's data moves alpha itself; beside the line it leaves a trace of at least that size."""
    parent, _, base = family()
    delta = {name: parent[name][0] - base[name][0] for name in base}
    distance = float(np.sqrt(np.mean(np.concatenate([one.ravel() for one in delta.values() if one.ndim == 2]) ** 2)))
    trained = combine([(1.0, noise(base, 0.02 * distance)), (0.02 * along, delta)])
    found = judge(apply(merge([parent, base], WEIGHTS, dtype=DType.F32), trained, DType.BF16), parent, base)
    assert found.verdict.class_ == "merge-then-trained"
    assert found.mixing.method == "likelihood"
    assert found.mixing.low is not None
    assert found.mixing.high is not None
    assert found.mixing.low < WEIGHTS[0] < found.mixing.high
    assert found.mixing.high - found.mixing.low < 0.06
    if along < 0.5:  # beyond, a layer with a larger distance of its own moved further along the line than beside it
        bounds = [(one.low, one.high) for one in found.layers if one.low is not None and one.high is not None]
        assert len(bounds) == len(found.layers) > 2
        assert all(low < WEIGHTS[0] < high for low, high in bounds)


def test_a_merge_of_which_one_layer_was_trained_is_exact_in_the_rest() -> None:
    parent, _, base = family()
    extra = change(base, np.random.default_rng(2), 3e-4, only=lambda name: layer_of(name) == 2)
    found = judge(apply(merge([parent, base], WEIGHTS), extra), parent, base)
    assert named(found) == ("merge-then-trained", "partly-exact")


def test_one_small_tensor_trained_after_a_merge_is_not_hidden_by_all_the_others() -> None:
    parent, _, base = family()
    merged = merge([parent, base], WEIGHTS)
    merged["model.layers.1.self_attn.q_proj.weight"][0][:2, :16] += np.float32(0.01)
    found = judge(merged, parent, base)
    assert named(found) == ("merge-then-trained", "partly-exact")
    assert 0.9 < found.facts.explained < 1


def test_a_merge_with_a_ratio_for_each_layer_is_a_merge_in_pieces() -> None:
    parent, _, base = family()
    steps = {None: 0.5, 0: 0.2, 1: 0.5, 2: 0.8}
    found = judge(merge([parent, base], lambda name: (steps[layer_of(name)], 1 - steps[layer_of(name)])), parent, base)
    assert named(found) == ("merge", "reproduced")
    assert found.facts.pieces == 3


def test_layers_taken_whole_from_either_parent_could_be_a_stage_of_training_and_are_no_finding() -> None:
    """Training one layer first and the others later, the first frozen, leaves the same three files."""
    parent, _, base = family()
    found = judge(merge([parent, base], lambda name: (1, 0) if layer_of(name) == 1 else (0, 1)), parent, base)
    assert named(found) == ("inconclusive", "whole-parts")
    assert "training in stages" in found.verdict.summary


def test_layers_taken_whole_beside_layers_that_are_mixed_are_a_merge_in_pieces() -> None:
    parent, _, base = family()
    found = judge(merge([parent, base], lambda name: (1, 0) if layer_of(name) == 1 else (0.6, 0.4)), parent, base)
    assert named(found) == ("merge", "reproduced")


@pytest.mark.parametrize("dtype", [DType.BF16, DType.F32])
@pytest.mark.parametrize("beyond", [1.25, 1.5, 2.0, 3.0])
def test_a_model_is_no_merge_of_one_that_was_made_by_carrying_it_on(beyond: float, dtype: DType) -> None:
    """Anyone can publish 1.5 x honest - 0.5 x base; that honest then lies between the two accuses nobody."""
    honest, _, base = family()
    made = merge([honest, base], (beyond, 1 - beyond), dtype=dtype)
    found = judge(honest, made, base)
    assert named(found) == ("inconclusive", "extrapolated")
    assert "do not settle" in found.verdict.summary
    assert named(judge(honest, base, made)) == ("inconclusive", "extrapolated")


def test_carrying_on_is_seen_beside_a_third_parent_too() -> None:
    honest, other, base = family()
    made = merge([honest, base], (1.5, -0.5))
    assert judge(honest, made, other, base).verdict.class_ == "inconclusive"


@pytest.mark.parametrize("share", [0.3, 0.5, 0.75, 0.9])
def test_a_merge_rounded_to_16_bits_carried_back_misses_its_parents_cells(share: float) -> None:
    parent, _, base = family()
    found = judge(merge([parent, base], (share, 1 - share)), parent, base)
    assert named(found) == ("merge", "reproduced")
    assert found.facts.extrapolated is None


def test_three_parents_are_found_with_their_ratios() -> None:
    found = judge(merge(family(), [0.5, 0.3, 0.2]), *family())
    assert named(found) == ("merge", "reproduced")
    assert found.facts.weights == pytest.approx((0.5, 0.3, 0.2), abs=1e-3)


def test_a_parent_that_took_no_part_is_not_named_in_the_recipe() -> None:
    first, second, base = family()
    found = judge(merge([first, base], WEIGHTS), first, second, base)
    assert named(found) == ("merge", "reproduced")
    assert "P2" not in (found.reproduction.recipe or "")


def test_three_parents_with_a_ratio_that_varies_by_layer_are_no_even_mixture() -> None:
    """The test of evenness must not be skipped for more than two parents."""
    first, second, base = family()
    pace = {name: {None: 0.5, 0: 0.25, 1: 0.5, 2: 0.75}[layer_of(name)] for name in base}
    own = {name: values - base[name][0] for name, (values, _) in first.items()}
    found = judge(apply(base, combine([(pace, own), (1.0, noise(base, 5e-6))])), first, second, base)
    assert named(found) == ("inconclusive", "shared-direction")


def test_when_the_merge_is_handed_in_as_a_parent_the_summary_says_so() -> None:
    nex, _, qwen = family()
    rio = merge([nex, qwen], WEIGHTS)
    for suspect, *parents in ((nex, rio, qwen), (qwen, rio, nex), (nex, qwen, rio)):
        found = judge(suspect, *parents)
        assert named(found) == ("inconclusive", "other-child")
        middle = "P1" if parents[0] is rio else "P2"
        assert f"{middle} lies between" in found.verdict.summary


def test_roles_are_seen_though_rounding_bends_the_line_between_near_parents() -> None:
    rng = np.random.default_rng(11)
    base = model(rng, Size(3, 32, 64, 200))
    parent = apply(base, change(base, rng, 8e-5))
    found = judge(parent, merge([parent, base], WEIGHTS), base)
    assert found.facts.between == ()
    assert named(found) == ("inconclusive", "other-child")
    assert "P1 lies between S and P2" in found.verdict.summary


def test_a_control_that_fares_the_same_makes_a_merge_inconclusive() -> None:
    parent, other, base = family()
    suspect = merge([parent, base], WEIGHTS)
    innocent = judge(suspect, parent, base, controls=[other])
    assert named(innocent) == ("merge", "reproduced")
    same = judge(suspect, parent, base, controls=[other, merge([parent, base], [0.3, 0.7])])
    assert named(same) == ("inconclusive", "reproduced")
    assert "control 2" in (same.verdict.reason or "")


def test_norms_and_biases_alone_never_decide() -> None:
    parent, _, base = family()

    def vectors(weights: Weights) -> Weights:
        return {name: tensor for name, tensor in weights.items() if tensor[0].ndim == 1}

    assert named(judge(*map(vectors, (merge([parent, base], [0.5, 0.5]), parent, base)))) == (
        "inconclusive", "no-evidence",
    )  # fmt: skip
    assert named(judge(vectors(base), vectors(base))) == ("inconclusive", "no-evidence")


def test_other_norms_do_not_hide_that_all_matrices_were_copied() -> None:
    parent, _, base = family()
    mixed = {name: parent[name] if tensor[0].ndim == 1 else tensor for name, tensor in base.items()}
    found = judge(mixed, parent, base)
    assert named(found) == ("finetune", "identical")
    assert found.verdict.parent == "P2"


def test_two_checkpoints_are_a_copy_a_finetune_or_unrelated() -> None:
    parent, _, base = family()
    assert named(judge(base, base)) == ("copy", "identical")
    assert named(judge(parent, base)) == ("finetune", "near-one-parent")
    assert named(judge(model(np.random.default_rng(99), Size(3, 32, 64, 200)), base)) == ("unrelated", "unrelated")


def test_a_cast_to_another_format_is_a_copy() -> None:
    parent, _, base = family(DType.F32)
    for dtype in (DType.BF16, DType.F16):
        assert named(judge(cast(parent, dtype), parent, base)) == ("copy", "identical")


def test_shared_matrices_in_a_model_that_is_otherwise_different_are_no_copy() -> None:
    """Two models may share a frozen vision tower or embeddings without one being a copy of the other."""
    base = family()[-1]
    other = model(np.random.default_rng(5), Size(3, 40, 64, 200))
    suspect = other | {"model.visual.blocks.0.attn.qkv.weight": base["model.layers.0.mlp.gate_proj.weight"]}
    parent = base | {"model.visual.blocks.0.attn.qkv.weight": base["model.layers.0.mlp.gate_proj.weight"]}
    found = judge(suspect, parent)
    assert named(found) == ("inconclusive", "partial")
    assert "could be compared" in found.verdict.summary


def test_a_few_copied_tensors_in_an_independent_model_are_not_called_unrelated() -> None:
    base = family()[-1]
    stranger = model(np.random.default_rng(5), Size(3, 32, 64, 200))
    stranger["model.layers.0.self_attn.q_proj.weight"] = base["model.layers.0.self_attn.q_proj.weight"]
    assert named(judge(stranger, base)) == ("inconclusive", "weak-kinship")


@pytest.mark.parametrize("share", [1e-2, 1e-3, 1e-4, 3e-5])
@pytest.mark.parametrize("dtype", [DType.BF16, DType.F16, DType.F32])
@pytest.mark.parametrize("which", [0, 2])
def test_a_parent_with_a_few_changed_elements_is_its_finetune(share: float, dtype: DType, which: int) -> None:
    parent, _, base = family(DType.F32)
    of = family(DType.F32)[which]
    suspect = apply(of, sparse(noise(base, 1e-3), np.random.default_rng(3), share))
    suspect["model.layers.0.self_attn.q_proj.weight"][0][0, :4] += np.float32(0.01)
    found = judge(cast(suspect, dtype), parent, base)
    assert named(found) == ("finetune", "near-one-parent")
    assert found.verdict.parent == ("P1" if which == 0 else "P2")


@pytest.mark.parametrize("time", [0.5, 0.8, 0.93, 0.95])
def test_an_earlier_stage_of_the_parents_training_is_not_called_a_merge(time: float) -> None:
    base = family()[-1]
    early, late = noise(base, 3e-4, 1), noise(base, 3e-4, 2)
    suspect = apply(base, combine([(time**0.5, early)]))
    parent = apply(base, combine([(time**0.5, early), ((1 - time) ** 0.5, late)]))
    assert named(judge(suspect, parent, base))[0] in ("inconclusive", "finetune")


def test_what_a_finetune_says_of_the_other_parent_is_true() -> None:
    parent, _, base = family()
    found = judge(apply(parent, noise(base, 3e-5)), parent, base)
    assert "No share of P2 was found" in found.verdict.summary
    most = apply(base, combine([(0.93, {name: v - base[name][0] for name, (v, _) in parent.items()}),
                                (1.0, noise(base, 1e-4))]))  # fmt: skip
    found = judge(most, parent, base)
    assert named(found) == ("finetune", "near-one-parent")
    assert "No share" not in found.verdict.summary
    assert "0.07 of P2" in found.verdict.summary


@pytest.mark.parametrize("bits", [8, 4])
def test_quantised_and_restored_weights_are_not_called_a_merge(bits: int) -> None:
    parent, _, base = family()
    for of in (parent, base):
        assert named(judge(quantised(of, bits), parent, base))[0] in ("finetune", "inconclusive")


def test_an_ancestor_is_not_called_a_mixture_of_its_descendants() -> None:
    first, second, base = family()
    assert named(judge(base, first, second)) == ("inconclusive", "shared-direction")


def test_a_suspect_of_which_most_is_not_a_number_is_not_judged() -> None:
    parent, _, base = family()
    broken = {
        name: (np.full_like(v, np.nan) if layer_of(name) != 0 else v, dtype) for name, (v, dtype) in parent.items()
    }
    assert named(judge(broken, parent, base)) == ("inconclusive", "no-evidence")


def test_two_layers_are_too_few_to_see_whether_a_mixture_is_even() -> None:
    rng = np.random.default_rng(8)
    base = model(rng, Size(2, 32, 64, 200))
    parent = apply(base, change(base, rng, 3e-4))
    found = judge(apply(merge([parent, base], WEIGHTS), noise(base, 9e-6)), parent, base)
    assert named(found) == ("inconclusive", "shared-direction")
    assert "too few layers" in (found.verdict.reason or "")


def test_rounding_step_by_step_in_some_tensors_only_is_still_one_merge() -> None:
    """A weight of 0.1 in bf16 steps moves few elements enough to contradict a common coefficient."""
    rng = np.random.default_rng(9)
    base = model(rng, Size(3, 24, 24, 60), scale=0.5)
    for distance in (1e-4, 2e-4, 4e-4):
        parent = apply(base, change(base, rng, distance, uneven=0.8))
        found = judge(merge([parent, base], (0.1, 0.9), Arithmetic.STEPWISE_DELTA), parent, base)
        assert named(found) == ("merge", "reproduced")


def test_a_tensor_changed_after_a_merge_of_three_is_found_without_an_exact_fit() -> None:
    """One foreign tensor leaves no common point of all rounding cells: the recipe still tells which tensor it is."""
    merged = merge(family(), [0.5, 0.3, 0.2])
    merged["model.layers.1.self_attn.q_proj.weight"][0][:, :8] += np.float32(1e-3)
    found = judge(merged, *family())
    assert named(found) == ("merge-then-trained", "partly-exact")
    assert found.facts.explained == pytest.approx(1 - 1024 / found.facts.elements)


def test_straightness_is_the_angle_at_the_suspect_and_distinct_counts_what_is_not_a_parents() -> None:
    parent, _, base = family(DType.F32)
    own = {name: values - base[name][0] for name, (values, _) in parent.items()}
    suspect = apply(base, combine([(0.3, own), (1.0, noise(base, 5e-5))]))
    suspect["model.layers.0.self_attn.q_proj.weight"][0][:, :8] = base["model.layers.0.self_attn.q_proj.weight"][0][
        :, :8
    ]
    s, p, b = (
        np.concatenate([values.ravel().astype(np.float64) for values, _ in one.values() if values.ndim == 2])
        for one in (suspect, parent, base)
    )
    cosine = (p - s) @ (b - s) / np.linalg.norm(p - s) / np.linalg.norm(b - s)
    facts = judge(suspect, parent, base).facts
    assert facts.straightness == pytest.approx(-cosine, abs=0.02)
    assert facts.distinct == min(int((s != p).sum()), int((s != b).sum())) < s.size
