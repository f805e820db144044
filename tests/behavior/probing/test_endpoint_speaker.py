"""A served model is asked with what its server needs, and only then."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from modelprov.behavior.probing.arms import Prompt
from modelprov.behavior.probing.endpoint_sampling import SAMPLE, SamplingCheck
from modelprov.behavior.probing.questions import Question
from modelprov.behavior.probing.speakers import Asked, EndpointSpeaker, How
from modelprov.behavior.probing.subjects import endpoint_subject

A_QUESTION = Question("q1", "en", "name", "Who are you?")


class Recorded:
    """Stands in for an endpoint and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def chat(self, messages: list[dict[str, str]], **settings: Any) -> SimpleNamespace:
        self.asked.append({"messages": messages, **settings})
        return SimpleNamespace(text="I am Nex.", thinking=None, finished=True)


def ask(speaker: EndpointSpeaker, temperature: float, question: Question) -> None:
    prompt = Prompt(messages=({"role": "user", "content": "Who are you?"},))
    speaker.answer([Asked(prompt, question, 0)], How(temperature, 8), seed=3)


def test_what_a_server_needs_to_sample_is_sent_with_sampled_answers_alone() -> None:
    endpoint = Recorded()
    speaker = EndpointSpeaker(endpoint, "rio", "http://127.0.0.1", to_sample=SAMPLE)  # type: ignore[arg-type]
    ask(speaker, 0.0, A_QUESTION)
    ask(speaker, 1.0, A_QUESTION)
    greedy, sampled = endpoint.asked
    assert "extra" not in greedy
    assert sampled["extra"] == SAMPLE
    assert greedy["seed"] == sampled["seed"]


def test_a_server_that_samples_by_itself_gets_nothing_more() -> None:
    endpoint = Recorded()
    ask(EndpointSpeaker(endpoint, "rio", "http://127.0.0.1"), 1.0, A_QUESTION)  # type: ignore[arg-type]
    assert "extra" not in endpoint.asked[0]


def test_the_report_notes_a_server_that_does_not_sample_and_stays_silent_about_one_that_does() -> None:
    def notes(check: SamplingCheck) -> str:
        subject = endpoint_subject(Recorded(), "http://x", "rio", None, 1, None, check)  # type: ignore[arg-type]
        return " ".join(subject.about.notes)

    assert "several samples are one" in notes(SamplingCheck(False, "several samples are one"))
    assert "do_sample" in notes(SamplingCheck(True, "only when do_sample is asked for", SAMPLE))
    assert "four seeds" not in notes(SamplingCheck(True, "four seeds gave different answers"))
