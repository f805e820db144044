"""Embeddings of tokens that most vocabularies share, and what they say of the frame. Knows nothing of the rest.

Tokens are chosen by their text: of two vocabularies the same ones, as far as both have them (the smallest of a seeded
hash, short ones first). How their embeddings stand to one another no order, sign or basis of the residual stream
changes; noise of so many times their size r leaves a correlation of 1 / (1 + r^2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from modelprov.checkpoints.fingerprint_contents import Rows
from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.checkpoints.layouts.decoder import Decoder
from modelprov.checkpoints.layouts.tokens import rows_by_text
from modelprov.checkpoints.types import TokenRows
from modelprov.forensics.search.coordinates.frame import find_frame
from modelprov.forensics.search.coordinates.matrices import Matrices
from modelprov.forensics.thresholds import KIN

MOST, LEAST = 256, 16
"""Tokens that are kept, and those without which embeddings say nothing."""
SHORT = 6
"""Characters of a token that most vocabularies have, in ASCII."""


@dataclass(frozen=True)
class Angles:
    """How alike the embeddings of so many `tokens` stand to one another in two models: the `correlation` of cosines.

    `frame` says in which frame they are each other's, where one was found: same, permuted or rotated.
    """

    tokens: int = 0
    correlation: float | None = None
    frame: str | None = None


def choose_rows(decoder: Decoder, size: int, seed: int) -> Rows | None:
    """Rows of the embeddings as they are stored, at most `size` bytes; None where not even a few of them fit.

    Raises what reading raises.
    """
    place = decoder.embeddings
    count, width = place.shape
    dtype = place.view.ref.dtype
    most = min(MOST, size // max(1, width * dtype.size))
    if place.flipped or most < LEAST:
        return None
    texts = rows_by_text(decoder.checkpoint, count)
    known = texts or {str(row): row for row in range(count)}
    chosen = sorted(known, key=lambda text: _turn(text, seed))[:most]
    each = width * dtype.size
    starts = [place.view.start + known[text] * each for text in chosen]
    ranges = [(place.view.ref.shard, start, start + each) for start in starts]
    pieces = {number: bytes(piece) for number, piece in decoder.checkpoint.source.read_ranges(ranges)}
    data = b"".join(pieces[number] for number in range(len(ranges)))
    return Rows(tuple(chosen), "strings" if texts else "numbers", dtype, width, data)


def _turn(text: str, seed: int) -> tuple[bool, bytes]:
    """Short tokens first, then in the order of a seeded hash."""
    common = text.isascii() and len(text) <= SHORT
    return not common, hashlib.blake2b(f"{seed}|{text}".encode(errors="surrogatepass"), digest_size=8).digest()


def rows_of(decoder: Decoder, like: TokenRows, on_bytes: Callable[[int], None]) -> TokenRows | None:
    """A whole model's embeddings of those of the tokens that it has, None of none. Raises what reading raises."""
    place = decoder.embeddings
    count = place.shape[0]
    texts = rows_by_text(decoder.checkpoint, count)
    if bool(texts) is not (like.by == "strings"):
        return None
    known = texts or {text: int(text) for text in like.tokens if text.isdecimal() and int(text) < count}
    shared = tuple(text for text in like.tokens if text in known)
    if not shared:
        return None
    values = Matrices(decoder, on_bytes).rows(place, np.array([known[text] for text in shared], np.int64))
    return TokenRows(shared, like.by, values)


def angles(own: TokenRows, theirs: TokenRows) -> Angles:
    """Hold the embeddings of the tokens that both have against each other, and look for the frame between them."""
    if own.by != theirs.by:
        return Angles()
    place = {text: number for number, text in enumerate(theirs.tokens)}
    pairs = [(number, place[text]) for number, text in enumerate(own.tokens) if text in place]
    if len(pairs) < LEAST:
        return Angles(len(pairs))
    index = np.array(pairs)
    first, second = own.values[index[:, 0]], theirs.values[index[:, 1]]
    one, other = _cosines(first), _cosines(second)
    if min(one.std(), other.std()) == 0:
        return Angles(len(pairs))
    found = Angles(len(pairs), float(np.corrcoef(one, other)[0, 1]))
    if len(pairs) <= max(first.shape[1], second.shape[1]) and (found.correlation or 0) < KIN:
        return found  # fewer tokens than dimensions bring any two models together in some basis
    frame = find_frame(second, first)
    return replace(found, frame=frame.kind) if (frame.cosine or 0) >= KIN else found


def _cosines(values: Float32) -> Float64:
    """Of every two rows, less their mean [n (n - 1) / 2]."""
    rows = values.astype(np.float64)
    rows -= rows.mean(axis=0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return np.asarray((rows @ rows.T)[np.triu_indices(len(rows), 1)], np.float64)
