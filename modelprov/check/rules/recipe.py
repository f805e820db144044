"""The rule about recipes that lie beside the weights: whether they make them."""

from __future__ import annotations

import shlex

from modelprov.check.interface import Claims, Measured, Outcome, Rule
from modelprov.check.results import Location, Severity
from modelprov.check.rules.lineage import TRAINING
from modelprov.check.rules.making import finding, not_judged


def recipe_not_reproduced(claims: Claims, measured: Measured) -> list[Outcome]:
    """A merge config or receipt lies beside weights that it does not make.

    An error only where a receipt settles inputs and arithmetic and the card claims no training after the merge: then
    nothing but another file explains it.
    """
    outcomes: list[Outcome] = []
    trained = any(one.kind in TRAINING for one in claims.prose) or (
        claims.relation is not None and claims.relation.value.lower() == "finetune"
    )
    for recipe in claims.recipes:
        equal = measured.recipe_equal.get(recipe.path)
        if equal is None:
            reason = measured.missing.get(f"recipe {recipe.path}") or measured.missing.get("recipe") or "not compared"
            outcomes.append(not_judged(RECIPE, f"{recipe.path}: {reason}"))
        elif equal < 1:
            share = f"{min(equal, 0.9999):.2%}".replace("%", " %")
            doubt = measured.recipe_doubts.get(recipe.path, "")
            if trained:
                doubt = "the card claims training, which may have come after it"
            outcomes.append(
                finding(
                    RECIPE,
                    recipe.path,
                    f"{recipe.path} makes only {share} of these weights, bit for bit."
                    + (f" This proves nothing by itself: {doubt}." if doubt else ""),
                    claimed=recipe.path,
                    measured=f"{share} of the weights have the bits that it makes",
                    advice="Publish the file that was really used, or see what differs.",
                    command=shlex.join(
                        ["modelprov", "verify", str(folder := measured.folder), "--recipe", str(folder / recipe.path)]
                    ),
                    location=recipe.location or Location(file=recipe.path),
                    severity=Severity.WARNING if doubt else None,
                )
            )
    return outcomes


RECIPE = Rule(
    "MP106", "recipe-not-reproduced", "A merge config or receipt in the folder does not make these weights.",
    Severity.ERROR, recipe_not_reproduced,
)  # fmt: skip
RECIPE_RULES = (RECIPE,)
