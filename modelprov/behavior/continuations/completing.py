"""Samples completions of the same texts from the suspect and from published weights, and has them tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from modelprov.behavior.continuations import equality
from modelprov.behavior.continuations.asking import token_ids, way_of
from modelprov.behavior.continuations.prompts import prompts
from modelprov.behavior.continued import Equality, Way
from modelprov.behavior.generation.batching import Batches
from modelprov.behavior.generation.generate import generate, method_of
from modelprov.behavior.probing.endpoint_sampling import SamplingCheck, check_sampling
from modelprov.behavior.probing.speakers import NOT_SERVED, EndpointSpeaker
from modelprov.behavior.probing.subjects import Subject
from modelprov.errors import EndpointError
from modelprov.progress import Progress, tell

if TYPE_CHECKING:
    from modelprov.behavior.loading import LocalModel
    from modelprov.behavior.probing.endpoints import Endpoint

PROMPTS, SAMPLES, TOKENS = 25, 20, 32
BY_CHAT = (
    "The server takes no raw text: it was asked by chat, so its template and whatever it adds are part of the test."
)
ALWAYS_THE_SAME = (
    "The server gives the same answer whatever the seed: it does not sample, which no published weights do."
)


@dataclass
class Completing:
    """Hears the suspect; `found` says whether published weights complete texts as it did."""

    seed: int
    progress: Progress
    at_once: int = 16
    _suspect: list[list[str]] = field(default_factory=list)
    _way: Way = "completions"
    _notes: list[str] = field(default_factory=list)

    def hear(self, subject: Subject) -> None:
        """Sample from the suspect; other models are none of this test's."""
        if subject.about.role != "suspect":
            return
        self.progress.stage(f"{subject.about.label}: completing texts")
        texts = prompts(PROMPTS, self.seed)
        if isinstance(subject.speaker, EndpointSpeaker):
            endpoint = subject.speaker.endpoint
            self._way = way_of(endpoint, texts[0])
            sampling = _sampling(endpoint)
            self._notes += [BY_CHAT] * (self._way == "chat")
            self._notes += [ALWAYS_THE_SAME] * (sampling is not None and not sampling.samples)
            extra = sampling.extra if sampling is not None else {}
            self._suspect = _served(endpoint, texts, self._way, self.seed, self.at_once, extra)
        elif subject.weights is not None:
            self._suspect = self._local(subject.weights, texts, 2 * self.seed)

    def found(self, published: LocalModel) -> Equality:
        """The test against these weights, which draw from another seed than the suspect: neither knows the other."""
        self.progress.stage(f"{published.label}: completing texts")
        texts = prompts(PROMPTS, self.seed)
        own = self._local(published, texts, 2 * self.seed + 1)
        statistic, p = equality.tested(self._suspect, own, self.seed)
        return Equality(
            published=published.label, digest=published.digest, dtype=str(published.model.dtype).removeprefix("torch."),
            prompts=PROMPTS, samples=SAMPLES, tokens=TOKENS, statistic=statistic, p=p,
            permutations=equality.PERMUTATIONS, notes=tuple(self._notes),
            finding="another distribution" if p <= equality.LEVEL else "no difference found",
        )  # fmt: skip

    def _local(self, model: LocalModel, texts: Sequence[str], seed: int) -> list[list[str]]:
        """Sampled completions of each text; what memory did to the batches is a note."""
        batches = Batches(self.at_once, partial(tell, self.progress))
        method = method_of("cot", temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=TOKENS)
        ids = [each for each in token_ids(model, texts, self._way) for _ in range(SAMPLES)]
        answers = generate(model, ids, method, seed, batch_size=batches)
        self._notes += batches.told(model.label)
        said = [_joined(answer.thinking, answer.final) for answer in answers]
        return [said[start : start + SAMPLES] for start in range(0, len(said), SAMPLES)]


def _sampling(endpoint: Endpoint) -> SamplingCheck | None:
    """Whether the server samples; None where it takes no chat to ask it by."""
    try:
        return check_sampling(endpoint)
    except EndpointError as error:
        if error.status not in NOT_SERVED:
            raise
        return None


def _served(
    endpoint: Endpoint, texts: Sequence[str], way: Way, seed: int, at_once: int, extra: Mapping[str, Any]
) -> list[list[str]]:  # fmt: skip
    def completed(place: int) -> str:
        text = texts[place // SAMPLES]
        asked: dict[str, Any] = {
            "temperature": 1.0, "top_p": 1.0, "max_tokens": TOKENS, "seed": (seed * 1_000_003 + place) % 2**31,
            "extra": extra,
        }  # fmt: skip
        if way == "completions":
            reply = endpoint.complete(text, **asked)
        else:
            reply = endpoint.chat([{"role": "user", "content": text}], **asked)
        return _joined(reply.thinking, reply.text)

    with ThreadPoolExecutor(max(1, at_once)) as pool:
        said = list(pool.map(completed, range(len(texts) * SAMPLES)))
    return [said[start : start + SAMPLES] for start in range(0, len(said), SAMPLES)]


def _joined(thinking: str | None, final: str | None) -> str:
    """All that was said, whoever took the thinking tags out."""
    return f"{thinking or ''} {final or ''}".strip()
