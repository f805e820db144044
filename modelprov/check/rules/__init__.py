"""All rules of a check by id. Each is a pure function of claims and measurements; its page is `docs/rules/ID.md`."""

from __future__ import annotations

from modelprov.check.interface import Rule
from modelprov.check.rules.card import CARD_RULES
from modelprov.check.rules.files import FILE_RULES
from modelprov.check.rules.licence import LICENCE_RULES
from modelprov.check.rules.lineage import LINEAGE_RULES
from modelprov.check.rules.recipe import RECIPE_RULES

RULES: dict[str, Rule] = {
    one.id: one for one in (*LINEAGE_RULES, *RECIPE_RULES, *LICENCE_RULES, *FILE_RULES, *CARD_RULES)
}
