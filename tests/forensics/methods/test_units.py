"""A merge of stacked experts comes out only where the stack is asked as one, as the merging program had it."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.types import Alignment
from modelprov.demo.writing import Weights
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.search.methods.find import find, find_in
from modelprov.forensics.search.methods.units import units_of
from modelprov.forensics.search.methods.whole import Wholes
from tests.forensics.methods.making import merged
from tests.generated import Size, apply, change, model
from tests.memory import checkpoint, judge

EXPERTS = 3
MEMORY = 512 << 20


@functools.cache
def family() -> tuple[Weights, Weights]:
    """Two finetunes of one base, of three experts a layer, each by itself: gate, down and up."""
    rng = np.random.default_rng(6)
    base = model(rng, Size(4, 32, 64, 160, experts=EXPERTS))
    base |= {
        name.replace("gate", "up"): (held[0][::-1].copy(), held[1]) for name, held in base.items() if "gate" in name
    }
    first, second = (apply(base, change(base, rng, 4e-3)) for _ in range(2))
    return first, second


def stacked(weights: Weights) -> Weights:
    """The same with the experts of each layer stacked as transformers 5 does."""
    made = {name: held for name, held in weights.items() if ".experts." not in name}
    for name, (_, dtype) in weights.items():
        if name.endswith("experts.0.gate_proj.weight"):
            before = name.removesuffix("0.gate_proj.weight")
            own = [[weights[f"{before}{n}.{w}_proj.weight"][0] for w in ("gate", "up")] for n in range(EXPERTS)]
            down = [weights[f"{before}{n}.down_proj.weight"][0] for n in range(EXPERTS)]
            made[f"{before}gate_up_proj"] = np.stack([np.concatenate(pair) for pair in own]), dtype
            made[f"{before}down_proj"] = np.stack(down), dtype
    return made


def unstacked(weights: Weights) -> Weights:
    """The inverse."""
    made = {name: held for name, held in weights.items() if ".experts." not in name}
    for name, (values, dtype) in weights.items():
        before, _, what = name.partition(".experts.")
        for number, expert in enumerate(values if what else ()):
            parts = (
                {"down": expert} if what == "down_proj" else dict(zip(("gate", "up"), np.split(expert, 2), strict=True))
            )
            made |= {f"{before}.experts.{number}.{w}_proj.weight": (part, dtype) for w, part in parts.items()}
    return made


@functools.cache
def merge_of_stacks() -> Weights:
    """The slerp of both families' stacks."""
    first, second = (stacked(weights) for weights in family())
    return merged("slerp", [second], first, options={"t": 0.4})


def aligned(*models: Weights) -> Alignment:
    return align([checkpoint(f"model {number}", weights) for number, weights in enumerate(models)])


@pytest.mark.parametrize("kept", [stacked, lambda weights: weights], ids=["stacks", "single experts"])
def test_a_slerp_of_stacks_is_named_whatever_the_parents_files_hold(kept: object) -> None:
    assert callable(kept)
    found = judge(merge_of_stacks(), *(kept(weights) for weights in family()))
    assert found.verdict.class_ is VerdictClass.MERGE
    assert found.method is not None
    assert "slerp" in found.method.words
    assert found.method.stacks == 8
    assert "8 of them stacked matrices that were merged as one" in found.verdict.summary


def test_a_merge_of_stacks_that_was_saved_singly_is_named() -> None:
    found = judge(unstacked(merge_of_stacks()), *family())
    assert found.verdict.class_ is VerdictClass.MERGE
    assert found.method is not None
    assert found.method.stacks == 8


def test_a_merge_of_single_experts_that_was_stacked_afterwards_is_named() -> None:
    first, second = family()
    found = judge(stacked(merged("slerp", [second], first, options={"t": 0.4})), first, second)
    assert found.verdict.class_ is VerdictClass.MERGE
    assert found.method is not None
    assert not found.method.stacks


def test_singly_the_experts_of_such_a_merge_do_not_come_out() -> None:
    found = find(Wholes(aligned(merge_of_stacks(), *family()), 0, MEMORY))
    assert found is None or found.bits.share < 0.9


def test_a_stack_too_large_to_be_read_leaves_no_claim_on_what_is_beside_it() -> None:
    alignment = aligned(merge_of_stacks(), *family())
    stacks = units_of(alignment)[0]
    small = Wholes(alignment, 0, MEMORY, elements=3 * 2 * 32 * 64 - 1, units=stacks)
    assert small.decisive
    assert not small.fits
    assert find_in([small]) is None


def test_parts_of_a_stack_stand_in_its_order_and_each_once() -> None:
    alignment = aligned(merge_of_stacks(), *family())
    stacks, *others = units_of(alignment)
    assert {} in others
    assert len(stacks) == 8
    names = [[alignment.tensors[row].name.split("experts.")[1] for row in rows] for rows in stacks.values()]
    halves = [f"{number}.{half}_proj.weight" for number in range(EXPERTS) for half in ("gate", "up")]
    assert sorted(names)[-1] == halves
