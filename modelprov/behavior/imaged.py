"""What the log-probabilities of a server say of output heads, as it crosses file boundaries. Data only."""

from __future__ import annotations

from typing import Literal

from modelprov.records import Frozen

HeadFinding = Literal["its head", "near its head", "no nearer than the controls", "could not judge"]
NumbersFinding = Literal["its numbers", "other numbers"]


class Fitted(Frozen):
    """How the served log-probabilities fit one model that is at hand; medians over texts, shares of their spread.

    `outside` is the share (root mean square) that lies outside the image of its output head, `rounding` the same share
    of its own numbers after rounding its logits to bfloat16, `grain` what the steps of the served numbers leave.
    `apart` is the share by which its own numbers differ, `formats` the same between two runs of it, in float32 and in
    bfloat16. None where it could not be worked out;
    `hidden` is the size of what goes into the head, `unfit` says why the head is not counted.
    """

    label: str
    role: Literal["parent", "control", "published"]
    hidden: int | None = None
    outside: float | None = None
    rounding: float | None = None
    grain: float | None = None
    apart: float | None = None
    formats: float | None = None
    numbers: NumbersFinding | None = None
    unfit: str | None = None


class HeadJudged(Frozen):
    """What the image says of one parent's head.

    `p` is the largest of the sign test's one-sided p against each counted control, `outlying_p` that of a t-test
    whether the parent's logarithm of `outside` could be one more of the controls'; both after Holm's correction.
    `nearness` is its `outside` over the least of a control.
    """

    parent: str
    finding: HeadFinding
    controls: int
    p: float | None = None
    outlying_p: float | None = None
    nearness: float | None = None
    reason: str | None = None


class Imaged(Frozen):
    """All of it: after how many texts, how many log-probabilities each (median), and how they were got."""

    texts: int
    seed: int
    digest: str
    tokens: int
    how: Literal["most likely tokens", "a logit bias", "none"]
    fits: tuple[Fitted, ...]
    judged: tuple[HeadJudged, ...]
    notes: tuple[str, ...] = ()
