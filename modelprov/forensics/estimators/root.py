"""The root of a function of one number between two places where its signs differ. Knows nothing of models.

R. P. Brent, Algorithms for Minimization without Derivatives (1973), chapter 4: inverse quadratic steps where they
shrink the bracket, halves of it where they do not. The same steps as `scipy.optimize.brentq`, whose import costs more
than the fits that need a root; the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Callable


def root(function: Callable[[float], float], low: tuple[float, float], high: tuple[float, float], near: float) -> float:
    """A place within `near` of a root; `low` and `high` are (place, value there), the values of different signs."""
    (before, f_before), (here, f_here) = low, high
    other, f_other = before, f_before
    last = step = here - before
    while True:
        if abs(f_other) < abs(f_here):  # the better end of the bracket is `here`
            before, here, other = here, other, here
            f_before, f_here, f_other = f_here, f_other, f_here
        half = (other - here) / 2
        if f_here == 0 or abs(half) < near / 2:
            return here
        tried = _inverse_quadratic(before, f_before, here, f_here, other, f_other)
        shrinks = abs(last) > near / 2 and abs(f_here) < abs(f_before)
        if shrinks and 2 * abs(tried) < min(abs(last), 3 * abs(half) - near / 2):
            last, step = step, tried
        else:
            last = step = half
        before, f_before = here, f_here
        here += step if abs(step) > near / 2 else near / 2 if half > 0 else -near / 2
        f_here = function(here)
        if (f_before < 0) != (f_here < 0) and f_here != 0:
            other, f_other = before, f_before
            last = step = here - before


def _inverse_quadratic(a: float, f_a: float, b: float, f_b: float, c: float, f_c: float) -> float:
    """The step from b to where the inverse parabola through three places is 0; through two, the secant's."""
    if f_a == f_b:
        return 0.0
    if a == c:
        return -f_b * (b - a) / (f_b - f_a)
    by_a, by_c = (f_a - f_b) / (a - b), (f_c - f_b) / (c - b)
    return -f_b * (f_c * by_c - f_a * by_a) / (by_c * by_a * (f_c - f_a))
