"""The test for one model in other coordinates: gates and ups of the same units, paired apart, agree or do not.

In the residual frame that the embeddings give, the rows of a layer's gates are assigned to the parent's, and those of
its ups are, without knowing of each other. Of two models trained apart the assignments agree in about n / N of n
units, by chance; of one model in other coordinates in nearly all. Embeddings give the frame and decide nothing; where
they are another's, units of layers that are not tested give it. Layers of one model share a frame, so the chance is not
exact, and a share of the units is asked for beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32
from modelprov.checkpoints.layouts.decoder import Decoder
from modelprov.checkpoints.layouts.tokens import SharedTokens, shared_tokens
from modelprov.forensics.search.coordinates.first_look import Counts, Glimpse, ruled_out, tokens_wanted
from modelprov.forensics.search.coordinates.frame import Frame, find_frame, same, told_by
from modelprov.forensics.search.coordinates.layers import proposed
from modelprov.forensics.search.coordinates.matrices import Matrices
from modelprov.forensics.search.coordinates.other_readings import other_readings
from modelprov.forensics.search.coordinates.pairing import chance
from modelprov.forensics.search.coordinates.unit_frame import Known, layers_alike, unit_frame
from modelprov.forensics.search.coordinates.units import paired_units, parts
from modelprov.forensics.thresholds import HALF, UNITS_AGREE, UNITS_CHANCE

FAR_TOKENS, RUN = 1_024, 32
"""Of checkpoints elsewhere: tokens that are looked at first, in runs of neighbours, each of which is one request."""

Embeddings = tuple[Float32, Float32]
"""The parent's and the suspect's of the same tokens."""


@dataclass(frozen=True)
class Depth:
    """What is read for the test: tokens at most, layers over the depth, MLPs or experts of each."""

    tokens: int = 32_000
    layers: int = 4
    experts: int = 4
    far: bool = False


HERE, ELSEWHERE = Depth(), Depth(tokens=8_192, layers=2, experts=2, far=True)
GIVING = 2
"""Layers whose units give a frame, where embeddings give none."""


@dataclass(frozen=True)
class LayerTest:
    """A layer of the suspect and one of the parent: `agreeing` of `units`, `expected` by chance, and the `chance`."""

    layer: int
    parent_layer: int
    agreeing: int
    units: int
    expected: float
    chance: float

    @property
    def share(self) -> float:
        """Share of the units that agree."""
        return self.agreeing / self.units if self.units else 0.0

    @property
    def related(self) -> bool:
        """Whether they agree beyond chance, and in a share that a common frame does not explain."""
        return self.chance < UNITS_CHANCE and self.share >= UNITS_AGREE


@dataclass(frozen=True, eq=False)
class Kinship:
    """What the test found of a suspect and one parent: the frame, and the layers that were looked at.

    `tried` pairs of layers and frames are in every chance. `layers` gives each of the suspect's layers the parent's
    that it was paired with. `given_by` says what the frame is from, `read_as` how both models were read where that is
    not as their configs and names say.
    """

    frame: Frame
    tokens: SharedTokens
    tests: tuple[LayerTest, ...]
    tried: int
    layers: dict[int, int]
    given_by: Literal["embeddings", "units"] = "embeddings"
    read_as: tuple[Decoder, Decoder] | None = None

    @property
    def related(self) -> bool:
        """Whether half of the layers looked at, or more, are the parent's."""
        kin = sum(test.related for test in self.tests)
        return bool(self.tests) and kin >= HALF * len(self.tests)

    @property
    def score(self) -> float:
        """Mean share of agreeing units."""
        return float(np.mean([test.share for test in self.tests])) if self.tests else 0.0


def kinship(
    suspect: Decoder, parent: Decoder, seed: int, on_bytes: Callable[[int], None] = lambda _: None, depth: Depth = HERE
) -> Kinship | None:
    """The test of a suspect against one parent; None where neither gates and ups nor ups and downs can be paired.

    `depth` says how much is read. Raises what reading raises.
    """
    own, theirs = Matrices(suspect, on_bytes), Matrices(parent, on_bytes)
    rows = (suspect.embeddings.shape[0], parent.embeddings.shape[0])
    tokens = shared_tokens(suspect.checkpoint, parent.checkpoint, rows)
    glimpse = None if depth.far else _glimpse(own, theirs, tokens, seed, depth)
    embeddings, first = found = _as_read(own, theirs, tokens, seed, depth, 0, glimpse)
    if first.related:
        return first
    for mine, other in () if depth.far else other_readings(suspect, parent):
        read = Matrices(mine, on_bytes), Matrices(other, on_bytes)
        found = _as_read(*read, tokens, seed, depth, found[1].tried, glimpse)
        if found[1].related:
            return replace(found[1], read_as=(mine, other))
    chosen = _spread(suspect.layers, depth.layers)
    told = _by_units(own, theirs, tokens, chosen, seed, found[1].tried, depth)
    if told is not None and told.related:
        return replace(told, frame=told_by(told.frame, *embeddings), given_by="units")
    return first if first.tests else None


