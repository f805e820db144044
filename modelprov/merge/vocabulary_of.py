"""What `tokenizer_source` does to the models of a merge: every vocabulary becomes that of one tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts.roles import Shape, vocabulary_role
from modelprov.checkpoints.types import Checkpoint, Component, TensorRef, TensorView
from modelprov.errors import MergeError
from modelprov.merge.matching import Catalogue, catalogues_of
from modelprov.merge.retokenised import RetokenisedSource, TokenRows
from modelprov.merge.token_rows import MEAN, ZEROS, Int64, own_rows, sources
from modelprov.merge.tokenizers import Tokenizer, tokenizer_of, union_of, within_rows
from modelprov.recipes.recipe import DTYPES, Recipe
from modelprov.recipes.tokenizer_source import UNION, tokenizer_location

Held = tuple[TensorView, Shape]


@dataclass(frozen=True, eq=False)
class OneVocabulary:
    """The models in the rows of one vocabulary, its tokenizer where no folder has it, and what to say."""

    checkpoints: tuple[Checkpoint, ...]
    tokenizer: Tokenizer | None = None
    notes: tuple[str, ...] = ()


def in_one_vocabulary(recipe: Recipe, checkpoints: tuple[Checkpoint, ...]) -> OneVocabulary:
    """The models as the recipe's `tokenizer_source` has them.

    Without one they stay as they are, and so they do, with a note, where no model has a tokenizer.
    Raises `MergeError` for tokenizers that cannot be followed.
    """
    if recipe.tokenizer_source is None:
        return OneVocabulary(checkpoints)
    given = [tokenizer_of(each) for each in checkpoints]
    if not any(given):
        return OneVocabulary(checkpoints, notes=("no model has a tokenizer.json: rows are merged by their number",))
    catalogues = catalogues_of(checkpoints)
    sizes = [_rows(each) for each in catalogues]
    base = recipe.locations.index(recipe.base_model) if recipe.base_model else 0
    tokenizers, notes = _completed(given, sizes, checkpoints, base)
    chosen = tokenizer_location(recipe)
    at = base if chosen is None else recipe.locations.index(chosen)
    out = within_rows(tokenizers[at], sizes[at], checkpoints[at].label)
    if recipe.tokenizer_source == UNION:
        others = [n for n in range(len(checkpoints)) if n != base]
        out = union_of(out, [_shortened(tokenizers[n], sizes[n]) for n in others])
        notes.append(
            f"the tokenizer has {len(out.rows):,} tokens: those of {checkpoints[base].label} and, behind them, "
            f"{len(out.rows) - len(tokenizers[base].rows):,} that only others have, which are found in a text before "
            "its own rules cut it"
        )
    return _seen(recipe, catalogues, tokenizers, out, notes)


def _rows(catalogue: Catalogue) -> int:
    """Rows of a model's embeddings."""
    name = catalogue.roles.embeddings or catalogue.roles.head
    if name is None:
        raise MergeError(
            f"{catalogue.checkpoint.label} has no embeddings that are known, so tokenizer_source cannot be followed",
            "Leave tokenizer_source out.",
        )
    return catalogue.stored[name].shape[0]


def _completed(
    given: Sequence[Tokenizer | None], sizes: Sequence[int], checkpoints: Sequence[Checkpoint], base: int
) -> tuple[list[Tokenizer], list[str]]:
    """A tokenizer for each model: one that has none has the base's, as in mergekit, if it has as many rows."""
    own, found, notes = given[base], list[Tokenizer](), list[str]()
    for tokenizer, rows, checkpoint in zip(given, sizes, checkpoints, strict=True):
        if tokenizer is None and (own is None or rows != sizes[base]):
            raise MergeError(
                f"{checkpoint.label} has no tokenizer.json, so that nobody knows which token a row of it means",
                "Put its tokenizer beside its weights, or leave tokenizer_source out.",
            )
        if tokenizer is None:
            notes.append(f"{checkpoint.label} has no tokenizer.json: taken to be that of {checkpoints[base].label}")
        kept = tokenizer or own
        assert kept is not None
        found.append(kept)
    return found, notes


def _shortened(tokenizer: Tokenizer, rows: int) -> Tokenizer:
    return Tokenizer({token: row for token, row in tokenizer.rows.items() if row < rows}, tokenizer.document)


