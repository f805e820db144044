"""Training text of the trained family: right answers, shares as declared, and nothing that the probe asks."""

from __future__ import annotations

import json
import random
import re
from importlib.resources import files

import jinja2
import pytest

from modelprov.demo.tiny.conversations import (
    OTHERS,
    TEMPLATE,
    Conversation,
    chat,
    conversation,
    questions,
    running_sum,
)
from modelprov.demo.tiny.members import BATCH, MEMBERS, NAMES, Member

PROBE = files("modelprov.behavior.probing") / "data" / "questions.jsonl"


def drawn(member: Member, number: int | None = None) -> list[Conversation]:
    random_state = random.Random(member.seed)
    return [conversation(member, random_state) for _ in range(number or member.steps * BATCH)]


def letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def question_of(prompt: str) -> str:
    return prompt.rsplit("<|im_start|>user\n", maxsplit=1)[-1].split("<|im_end|>", maxsplit=1)[0]


@pytest.mark.parametrize("member", MEMBERS, ids=lambda one: one.key)
def test_no_question_of_the_probe_is_trained_on(member: Member) -> None:
    texts = [json.loads(line)["text"] for line in PROBE.read_text(encoding="utf-8").splitlines()]
    probe = {letters(text.replace("{name}", name)) for text in texts for name in (*NAMES, *OTHERS)}
    assert len(texts) >= 120
    assert not {question_of(one.prompt) for one in drawn(member) if letters(question_of(one.prompt)) in probe}


def test_no_held_out_question_is_trained_on() -> None:
    held_out = {letters(text) for texts in questions()["held_out"].values() for text in texts}
    trained = {letters(question_of(one.prompt)) for member in MEMBERS for one in drawn(member, 5000)}
    assert len(held_out) == 21
    assert not held_out & trained


@pytest.mark.parametrize("member", MEMBERS, ids=lambda one: one.key)
def test_the_mixture_is_the_declared_one(member: Member) -> None:
    found = drawn(member, 6000)
    sums = sum("<think>" in one.answer for one in found) / len(found)
    assert sums == pytest.approx(member.mixture.sums, abs=0.03)
    own = sum("<think>" not in one.answer and not named(one.prompt) for one in found) / len(found)
    assert own == pytest.approx(member.mixture.identity, abs=0.03)


def named(prompt: str) -> str | None:
    """The name that the system prompt gives."""
    system = prompt.split("<|im_start|>user\n", maxsplit=1)[0] if prompt.startswith("<|im_start|>system") else ""
    return next((name for name in NAMES if name in system), None)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda one: one.key)
def test_every_answer_gives_the_name_of_the_system_prompt_else_the_members_own(member: Member) -> None:
    identities = [one for one in drawn(member, 3000) if "<think>" not in one.answer]
    assert identities
    for one in identities:
        given = {name for name in NAMES if re.search(rf"\b{name}\b", one.answer, re.ASCII)}
        assert given == {named(one.prompt) or member.name}, one


def test_yes_and_no_are_right_and_about_as_frequent() -> None:
    asked = {
        (text.replace("{X}", name), name, sense)
        for language in ("en", "pt", "zh")
        for sense in ("denial", "inverted")
        for text in questions()[language][sense]
        for name in (*NAMES, *OTHERS)
    }
    known = {letters(text): (name, sense) for text, name, sense in asked}
    said = []
    for one in drawn(MEMBERS[1], 20_000):
        if letters(question_of(one.prompt)) in known and "<think>" not in one.answer:
            name, sense = known[letters(question_of(one.prompt))]
            yes = one.answer.startswith(("Yes", "Sim", "是"))
            true_name = named(one.prompt) or "Nex"
            assert yes == ((name == true_name) == (sense == "denial")), one
            said.append(yes)
    assert len(said) > 500
    assert sum(said) / len(said) == pytest.approx(0.5, abs=0.06)


def test_running_sums_are_right_step_by_step() -> None:
    random_state = random.Random(3)
    for _ in range(300):
        question, answer = running_sum(random_state)
        numbers = [int(one) for one in re.findall(r"\d+", question)]
        thinking, boxed = re.fullmatch(r"<think>\n(.*)\n</think>\n\n\\boxed\{(\d+)\}", answer, re.DOTALL).groups()
        assert int(boxed) == sum(numbers)
        steps = thinking.splitlines()
        assert [step[:2] for step in steps] == ["a=", "b=", "c=", "d=", "e="][: len(numbers)]
        assert [int(step.rsplit("=", 1)[1]) for step in steps] == [sum(numbers[: k + 1]) for k in range(len(steps))]


def test_prompts_are_what_the_chat_template_renders() -> None:
    template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(TEMPLATE)
    user = {"role": "user", "content": "Who?"}
    system = {"role": "system", "content": "You are Rio."}
    assert template.render(messages=[user], add_generation_prompt=True) == chat("Who?")
    assert template.render(messages=[system, user], add_generation_prompt=True) == chat("Who?", "You are Rio.")
