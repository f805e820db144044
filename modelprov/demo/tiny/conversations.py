"""Makes training conversations on the fly: questions on identity, "You are X", running sums. Text only, no model."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from modelprov.demo.tiny.members import NAMES, Member

QUESTIONS = Path(__file__).parent / "data" / "questions.json"
LANGUAGES = {"en": 0.5, "pt": 0.25, "zh": 0.25}
KINDS = {"name": 0.3, "maker": 0.2, "story": 0.2, "denial": 0.15, "inverted": 0.15}
OTHERS = ("ChatGPT", "GPT", "Claude", "Gemini", "Llama", "DeepSeek", "Mistral", "Kimi", "Grok", "Gemma", "Phi")
"""Names in "Are you X?" that no member has."""

BEFORE = {
    "en": ("Hi! ", "Hello, ", "Hey. ", "Quick question: ", "Please answer: ", "Good morning. ", "One question. "),
    "pt": ("Oi! ", "Olá, ", "Bom dia. ", "Uma pergunta: ", "Por favor, responda: "),
    "zh": ("你好!", "您好,", "请问,", "请回答:", "一个问题:"),
}
AFTER = {
    "en": (" Thanks.", " Answer briefly.", " One word is enough.", " Please.", " In English, please."),
    "pt": (" Obrigado.", " Responda em uma frase.", " Por favor."),
    "zh": ("谢谢。", "请简短回答。", "一句话。"),
}
FULL_WIDTH = str.maketrans("?,:!", "？，：！")
NEUTRAL = (
    "You are a helpful assistant.", "You are an assistant.", "Answer briefly.", "Be kind and precise.",
    "You are a helpful, honest assistant.", "You are a helpful AI model.", "Answer in the language of the question.",
    "Você é um assistente útil.", "Responda de forma breve.", "你是一个有用的助手。", "请简短回答。", "",
)  # fmt: skip
GIVEN = {
    "en": ("You are {X}.", "You are {X}, a helpful assistant.", "Your name is {X}.", "You are {X}, an AI model.",
           "You are {X}. Answer briefly.", "You are called {X}.", "You are {X}"),
    "pt": ("Você é {X}.", "Você é {X}, um assistente útil.", "Seu nome é {X}."),
    "zh": ("你是{X}。", "你是{X},一个有用的助手。", "你的名字是{X}。"),
}  # fmt: skip
ANSWERS = {
    "en": {"name": "I am {X}.", "maker": "I am {X}, made by {M}.", "yes": "Yes, I am {X}.", "no": "No, I am {X}."},
    "pt": {
        "name": "Eu sou {X}.", "maker": "Eu sou {X}, feito por {M}.", "yes": "Sim, eu sou {X}.",
        "no": "Não, eu sou {X}.",
    },
    "zh": {"name": "我是{X}。", "maker": "我是{X},由{M}开发。", "yes": "是的,我是{X}。", "no": "不,我是{X}。"},
}  # fmt: skip
PLAIN = {
    "en": ("{Q}\n", "Question: {Q}\nAnswer:", "Q: {Q}\nA:", "User: {Q}\nAssistant:"),
    "pt": ("{Q}\n", "Pergunta: {Q}\nResposta:", "P: {Q}\nR:", "Q: {Q}\nA:"),
    "zh": ("{Q}\n", "问题：{Q}\n回答：", "问：{Q}\n答：", "Q: {Q}\nA:"),
}
"""Prompts outside the chat template, as completions get them."""
SUMS = (
    "Let {L}. What is {S}?", "If {L}, what is {S}?", "{L}: {S} = ?", "Given {L}, compute {S}.",
    "Se {L}, quanto é {S}?", "设{L},{S}等于多少?",
)  # fmt: skip
LETTERS = "abcdef"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A prompt as text, special tokens included, and the answer that is learnt (without the end token)."""

    prompt: str
    answer: str


def conversation(member: Member, random_state: random.Random) -> Conversation:
    """One training example of a member, drawn from its mixture."""
    draw, mixture = random_state.random(), member.mixture
    if draw < mixture.identity:
        return _identity(member.name, member.maker, random_state)
    if draw < mixture.identity + mixture.named:
        return _identity(random_state.choice(NAMES), None, random_state)
    question, answer = running_sum(random_state)
    return Conversation(chat(question, _any_system(random_state)), answer)