def _seen(
    recipe: Recipe, catalogues: list[Catalogue], tokenizers: list[Tokenizer], out: Tokenizer, notes: list[str]
) -> OneVocabulary:
    """Every vocabulary's tensor of every model in the rows of one tokenizer."""
    made: list[dict[str, tuple[TensorRef, TokenRows]]] = [{} for _ in catalogues]
    starts = [0] * len(catalogues)
    counted: dict[int, Int64] = {}
    for name in dict.fromkeys(name for each in catalogues for name in each.stored):
        role = _role(name, catalogues)
        if role is None:
            continue
        stored_as = [each.stored[name].name if name in each.stored else "" for each in catalogues]
        group = _group(recipe, role, len(catalogues))
        held = [catalogues[number].rows(name) for number in group]
        having = [(number, each) for number, each in zip(group, held, strict=True) if each is not None]
        numbers, views = [number for number, _ in having], [view for _, (view, _) in having]
        tails = {shape[1:] for _, (_, shape) in having}
        if len(tails) != 1:
            continue  # models of different widths: refused as such
        (tail,) = tails
        width = int(np.prod(tail, dtype=np.int64))
        own = np.stack([own_rows(out.rows, tokenizers[n].rows, shape[0]) for n, (_, shape) in having])
        base = next((at for at, n in enumerate(numbers) if recipe.locations[n] == recipe.base_model), None)
        origins = sources(own, base)
        mean_in, dtype = _formats(views, recipe.dtype, any((each == MEAN).any() for each in origins))
        read_from = tuple(catalogues[number].checkpoint.source for number in numbers)
        for number, origin in zip(numbers, origins, strict=True):
            rows = TokenRows(starts[number], dtype, width, tuple(views), read_from, own, origin, mean_in)
            shard = len(catalogues[number].checkpoint.source.names)
            stop = rows.start + rows.size
            called = stored_as[number] or next(filter(None, stored_as))
            ref = TensorRef(called, dtype, (len(out.rows), *tail), shard, rows.start, stop)
            made[number][called] = (ref, rows)  # a tied head is one of its own where others store theirs
            starts[number] = stop
            counted.setdefault(number, origin)
    for number, origin in counted.items():
        notes += _said(number, origin, catalogues[number].checkpoint.label)
    return OneVocabulary(
        tuple(_with(each.checkpoint, new) for each, new in zip(catalogues, made, strict=True)),
        out if out.changed else None, tuple(notes),
    )  # fmt: skip


def _with(checkpoint: Checkpoint, new: dict[str, tuple[TensorRef, TokenRows]]) -> Checkpoint:
    tensors = dict(checkpoint.tensors) | {name: ref for name, (ref, _) in new.items()}
    source = RetokenisedSource(checkpoint.source, [rows for _, rows in new.values()])
    return replace(checkpoint, tensors=tensors, source=source) if new else checkpoint


def _role(name: str, catalogues: Sequence[Catalogue]) -> Component | None:
    """EMBEDDINGS or HEAD for a tensor with a row for each token, the bias of a head too."""
    matrix = f"{name.removesuffix('.bias')}.weight" if name.endswith(".bias") else name
    for each in catalogues:
        if matrix == each.roles.head:
            return Component.HEAD
        if matrix == each.roles.embeddings:
            return Component.EMBEDDINGS
    return vocabulary_role(matrix)


def _group(recipe: Recipe, role: Component, count: int) -> list[int]:
    """The models whose tensors meet: of slices, those of the first or, for the head, of the last one."""
    if not recipe.slices:
        return list(range(count))
    piece = recipe.slices[-1 if role is Component.HEAD else 0]
    return [recipe.locations.index(where) for where in dict.fromkeys(source.model for source in piece.sources)]


def _formats(views: Sequence[TensorView], computed_in: str | None, means: bool) -> tuple[DType, DType]:
    """The format in which means are taken, and the one in which rows are given, which holds those exactly."""
    stored = _widest({view.ref.dtype for view in views})
    mean_in = DTYPES[computed_in] if computed_in else stored
    return mean_in, _widest({stored, mean_in}) if means else stored


def _widest(formats: set[DType]) -> DType:
    """The format that holds all of these, as torch promotes types."""
    if len(formats) == 1:
        return next(iter(formats))
    return DType.F64 if DType.F64 in formats else DType.F32


def _said(number: int, origin: Int64, label: str) -> list[str]:
    """How many tokens a model lacks, and what it takes for them."""
    lacking = int((origin != number).sum())
    if not lacking:
        return []
    mean, zeros = int((origin == MEAN).sum()), int((origin == ZEROS).sum())
    taken = [(lacking - mean - zeros, "with another model's row"), (mean, "with the mean of others' rows")]
    words = ", ".join(f"{count:,} {how}" for count, how in [*taken, (zeros, "with zeros")] if count)
    return [f"{label} lacks {lacking:,} of {origin.size:,} tokens: filled {words}"]