def _glimpse(own: Matrices, theirs: Matrices, tokens: SharedTokens, seed: int, depth: Depth) -> Glimpse | None:
    """What a first look begins with, however the models are read; None where none is taken."""
    wanted = tokens_wanted(tokens.first.size, own.decoder.hidden, theirs.decoder.hidden)
    return Glimpse(_embeddings(own, theirs, tokens, seed, min(wanted, depth.tokens), 1)) if wanted else None


def _as_read(
    own: Matrices, theirs: Matrices, tokens: SharedTokens, seed: int, depth: Depth, tried: int, glimpse: Glimpse | None
) -> tuple[Embeddings, Kinship]:
    """The test of two models, read so, in the frames of embeddings; `tried` are those of the readings before.

    A first look at wide models may rule out that embeddings give a frame of kin.
    """
    chosen = _spread(own.decoder.layers, depth.layers)
    found = glimpse and ruled_out(own, theirs, glimpse, chosen, seed, depth.experts)
    if not glimpse or not found:
        return _by_embeddings(own, theirs, tokens, chosen, seed, depth, tried)
    tried += found.tried
    tests = _judged(found.counts, tried)
    return glimpse.embeddings, Kinship(glimpse.told, tokens, tests, tried, {t.layer: t.parent_layer for t in tests})


def _by_embeddings(
    own: Matrices, theirs: Matrices, tokens: SharedTokens, chosen: Sequence[int], seed: int, depth: Depth, tried: int
) -> tuple[Embeddings, Kinship]:
    """The test in the frames that the embeddings leave: the first that shows kin, else that in which most agrees."""
    embeddings, frames = _seen(own, theirs, tokens, seed, depth)
    best: Kinship | None = None
    for number, frame in enumerate(frames):
        found = _tested(
            own, theirs, tokens, frame, chosen, seed, best.tried if best else tried, depth, moved=not number
        )
        best = found if best is None or found.score > best.score else replace(best, tried=found.tried)
        if best.related:
            break
    assert best is not None
    return embeddings, best


def _tested(
    own: Matrices, theirs: Matrices, tokens: SharedTokens, frame: Frame, chosen: Sequence[int], seed: int, tried: int,
    depth: Depth, *, moved: bool,
) -> Kinship:  # fmt: skip
    """The test of layers in a frame: with those of their number, and, where they may have `moved`, of like content."""
    layers = {layer: layer for layer in chosen if layer in theirs.decoder.layers}
    tried += len(layers)
    tests = _tests(own, theirs, frame, layers, seed, depth.experts)
    if not _enough(tests, len(chosen), tried):
        content = proposed(theirs, own, frame, seed) if moved else {}
        other = {layer: content[layer] for layer in chosen if layer in content and content[layer] != layer}
        tried += len(other) * len(theirs.decoder.layers)
        tests = _better(tests, _tests(own, theirs, frame, other, seed, depth.experts))
        layers = layers | content
    made = _judged(tests, tried)
    return Kinship(frame, tokens, made, tried, {**layers, **{t.layer: t.parent_layer for t in made}})


def _by_units(
    own: Matrices,
    theirs: Matrices,
    tokens: SharedTokens,
    chosen: Sequence[int],
    seed: int,
    tried: int,
    depth: Depth,
) -> Kinship | None:
    """The test in the frame that the units of some layers give, of others that gave nothing to it."""
    tested = list(chosen)
    giving = _spread([layer for layer in own.decoder.layers if layer not in tested], GIVING)
    if len(giving) < GIVING:
        giving, tested = tuple(tested[::2]), tested[1::2]
    if not tested:
        return None
    same_number = [(layer, layer) for layer in giving if layer in theirs.decoder.layers]
    known: Known = {}
    frame = unit_frame(own, theirs, same_number, known)
    if frame is None:
        alike = layers_alike(own, theirs, giving)
        frame = unit_frame(own, theirs, alike, known) if alike != same_number else None
    return None if frame is None else _tested(own, theirs, tokens, frame, tested, seed, tried, depth, moved=True)


