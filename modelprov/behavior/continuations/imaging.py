"""Holds a server's log-probabilities against the output heads, and the numbers, of models that are at hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from modelprov.behavior.continuations import softmax_image as image
from modelprov.behavior.continuations.asking import token_ids, vocabulary_digest, way_of
from modelprov.behavior.continuations.continuing import alike
from modelprov.behavior.continuations.prompts import prompts
from modelprov.behavior.continuations.served_logprobs import Got, ServedLogprobs, vocabulary_of
from modelprov.behavior.continued import Continuer, Way
from modelprov.behavior.imaged import Fitted, Imaged
from modelprov.behavior.probing.answer_log import AnswerLog
from modelprov.behavior.probing.speakers import EndpointSpeaker
from modelprov.behavior.probing.subjects import Subject
from modelprov.behavior.records import digest
from modelprov.errors import UsageError
from modelprov.progress import Progress

if TYPE_CHECKING:
    from modelprov.behavior.loading import LocalModel

TOP = 20  # most likely tokens at which the numbers are compared
NO_NUMBERS = "The server gives no log-probabilities, so nothing could be held against the heads."
CAPPED = "its logits are bent (soft-capped) behind the head, so they lie in no linear image of it"


@dataclass(frozen=True)
class _Heard:
    """A model at hand: what was found, its shares text by text, and its own logits [texts, vocabulary]."""

    fitted: Fitted
    kind: Continuer
    shares: tuple[float, ...]
    logits: image.Reals
    unlike: dict[str, float]
    """Shares of earlier models' own numbers outside this head, by label."""


