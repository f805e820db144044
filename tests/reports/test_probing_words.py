"""Sentences of a probe's report that its samples do not reach: several names at once, languages that differ."""

from __future__ import annotations

from modelprov.behavior.probing.answer_log import Spoken
from modelprov.behavior.probing.counting import count
from modelprov.behavior.probing.names import parse_names
from modelprov.behavior.probing.questions import questions
from modelprov.behavior.probing.wording import does_not_show
from modelprov.reports.probing import words
from tests.reports import probing_samples

NAMES = parse_names(["Rio", "Nex"])
ASKED = [one for one in questions(NAMES) if one.kind != "denial"]


def report(answer_of):
    """The sample's report with a suspect that answers as told."""
    base = probing_samples.probe_report()
    suspect = next(one.label for one in base.models if one.role == "suspect")
    answers = [Spoken(None, answer_of(one), True) for one in ASKED]
    arm = count(suspect, "suspect", "as shipped", "greedy", 0.0, ASKED, answers, NAMES, ())
    return base.model_copy(update={"arms": (arm,), "settings": base.settings.model_copy(update={"quick": False})})


def test_several_names_in_most_answers_are_the_headline():
    told = report(lambda _: "I am Nex, a model that was built on Rio, so I am Rio as well.")
    assert "names several of the declared names at once" in words.headline(told)
    assert "says several of the declared names at once" in words.summary(told)


def test_a_language_in_which_another_name_is_said_has_a_sentence():
    told = report(lambda asked: "我是Nex。" if asked.language == "zh" else "I am Rio.")
    (sentence,) = [one for one in words.findings(told) if "every language" in one]
    assert "zh: Nex" in sentence
    assert "en: Rio" in sentence


def test_few_questions_say_what_they_leave_open():
    text = " ".join(does_not_show((), 36, quick=True))
    assert "up to 9.7 % of such answers" in text
    assert "--quick" in text
    assert "--quick" not in " ".join(does_not_show((), 108))