def test_layers(
    own: Matrices, theirs: Matrices, frame: Frame, named: dict[int, int], content: dict[int, int], seed: int,
    tried: int,
) -> tuple[LayerTest, ...]:  # fmt: skip
    """The test of every layer, with that of its own number and with the one of like content: the better of the two."""
    tests = _tests(own, theirs, frame, named, seed, HERE.experts)
    others = {layer: there for layer, there in content.items() if named.get(layer) != there}
    tests = _better(tests, _tests(own, theirs, frame, others, seed, HERE.experts))
    return _judged(tests, tried + len(named) + len(others) * len(theirs.decoder.layers))


def _judged(tests: Counts, tried: int) -> tuple[LayerTest, ...]:
    return tuple(
        LayerTest(layer, there, k, n, expected, chance(k, expected, tried))
        for (layer, there), (k, n, expected) in sorted(tests.items())
    )


def _seen(
    own: Matrices, theirs: Matrices, tokens: SharedTokens, seed: int, depth: Depth
) -> tuple[Embeddings, list[Frame]]:
    """The parent's and the suspect's embeddings of the same tokens, and the frames to try.

    A rotation is not told by fewer tokens than dimensions: of models elsewhere more are read only where it may be one.
    """
    counts = (FAR_TOKENS, depth.tokens) if depth.far else (depth.tokens,)
    for count in counts:
        embeddings = _embeddings(own, theirs, tokens, seed, count, RUN if depth.far else 1)
        frames = _frames(own, theirs, *embeddings)
        if frames[0].kind != "rotated":
            break
    return embeddings, frames


def _embeddings(own: Matrices, theirs: Matrices, tokens: SharedTokens, seed: int, most: int, run: int) -> Embeddings:
    """The parent's and the suspect's embeddings of the same tokens, some of many, in runs of neighbours."""
    chosen = np.arange(tokens.first.size)
    if chosen.size > most:
        starts = np.random.default_rng(seed).choice(chosen.size // run, most // run, replace=False) * run
        chosen = np.sort((starts[:, None] + np.arange(run)).ravel())
    first = own.rows(own.decoder.embeddings, tokens.first[chosen])
    return theirs.rows(theirs.decoder.embeddings, tokens.second[chosen]), first


def _frames(own: Matrices, theirs: Matrices, parent: Float32, suspect: Float32) -> list[Frame]:
    """The frame that the embeddings give, and that of models left in their own coordinates where both are as wide."""
    frames = [find_frame(parent, suspect)]
    if frames[0].kind != "same" and own.decoder.hidden == theirs.decoder.hidden:
        frames.append(same(own.decoder.hidden))
    return frames


def _spread(layers: Sequence[int], most: int) -> tuple[int, ...]:
    """A few layers over the whole depth, neither the first nor the last alone."""
    places = np.linspace(0, len(layers) - 1, min(most, len(layers))).round().astype(int)
    return tuple(layers[place] for place in places)


def _tests(own: Matrices, theirs: Matrices, frame: Frame, layers: dict[int, int], seed: int, experts: int) -> Counts:
    """Agreeing units, units and expected agreements by pair of layers; pairs without units are left out."""
    found: Counts = {}
    for layer, there in layers.items():
        agreeing, units, expected = 0, 0, 0.0
        for mine, other in parts(own, theirs, frame, layer, there)[:experts]:
            k, n, by_chance = paired_units(own, theirs, frame, (layer, mine), (there, other), seed)
            agreeing, units, expected = agreeing + k, units + n, expected + by_chance
        if units:
            found[layer, there] = agreeing, units, expected
    return found


def _enough(tests: Counts, of: int, tried: int) -> bool:
    kin = sum(chance(k, expected, tried) < UNITS_CHANCE and k >= UNITS_AGREE * n for k, n, expected in tests.values())
    return bool(tests) and kin == of


def _better(first: Counts, second: Counts) -> Counts:
    """Of two pairs of one layer the one whose units agree in a larger share."""
    best = {layer: ((layer, there), held) for (layer, there), held in first.items()}
    for (layer, there), held in second.items():
        if layer not in best or held[0] * best[layer][1][1] > best[layer][1][0] * held[1]:
            best[layer] = (layer, there), held
    return dict(best.values())