@dataclass
class Imaging:
    """Hears the suspect's server first, then each model at hand; `found` says what follows."""

    count: int
    seed: int
    log: AnswerLog
    progress: Progress
    at_once: int = 16
    _served: ServedLogprobs | None = None
    _heard: list[_Heard] = field(default_factory=list)
    _missing: list[Fitted] = field(default_factory=list)
    _got: list[Got] = field(default_factory=list)
    _digests: list[str] = field(default_factory=list)
    _way: Way = "completions"

    def hear(self, subject: Subject) -> None:
        """Meet the server, or hold its numbers against a parent or control."""
        if isinstance(subject.speaker, EndpointSpeaker):
            endpoint, texts = subject.speaker.endpoint, prompts(self.count, self.seed)
            self._way = way_of(endpoint, texts[0])
            self._served = ServedLogprobs(endpoint, texts, self._way, self.at_once, self.log)
        elif subject.weights is not None and subject.about.role != "suspect":
            self.hold_against(subject.weights, subject.about.role)

    def hold_against(self, model: LocalModel, role: Literal["parent", "control", "published"]) -> None:
        """Hold the server's numbers against one model's head and numbers."""
        if self._served is None:
            raise UsageError("log-probabilities are asked of a server", "Compare weights with modelprov compare.")
        if model.digest in self._digests:  # such as published weights that are a parent too
            if role == "control":
                same = "it has the same weights as another model here"
                self._missing.append(Fitted(label=model.label, role=role, unfit=same))
            return
        self._digests.append(model.digest)
        labels = {each.fitted.label for each in self._heard}
        label = f"{model.label} ({role})" if model.label in labels else model.label
        self.progress.stage(f"{model.label}: holding the server's log-probabilities against it")
        try:
            ids = token_ids(model, self._served.texts, self._way)
        except UsageError as error:
            self._missing.append(Fitted(label=label, role=role, unfit=f"it could not be asked: {error.message}"))
            return
        kind = Continuer(
            label=label, role="parent" if role == "published" else role,
            tokenizer=vocabulary_digest(model.tokenizer), parameters=int(model.model.num_parameters()),
        )  # fmt: skip
        weight = model.model.get_output_embeddings().weight
        hidden = int(weight.shape[1])
        vocabulary = vocabulary_of(model.tokenizer, kind.tokenizer or "", self.seed)
        least = hidden + 1 + image.LEAST_SPARE
        got = self._served.of(vocabulary, image.needed(hidden), least)
        self._got.append(got)
        fine, coarse = _both_formats(model, ids)
        fitted = _numbers(Fitted(label=label, role=role, hidden=hidden), got, fine, coarse)
        enough = [place for place, values in enumerate(got.values) if len(values) >= least]
        unfit = _unfit(model, got, enough, least)
        if unfit is not None:
            self._heard.append(_Heard(fitted.model_copy(update={"unfit": unfit}), kind, (), fine, {}))
            return
        head = _Images(model, vocabulary.order, image.needed(hidden))
        shares = tuple(
            head.outside(values, _array(values)) if len(values) >= least else math.nan for values in got.values
        )
        if sum(map(math.isfinite, shares)) < image.LEAST_TEXTS:
            told = fitted.model_copy(update={"unfit": "the served log-probabilities are all alike"})
            self._heard.append(_Heard(told, kind, (), fine, {}))
            return
        rounded = _rounded(fine)
        own = [head.outside(values, rounded[place]) for place, values in enumerate(got.values) if place in enough]
        grains = [image.grain(np.array(list(got.values[place].values()))) for place in enough]
        medians = {"outside": shares, "rounding": own, "grain": grains}
        fitted = fitted.model_copy(update={name: float(np.nanmedian(each)) for name, each in medians.items()})
        unlike = {
            earlier.fitted.label: float(np.nanmedian([head.outside(got.values[p], earlier.logits[p]) for p in enough]))
            for earlier in self._heard if earlier.kind.tokenizer == kind.tokenizer
        }  # fmt: skip
        self._heard.append(_Heard(fitted, kind, shares, fine, unlike))

    def found(self) -> Imaged:
        """What follows for each parent."""
        parents = [each for each in self._heard if each.fitted.role != "control"]
        controls = [each for each in self._heard if each.fitted.role == "control"]
        why = {each.fitted.label: _no_control(each, parents, controls) for each in controls}
        counted = {parent.fitted.label: [each.fitted.label for each in controls if why[each.fitted.label] is None
                                         and _counts(parent, each)] for parent in parents}  # fmt: skip
        unfit = {each.fitted.label: each.fitted.unfit for each in parents if each.fitted.unfit is not None}
        places = [place for place in range(self.count)
                  if all(math.isfinite(each.shares[place]) for each in self._heard if each.shares)]  # fmt: skip
        if len(places) < image.LEAST_TEXTS:
            few = f"{len(places)} texts can be judged, and it takes {image.LEAST_TEXTS}"
            unfit |= {label: few for label in counted if label not in unfit}
        shares = {each.fitted.label: [each.shares[place] for place in places] for each in self._heard if each.shares}
        rounding = {each.fitted.label: each.fitted.rounding or 0.0 for each in parents}
        grains = {each.fitted.label: each.fitted.grain or 0.0 for each in parents}
        judged = image.judge(shares, rounding, grains, counted, unfit)
        texts = prompts(self.count, self.seed)
        hows = {got.how for got in self._got} or {"none"}
        sizes = [len(values) for got in self._got for values in got.values]
        return Imaged(
            texts=len(texts), seed=self.seed, digest=digest(list(texts)), tokens=int(np.median(sizes)) if sizes else 0,
            how="a logit bias" if "a logit bias" in hows else min(hows),
            fits=(*(each.fitted.model_copy(update={"unfit": each.fitted.unfit or why.get(each.fitted.label)})
                    for each in self._heard), *self._missing),
            judged=judged, notes=(NO_NUMBERS,) if hows == {"none"} else (),
        )  # fmt: skip


class _Images:
    """The images of one model's head at sets of tokens; texts that share a set share the work."""

    def __init__(self, model: LocalModel, order: Sequence[int], most: int) -> None:
        head = model.model.get_output_embeddings()
        self._head, self._bias = head.weight.detach(), getattr(head, "bias", None)
        self._order, self._most = order, most
        self._tokens: list[int] = []
        self._image: image.Reals = np.empty((0, 0))

    def outside(self, values: dict[int, float], logprobs: image.Reals) -> float:
        """The share of `logprobs` [vocabulary] that lies outside, at up to `most` of the tokens in `values`."""
        tokens = [token for token in self._order if token in values][: self._most]
        if tokens != self._tokens:
            self._tokens = tokens
            rows = self._head[tokens].double().cpu().numpy()
            bias = None if self._bias is None else self._bias.detach()[tokens].double().cpu().numpy()
            self._image = image.Head(rows, bias).image()
        return image.outside(self._image, logprobs[tokens])


