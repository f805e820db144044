"""What a merge leaves behind in words: the receipt that lets anyone make it again, and the model card. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from modelprov import __version__
from modelprov.checkpoints.digests import MANIFEST_COVERS, SAMPLE_COVERS, manifest_digest
from modelprov.merge.planned import MergePlan

RECEIPT = "merge_receipt.json"
SCHEMA = 1


def receipt(
    plan: MergePlan, identities: Sequence[str], files: Sequence[dict[str, Any]], notes: Sequence[str]
) -> dict[str, Any]:
    """Inputs by digest and revision, recipe, arithmetic, seed, output digests, version; no date, so always the same."""
    return {
        "schema": SCHEMA,
        "modelprov": __version__,
        "method": plan.method.name,
        "arithmetic": plan.arithmetic,
        "seed": plan.recipe.modelprov.seed if plan.method.random else None,
        "recipe": plan.recipe.as_data(),
        "inputs": [
            {
                "location": where,
                "revision": one.revision,
                "manifest_digest": manifest_digest(one),
                "sampled_digest": identity,
                "parameters": one.parameters,
                "bytes": sum(shard.size for shard in one.shards),
            }
            for where, one, identity in zip(plan.recipe.locations, plan.models, identities, strict=True)
        ],
        "digest_covers": {
            "manifest_digest": MANIFEST_COVERS,
            "sampled_digest": SAMPLE_COVERS,
            "sha256": "every byte of the file",
        },
        "tensors": {
            "merged": sum(tensor.copy is None for tensor in plan.tensors),
            "copied": sum(tensor.copy is not None for tensor in plan.tensors),
        },
        "notes": list(notes),
        "files": list(files),
    }


def model_card(plan: MergePlan, name: str, notes: Sequence[str]) -> str:
    """README.md: front matter that declares the base models and the relation `merge`, then the recipe."""
    front: dict[str, Any] = {
        "base_model": list(plan.recipe.sources),
        "base_model_relation": "merge",
        "tags": ["merge", "modelprov"],
        "merge_recipe": plan.recipe.as_data(),
    }
    lines = [
        "---", yaml.safe_dump(front, sort_keys=False, allow_unicode=True).rstrip(), "---", "", f"# {name}", "",
        f"A merge ({plan.method.name}) of {len(plan.recipe.sources)} models, made by modelprov {__version__} in the "
        f"arithmetic `{plan.arithmetic}`.",
        "", "## Recipe", "", "```yaml", plan.recipe.as_yaml().rstrip(), "```", "",
        f"Anyone with these models can make the same bytes again (`modelprov merge`) or check this claim without "
        f"writing anything (`modelprov verify . --recipe recipe.yml`). Inputs and files by digest: `{RECEIPT}`.",
    ]  # fmt: skip
    if notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"
