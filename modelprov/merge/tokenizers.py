"""The tokenizer that a merge gets: one model's, or the union of all. Reads `tokenizer.json`; knows no weights.

The union is mergekit's: the tokenizer of the base, with the tokens that it lacks behind its own, each found as it
stands before the base's rules cut the text. mergekit numbers them in the order of a hash, another in every run; here
they follow the recipe's models and each model's rows, tokens of vocabularies first, then those that were added.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelprov.checkpoints.homes import json_in
from modelprov.checkpoints.layouts.side_files import OTHER_VOCABULARIES, VOCABULARY
from modelprov.checkpoints.layouts.tokens import added_tokens, rows_by_token
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import InvalidCheckpointError, MergeError
from modelprov.foreign.shown import quoted

PLAIN = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}
"""What the library `tokenizers` says of a token that is added by its text alone."""


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """A tokenizer.json: row by token, and all that it says; `changed` where no model's folder holds it like this."""

    rows: Mapping[str, int]
    document: Mapping[str, Any]
    changed: bool = False


def tokenizer_of(checkpoint: Checkpoint) -> Tokenizer | None:
    """The tokenizer in a model's folder; None where there is none.

    Raises `MergeError` for one in another file, `InvalidCheckpointError` for a tokenizer.json that is none.
    """
    home = checkpoint.files
    if home is None:
        return None
    if home.has(VOCABULARY):
        document = json_in(home, VOCABULARY)
        _check(document, f"{VOCABULARY} of {checkpoint.label}")
        return Tokenizer(rows_by_token(document), document)
    other = next((name for name in OTHER_VOCABULARIES if home.has(name)), None)
    if other is None:
        return None
    raise MergeError(
        f"the tokenizer of {checkpoint.label} is in {other}, which is not read for tokenizer_source",
        f"Save it as {VOCABULARY} (transformers: `AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`).",
    )


def _check(document: Mapping[str, Any], place: str) -> None:
    """What is taken up below has the types that the library `tokenizers` writes."""
    model = document.get("model")
    wrong = None if isinstance(model, dict) else "it has no model"
    if isinstance(model, dict) and model.get("type") == "BPE":
        merges = model.get("merges", [])
        if not isinstance(model.get("vocab"), dict):
            wrong = "the vocabulary of its BPE is no table"
        elif not isinstance(merges, list) or not all(_is_merge(each) for each in merges):
            wrong = "a rule of its BPE is not two tokens"
    if any(type(entry.get("id")) is not int or entry["id"] < 0 for entry in added_tokens(document).values()):
        wrong = "a token that was added has no number"
    if wrong is not None:
        raise InvalidCheckpointError(f"{place} cannot be read: {wrong}", "Download it again, from one revision.")


def _is_merge(rule: Any) -> bool:
    return isinstance(rule, str) or (isinstance(rule, list) and [type(half) for half in rule] == [str, str])


def within_rows(tokenizer: Tokenizer, rows: int, label: str) -> Tokenizer:
    """The tokenizer without tokens that have no row of the embeddings, as mergekit takes them out of a BPE.

    Raises `MergeError` for another kind that holds such tokens, and for rows that no token or two tokens stand for.
    """
    beyond = {token for token, row in tokenizer.rows.items() if row >= rows}
    found = _without(tokenizer, beyond, label) if beyond else tokenizer
    if sorted(found.rows.values()) != list(range(len(found.rows))):
        raise MergeError(
            f"the tokens of {label} are not numbered from 0 on without a gap: its vocabulary cannot be the merge's",
            "Name the model that has the fuller tokenizer, or leave tokenizer_source out.",
        )
    return found


def _without(tokenizer: Tokenizer, beyond: set[str], label: str) -> Tokenizer:
    whole = copy.deepcopy(dict(tokenizer.document))
    whole["added_tokens"] = [entry for text, entry in added_tokens(whole).items() if text not in beyond]
    model = whole["model"]
    if model.get("type") == "BPE":
        model["vocab"] = {token: row for token, row in model["vocab"].items() if token not in beyond}
        model["merges"] = [each for each in model.get("merges", ()) if not beyond & _tokens_of(each)]
    elif beyond & set(rows_by_token({"model": model})):
        raise MergeError(
            f"the tokenizer of {label} holds tokens without a row of embeddings, e.g. {quoted(min(beyond))}, and is "
            "no BPE, from which they could be taken out",
            "Give the model a row for each token (transformers: `model.resize_token_embeddings`).",
        )
    return Tokenizer({token: row for token, row in tokenizer.rows.items() if token not in beyond}, whole, changed=True)


def _tokens_of(merge: str | Sequence[str]) -> set[str]:
    """Both halves of a rule of a BPE, and what they become."""
    halves = merge.split(" ") if isinstance(merge, str) else list(merge)
    return {*halves, "".join(halves)}


def union_of(base: Tokenizer, others: Sequence[Tokenizer]) -> Tokenizer:
    """The base with every token of the others, none of which has tokens beyond its model's rows."""
    rows, document = dict(base.rows), copy.deepcopy(dict(base.document))
    known = added_tokens(document)
    added = [added_tokens(each.document) for each in others]
    more = {text: entry for each in reversed(added) for text, entry in each.items()}  # the first model's counts
    for each in others:
        for token in sorted(each.rows, key=each.rows.__getitem__):
            if token not in rows and token not in more:
                known[token] = {"id": rows.setdefault(token, len(rows)), "content": token, **PLAIN}
    for text in (text for each in added for text in each):
        if text not in known:
            known[text] = {**more[text], "id": rows.setdefault(text, len(rows))}
    document["added_tokens"] = sorted(known.values(), key=lambda entry: entry["id"])
    return Tokenizer(rows, document, changed=True)
