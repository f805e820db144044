"""Which rows of two vocabularies belong together where their numbers do not say: by their vectors, in a known frame."""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.layouts.tokens import SharedTokens
from modelprov.forensics.search.coordinates.frame import Frame, told_by
from modelprov.forensics.search.coordinates.matrices import Matrices
from modelprov.forensics.search.coordinates.pairing import nearest
from modelprov.forensics.thresholds import HALF, KIN

LOOKED_AT = 2_048
WORK = 1 << 42
"""Rows times rows times dimensions up to which all rows are held against each other."""


def tokens_alike(own: Matrices, theirs: Matrices, frame: Frame, known: SharedTokens) -> SharedTokens:
    """The tokens that are known, or, where their vectors are not alike in the frame, those that have like vectors.

    Strings are believed. Pairs by content are taken where half of the smaller vocabulary finds one.
    """
    mine, other = own.decoder.embeddings, theirs.decoder.embeddings
    some = np.unique(np.linspace(0, known.first.size - 1, min(LOOKED_AT, known.first.size)).round().astype(np.int64))
    seen = told_by(frame, theirs.rows(other, known.second[some]), own.rows(mine, known.first[some])).cosine
    rows = mine.shape[0], other.shape[0]
    if known.by == "strings" or (seen or 0) >= KIN or rows[0] * rows[1] * own.decoder.hidden > WORK:
        return known
    places, scores = nearest([(own.read(mine), frame.turned(theirs.read(other)), True)])
    found = np.flatnonzero((places >= 0) & (scores >= KIN))
    if found.size < HALF * min(rows):
        return known
    return SharedTokens(found, places[found], "content")
