"""MultiSLERP: a weighted mean on the sphere, by one step in the tangent space at the normalised mean direction.

    u_i = t_i / |t_i|,   m = sum w_i u_i / |sum w_i u_i|,   v = sum w_i (u_i - <u_i, m> m)
    merged = (cos|v| m + sin|v| v / |v|) sum w_i |t_i|

With a base model the t_i are task vectors and the base is added back (Goddard 2024, mergekit's documentation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from modelprov.recipes.methods import steps
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import (
    Float32,
    Inputs,
    MergeBlock,
    Method,
    Parameter,
    Passes,
    Whole,
    weights_doubt,
)
from modelprov.recipes.methods.steps import Real, Steps, directions, placed
from modelprov.recipes.methods.totals import Total, length, reproducible, total


def merge(inputs: Inputs) -> Float32:
    """Every tensor is one vector; weights are divided by their sum unless `normalize_weights: false`."""
    step = steps_of(inputs)
    vectors, base = directions(inputs, step)
    norms = [step.norm(vector) for vector in vectors]
    sphere = _Sphere(norms, _weights(inputs, step), float(inputs.options.get("eps", 1e-8)), step)
    sphere = replace(sphere, length=step.norm(sphere.sum(vectors)))
    if not sphere.opposite:
        units, mean = sphere.units(vectors), sphere.mean(vectors)
        sphere = replace(sphere, cosines=list(step.dot(np.stack(units), mean[None])))
        sphere = replace(sphere, angle=step.norm(sphere.tangent(vectors)))
    return placed(sphere.point(vectors), base, inputs, step)


def look(whole: Whole) -> MergeBlock:
    """Four passes: the lengths, that of their mean direction, the angles to it, and that of the step along it."""
    about, step, count = whole.about, steps_of(whole.about), whole.count

    def summed(totals: list[Total], values: Callable[[list[Real]], list[Real]]) -> list[Real]:
        for _, block in whole.blocks(0):
            for each, part in zip(totals, values(directions(block, step)[0]), strict=True):
                each.add(part)
        return [each.result() for each in totals]

    norms = summed([length(step) for _ in about.models], lambda vectors: vectors)
    sphere = _Sphere(norms, _weights(about, step), float(about.options.get("eps", 1e-8)), step)
    sphere = replace(sphere, length=summed([length(step)], lambda vectors: [sphere.sum(vectors)])[0])
    if not sphere.opposite:
        directed = sphere

        def products(vectors: list[Real]) -> list[Real]:
            mean = directed.mean(vectors)
            return [step(unit * mean) for unit in directed.units(vectors)]

        # rows of one matrix, which two threads do not halve
        sphere = replace(sphere, cosines=summed([total(step, count, halved=False) for _ in norms], products))
        turned = sphere
        sphere = replace(sphere, angle=summed([length(step)], lambda vectors: [turned.tangent(vectors)])[0])

    def merge_block(_first: int, inputs: Inputs) -> Float32:
        vectors, base = directions(inputs, step)
        return placed(sphere.point(vectors), base, inputs, step)

    return merge_block


def _block(about: Inputs) -> int:
    return steps.BLOCK if reproducible(steps_of(about)) else 0


def _weights(inputs: Inputs, step: Steps) -> list[Real]:
    weights = [step(float(model["weight"])) for model in inputs.models]
    if not inputs.options.get("normalize_weights", True):
        return weights
    total = step.add(weights)
    return [step.divide(weight, total) for weight in weights]


@dataclass(frozen=True)
class _Sphere:
    """What is known of whole tensors, each [1], and what follows from it for any elements of them."""

    norms: list[Real]
    weights: list[Real]
    eps: float
    step: Steps
    length: Real = field(default_factory=lambda: np.zeros(1))  # of the sum of directions
    cosines: list[Real] = field(default_factory=list)
    angle: Real = field(default_factory=lambda: np.zeros(1))

    @property
    def opposite(self) -> bool:
        """Whether directions cancel: the sphere has no mean then, the plain one is all there is."""
        return float(self.length[0]) <= self.eps

    def units(self, vectors: list[Real]) -> list[Real]:
        step = self.step
        return [
            step(vector / step(norm + step.exact(self.eps)))
            for vector, norm in zip(vectors, self.norms, strict=True)
        ]  # fmt: skip

    def sum(self, vectors: list[Real]) -> Real:
        return self._weighted(self.units(vectors))

    def mean(self, vectors: list[Real]) -> Real:
        return self.step(self.sum(vectors) / self.length)

    def tangent(self, vectors: list[Real]) -> Real:
        step, mean = self.step, self.mean(vectors)
        return self._weighted(
            [step(unit - step(cosine * mean)) for unit, cosine in zip(self.units(vectors), self.cosines, strict=True)]
        )

    def point(self, vectors: list[Real]) -> Real:
        step = self.step
        if self.opposite:
            return self._weighted(vectors)
        mean = self.mean(vectors)
        size = self._weighted(self.norms)
        if float(self.angle[0]) <= self.eps:
            return step(mean * size)
        cosine, sine = step.cosine(self.angle), step(step.sine(self.angle) / self.angle)
        return step(step(step(mean * cosine) + step(self.tangent(vectors) * sine)) * size)

    def _weighted(self, values: list[Real]) -> Real:
        step = self.step
        return step.add(step(weight * value) for weight, value in zip(self.weights, values, strict=True))


METHOD = Method(
    "multislerp",
    needs_base=False,
    elementwise=False,
    random=False,
    parameters=(
        Parameter("weight", None, True, "factor of this model"),
        Parameter("normalize_weights", True, False, "divide the weights by their sum"),
        Parameter("eps", 1e-8, False, "length below which a direction does not count", low=0),
    ),
    merge=merge,
    optional_base=True,
    fewest=2,
    doubt=weights_doubt("normalize_weights"),
    passes=Passes(_block, look),
)