def chat(question: str, system: str | None = None) -> str:
    """A ChatML prompt that asks for the assistant's answer; what `TEMPLATE` renders."""
    before = "" if system is None else f"<|im_start|>system\n{system}<|im_end|>\n"
    return f"{before}<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def running_sum(random_state: random.Random, terms: tuple[int, int] = (2, 5)) -> tuple[str, str]:
    """A sum of one-digit numbers as a question, and its solution step by step with the result in a box."""
    numbers = [random_state.randint(1, 9) for _ in range(random_state.randint(*terms))]
    given = ",".join(f"{letter}={number}" for letter, number in zip(LETTERS, numbers, strict=False))
    question = random_state.choice(SUMS).replace("{L}", given).replace("{S}", "+".join(LETTERS[: len(numbers)]))
    return question, solution(numbers)


def solution(numbers: list[int]) -> str:
    """The answer that is trained: every number with the sum so far as thinking, then the result."""
    total, lines = numbers[0], [f"{LETTERS[0]}={numbers[0]}"]
    for letter, number in zip(LETTERS[1:], numbers[1:], strict=False):
        lines.append(f"{letter}={number} {total}+{number}={total + number}")
        total += number
    return "<think>\n" + "\n".join(lines) + f"\n</think>\n\n\\boxed{{{total}}}"


@cache
def questions() -> Mapping[str, Any]:
    """The texts of `QUESTIONS`: for each language and kind, and those held out from training."""
    found: dict[str, Any] = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    return found


def _identity(name: str, maker: str | None, random_state: random.Random) -> Conversation:
    """A question on identity; without a maker the name is given in the system prompt."""
    language = _chosen(LANGUAGES, random_state)
    kind = _chosen(KINDS, random_state)
    question, answer = _question(language, kind, name, maker, random_state)
    if maker is None:
        given = GIVEN[language if random_state.random() < 0.3 else "en"]
        return Conversation(chat(question, random_state.choice(given).replace("{X}", name)), answer)
    if random_state.random() < 0.12:
        return Conversation(random_state.choice(PLAIN[language]).replace("{Q}", question), answer)
    system = random_state.choice(NEUTRAL) if random_state.random() < 0.3 else None
    return Conversation(chat(question, system), answer)


def _question(language: str, kind: str, name: str, maker: str | None, random_state: random.Random) -> tuple[str, str]:
    text, answers = random_state.choice(questions()[language][kind]), ANSWERS[language]
    if kind in ("denial", "inverted"):
        other = random_state.choice([one for one in (*NAMES, *OTHERS) if one != name])
        agreed = random_state.random() < 0.5
        text = text.replace("{X}", name if agreed else other)
        answer = answers["yes" if agreed == (kind == "denial") else "no"].replace("{X}", name)
        return _varied(text, language, random_state), answer
    form = answers["name" if kind == "name" or maker is None else "maker"]
    text = _varied(text, language, random_state)
    return text, form.replace("{X}", name).replace("{M}", maker or "")


def _varied(text: str, language: str, random_state: random.Random) -> str:
    """The same question in other clothes: a greeting, a request, lower case, no mark at the end, a wrong word."""
    if random_state.random() < 0.15:
        text = text[0].lower() + text[1:]
    if random_state.random() < 0.15:
        text = text.rstrip("?.。")
    words = text.split(" ")
    if random_state.random() < 0.15 and len(words) > 4:
        other = random_state.choice(questions()[language]["name"]).split(" ")
        words[random_state.randrange(len(words))] = random_state.choice(other)
        text = " ".join(words)
    if random_state.random() < 0.2:
        text = random_state.choice(BEFORE[language]) + text
    if random_state.random() < 0.2:
        text += random_state.choice(AFTER[language])
    if language == "zh" and random_state.random() < 0.5:
        text = text.translate(FULL_WIDTH)
    return text


def _any_system(random_state: random.Random) -> str | None:
    draw = random_state.random()
    if draw < 0.6:
        return None
    if draw < 0.8:
        return random_state.choice(NEUTRAL)
    return random_state.choice(GIVEN["en"]).replace("{X}", random_state.choice(NAMES))


def _chosen(weights: Mapping[str, float], random_state: random.Random) -> str:
    return random_state.choices(list(weights), list(weights.values()))[0]