def _array(values: dict[int, float]) -> image.Reals:
    found = np.full(max(values) + 1, np.nan)
    found[list(values)] = list(values.values())
    return found


def _rounded(logits: image.Reals) -> image.Reals:
    """As a server that computes logits in bfloat16 has them."""
    import torch

    return np.asarray(torch.from_numpy(logits).bfloat16().double().numpy())


def _numbers(fitted: Fitted, got: Got, fine: image.Reals, coarse: image.Reals) -> Fitted:
    """How far the model's own numbers are from the served ones at the most likely tokens."""
    pairs = []
    for place, served in enumerate(got.top):
        tokens = sorted((token for token in served if token < fine.shape[1]), key=lambda token: -served[token])[:TOP]
        if len(tokens) > 1:
            own = fine[place, tokens]
            pairs.append(
                (image.apart(own, np.array([served[t] for t in tokens])), image.apart(own, coarse[place, tokens]))
            )
    if len(pairs) < image.LEAST_TEXTS:
        return fitted
    apart, formats = (float(each) for each in np.median(pairs, axis=0))
    numbers = "other numbers" if image.differ(apart, formats) else "its numbers"
    return fitted.model_copy(update={"apart": apart, "formats": formats, "numbers": numbers})


def _unfit(model: LocalModel, got: Got, enough: Sequence[int], least: int) -> str | None:
    """Why a head cannot be held against the numbers, if so."""
    if got.how == "none":
        return "the server gives no log-probabilities"
    config = model.model.config.get_text_config()
    if getattr(config, "final_logit_softcapping", None) is not None:
        return CAPPED
    if len(enough) < image.LEAST_TEXTS:
        most = max(map(len, got.values))
        return f"the server gives {most} log-probabilities of a text, and a head of this size takes {least}"
    return None


def _no_control(control: _Heard, parents: Sequence[_Heard], controls: Sequence[_Heard]) -> str | None:
    """Why a control counts for none of the parents, if so."""
    if control.fitted.unfit is not None:
        return control.fitted.unfit
    for earlier in controls[: controls.index(control)]:
        if control.unlike.get(earlier.fitted.label, 1.0) <= image.RELATED:
            return f"its head is related to that of {earlier.fitted.label}: they count once"
    if not parents or any(_counts(parent, control) for parent in parents):
        return None
    if not any(alike(parent.kind, control.kind) for parent in parents):
        return "it has another tokenizer or size than the parents"
    if any(control.unlike.get(parent.fitted.label, 1.0) <= image.RELATED for parent in parents):
        return "its head is related to a parent's: it is no stranger"
    return "its head has nothing in common with the parents': a model of noise, or of another language, shows nothing"


def _counts(parent: _Heard, control: _Heard) -> bool:
    """Whether a control is of the parent's kind, and neither its relative nor of another language."""
    unlike = control.unlike.get(parent.fitted.label, math.nan)
    return alike(parent.kind, control.kind) and image.RELATED < unlike <= image.KINDRED


def _both_formats(model: LocalModel, ids: Sequence[Sequence[int]]) -> tuple[image.Reals, image.Reals]:
    """Logits after each text [texts, vocabulary], computed in float32 and in bfloat16.

    Weights that are stored in 16 bits become float32 for one run and, to the bit, themselves again.
    """
    import torch

    stored = model.model.dtype
    with _as(model, torch.float32):
        fine = _logits(model, ids)
        if stored != torch.bfloat16:
            with torch.autocast(model.model.device.type, torch.bfloat16):
                return fine, _logits(model, ids)
    return fine, _logits(model, ids)


@contextmanager
def _as(model: LocalModel, dtype: object) -> Iterator[None]:
    stored = model.model.dtype
    model.model.to(dtype)
    try:
        yield
    finally:
        model.model.to(stored)


def _logits(model: LocalModel, ids: Sequence[Sequence[int]]) -> image.Reals:
    import torch

    found = []
    with torch.inference_mode():
        for each in ids:
            logits = model.model(input_ids=torch.tensor([each], device=model.model.device), use_cache=False).logits
            found.append(logits[0, -1].double().cpu().numpy())
    return np.stack(found)
