"""The setting that a person would have typed, from what each tensor allows: a value, a gradient, or one by filter.

The inverse of `recipes/gradients.py`. Knows intervals and places only, no method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.simplest_number import simplest_number

FILTERS = ("self_attn", "mlp")
DIGITS = 4


@dataclass(frozen=True)
class Allowed:
    """The interval [low, high] of a parameter that a tensor allows, and its place among the layers, 0 to 1."""

    name: str
    position: float
    low: float
    high: float


def setting(allowed: Sequence[Allowed]) -> Any:
    """The simplest setting that lies in every interval; None where there is none, or no tensor says anything.

    One value; else one gradient; else those by filter, as in recipes of slerp.
    """
    if not allowed:
        return None
    whole = _value_or_gradient(allowed)
    if whole is not None:
        return whole
    parts: list[dict[str, Any]] = []
    rest = list(allowed)
    for word in FILTERS:
        own = [item for item in rest if word in item.name]
        rest = [item for item in rest if word not in item.name]
        if own:
            value = _value_or_gradient(own)
            if value is None:
                return None
            parts.append({"filter": word, "value": value})
    if not parts:
        return None
    last = _value_or_gradient(rest) if rest else parts[-1]["value"]
    return None if last is None else [*parts, {"value": last}]


def _value_or_gradient(allowed: Sequence[Allowed]) -> Any:
    low, high = max(item.low for item in allowed), min(item.high for item in allowed)
    if low <= high:
        found = simplest_number(low, high)
        return None if found is None else found.value
    return _gradient(allowed)


def _gradient(allowed: Sequence[Allowed]) -> list[float] | None:
    """The shortest list of numbers that, interpolated over the layers, lies in every interval."""
    by_place: dict[float, tuple[float, float]] = {}
    for item in allowed:
        low, high = by_place.get(item.position, (-np.inf, np.inf))
        by_place[item.position] = max(low, item.low), min(high, item.high)
    places = np.array(sorted(by_place))
    lows, highs = (np.array([by_place[place][end] for place in places.tolist()]) for end in (0, 1))
    if (lows > highs).any():
        return None
    middles, widths = (lows + highs) / 2, np.maximum(highs - lows, 1e-12)
    layers = round(1 / np.diff(places).min()) + 1 if len(places) > 1 else 1
    for length in range(2, layers + 1):
        shares = _shares(places, length)
        if not (shares > 0).any(axis=0).all():
            continue
        knots = np.linalg.lstsq(shares / widths[:, None], middles / widths, rcond=None)[0]
        for digits in range(1, DIGITS + 1):
            rounded: Float64 = np.asarray(np.round(knots, digits), np.float64)
            if _inside(shares @ rounded, lows, highs):
                return [float(value) + 0.0 for value in rounded]
        if length == len(places) == layers:  # one number for each layer
            found = [simplest_number(low, high) for low, high in zip(lows.tolist(), highs.tolist(), strict=True)]
            return [number.value for number in found if number is not None]
    return None


def _inside(values: Float64, lows: Float64, highs: Float64) -> bool:
    return bool(((values >= lows - 1e-9) & (values <= highs + 1e-9)).all())


def _shares(places: Float64, length: int) -> Float64:
    """How much of each of `length` numbers is in each place, float64 [places, length]."""
    at = np.clip(places, 0, 1) * (length - 1)
    left = np.minimum(at.astype(int), length - 2)
    shares = np.zeros((len(places), length))
    shares[np.arange(len(places)), left] = 1 - (at - left)
    shares[np.arange(len(places)), left + 1] += at - left
    return shares
