"""What `inspect`, `verify`, `report verify` and `attest --verify` give back, made up: plain, and meant to hurt."""

from __future__ import annotations

from modelprov.checkpoints.inspection import ComponentCount, DTypeCount, Inspection, ShardSummary
from modelprov.checkpoints.types import Component
from modelprov.forensics.search.reproduce import Absent, Alternative, Difference, Part, Verification
from modelprov.forensics.search.verified import Compared, Verified
from modelprov.reports.comparison.report import Report
from modelprov.reports.evidence.attestation import make_statement
from modelprov.reports.evidence.attestation_check import Confirmed, Point, check_report
from modelprov.reports.evidence.rechecking import Rechecked, recheck
from tests.reports import samples
from tests.reports.checks import HOSTILE

STARTED = "2026-11-25T10:11:12+00:00"
LONG = "a" * 300


def inspection(**changes: object) -> Inspection:
    """A mixture of experts in seven shards, some of it in a format that cannot be compared."""
    told: dict[str, object] = {
        "label": "rio", "location": "models/rio", "revision": "0f1e", "architecture": "Qwen3_5MoeForCausalLM",
        "model_type": "qwen3_5_moe", "parameters": 1_000_000, "bytes": 2_000_000,
        "dtypes": (
            DTypeCount(dtype="BF16", tensors=40, elements=999_000, comparable=True),
            DTypeCount(dtype="F4", tensors=1, elements=1_000, comparable=False),
        ),
        "quantisation": None, "layers": 4, "experts_per_layer": 8,
        "components": (ComponentCount(component=Component.EMBEDDINGS, tensors=1, elements=10, share=0.00001),),
        "shards": tuple(
            ShardSummary(name=f"model-{number}-of-7.safetensors", bytes=285_714, header_digest=f"{number}" * 64)
            for number in range(1, 8)
        ),
        "digest": "ab" * 32, "digest_covers": "names, sizes and headers of the shards, not the weights", "tied": False,
        "has_vision": True, "has_mtp": True, "vocabulary": 248_320,
        "warnings": ("the folder holds code (modeling.py); nothing here runs it",),
    }  # fmt: skip
    return Inspection.model_validate(told | changes)


def hostile_inspection() -> Inspection:
    """The same, with foreign text wherever text is."""
    shard = ShardSummary(name=HOSTILE, bytes=1, header_digest="0" * 64)
    return inspection(
        label=HOSTILE, location=LONG, revision=HOSTILE, architecture=HOSTILE, quantisation=HOSTILE, shards=(shard,),
        dtypes=(DTypeCount(dtype=HOSTILE, tensors=1, elements=1, comparable=False),), warnings=(HOSTILE, LONG),
    )  # fmt: skip


def verification(name: str = "model.layers.0.mlp.up_proj.weight", **changes: object) -> Verification:
    """One of two layers differs, one tensor is missing, another arithmetic fits better."""
    told: dict[str, object] = {
        "reproduced": False, "bit_equal": 0.75, "elements": 4_000, "equal": 3_000, "tensors": 4, "whole": 3,
        "coverage": 0.8,
        "layers": tuple(Part(name=f"layer {number}", elements=2_000, equal=1_000 * (1 + number)) for number in (0, 1)),
        "components": (Part(name=name, elements=2_000, equal=1_000),),
        "differences": (Difference(name=name, elements=2_000, equal=1_000, first=7, found=-0.5, expected=0.25),),
        "absent": (Absent(of="suspect", reason="missing in the recipe", tensors=1, elements=1_000, examples=(name,)),),
        "as_claimed": 0.75,
        "alternatives": (Alternative(name="bf16-stepwise, models swapped", bit_equal=1.0, elements=1_000),),
        "cautions": ("lora.safetensors was not read",),
    }  # fmt: skip
    return Verification.model_validate(told | changes)


def verified(found: Verification | None = None, name: str = "rio") -> Verified:
    """A verification of a recipe that only the tests know."""
    return Verified(
        **dict(found or verification()),
        started=STARTED,
        suspect=Compared(label=name, location=name, sampled_digest="ab" * 32),
        recipe_file="claim.yml",
        recipe={"merge_method": "linear"},
        arithmetic="float32",
        inputs=(Compared(label="nex", location="nex", sampled_digest="cd" * 32),),
        digest_covers="names, sizes and headers of the shards, and the first 4,096 bytes of every tensor",
        notes=("1 tensor was copied",),
    )


def reproduced() -> Verified:
    """Every bit came out again."""
    equal = {"reproduced": True, "bit_equal": 1.0, "equal": 4_000, "whole": 4, "coverage": 1.0}
    return verified(verification(**equal, absent=(), cautions=()))


def edited(report: Report) -> Report:
    """The report with another proportion and another summary."""
    mixing = report.mixing.model_copy(update={"alpha": 0.9})
    words = report.verdict.model_copy(update={"summary": HOSTILE})
    return report.model_copy(update={"mixing": mixing, "verdict": words})


def rechecked(file: str = "report.json") -> Rechecked:
    """Two claims of a report that was edited do not hold."""
    merge = samples.merge()
    return Rechecked(recheck(edited(merge), merge), file, ("Not checked: the moon.",), STARTED)


def holding() -> Rechecked:
    """A report that holds."""
    merge = samples.merge()
    return Rechecked(recheck(merge, merge), "report.json", (), STARTED)


def confirmed(*, good: bool = True) -> Confirmed:
    """A statement that is confirmed, or one that nothing confirms."""
    merge = samples.merge()
    statement = make_statement(merge, "ab" * 32)
    signature = Point("signature", good, "by the key 0123456789abcdef..." if good else "the statement is not signed")
    report = check_report(statement, merge if good else edited(merge), ("ab" if good else "cd") * 32)
    return Confirmed(statement, (signature, report), "rio.dsse.json", STARTED)
