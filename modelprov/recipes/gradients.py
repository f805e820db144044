"""What a setting is for one tensor: a value, a gradient over the layers, or the first filter that fits. Pure."""

from __future__ import annotations

from typing import Any

from modelprov.recipes.numbers_given import number
from modelprov.recipes.recipe import Setting


def resolve(name: str, setting: Setting, position: float) -> Any:
    """The value of `setting` for the tensor called `name`, at `position` (0 first layer, 1 last); None if none applies.

    A list of numbers is interpolated over the layers; of a list of {filter, value} the first counts whose filter is
    absent, `*`, or part of the tensor's name.
    """
    if not isinstance(setting, list):
        return setting
    if isinstance(setting[0], dict):
        for choice in setting:
            wanted = choice.get("filter")
            if wanted is None or wanted == "*" or wanted in name:
                return resolve(name, choice["value"], position)
        return None
    place = min(max(position, 0.0), 1.0) * (len(setting) - 1)
    left = int(place)
    right, share = min(left + 1, len(setting) - 1), place - left
    return (1 - share) * number(setting[left]) + share * number(setting[right])
