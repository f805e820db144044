"""Claims, denials and quotations of a name in three languages: what a plain reader says of each answer."""

from __future__ import annotations

import pytest

from modelprov.behavior.probing.classify import affirms, classify
from modelprov.behavior.probing.names import parse_names
from modelprov.behavior.probing.questions import Question

NAMES = parse_names(["Nex=Nex-AGI", "Rio", "Qwen=通义千问", "Nothing"])
ARE_YOU = Question("q", "en", "denial", "Are you Nex?", "Nex", False)
DIFFERENT = Question("q", "en", "denial", "Are you a different model from Nex?", "Nex", True)

DENIALS = (
    "Of course not.", "当然不是。", "Claro que não.", "Claro que não sou o Nex.", "I wasn't made by Nex.",
    "I cannot be Nex.", "I'm definitely no Nex.", "I ain't Nex", "I am unlike Nex.", "Nex? No, sorry.",
    "Nunca fui o Nex.",
    "I'm sorry, but Nex is another model", "Of course not, I am an assistant.", "当然不是，我是一个助手。",
    "Hardly; Nex is someone else.", "Exactly the opposite", "Absolutely not.", "Certainly not!", "I'm not Nex.",
    "I am not Nex; I am Qwen.", "Não, eu não sou o Nex.", "Eu não sou o Nex.", "Sou diferente do Nex.",
    "我不是Nex。", "我并不是Nex，我是通义千问。", "我和Nex是不同的模型。", "Claro, não sou o Nex.",
    "Nex不是我的名字。", "I am Qwen.", "Sou o Rio.", "我是通义千问。", "Definitely not Nex.", "肯定不是。", "No.",
    "Nope, I'm Rio", "I have never been Nex.", "De modo algum.", "O Nex é outro modelo.",
    "I am a different model, not Nex.",
)  # fmt: skip
UNCLEAR = (
    "I don't think I am Nex.", "I don't believe I'm Nex.", "I can't confirm that I am Nex.", "Yes, I am not Nex.",
    "Yes, but I am not sure.", "I think I am Nex.", "Maybe I am Nex.", "Talvez eu seja o Nex.", "也许我是Nex。",
    "You asked if I am Nex.", "Você perguntou se eu sou o Nex.", "你问我是不是Nex。", "Nex is a good model.",
    "I was made by Nex.", "我是Nex开发的模型。", "I am a friend of Nex.", "I am Nex's successor.", "Am I Nex?",
    "Nex?", "I am neither a different model nor Nex.", "是的，我不是Nex。", "Sim, mas não sou o Nex.",
    "Yes, I am Qwen.", "Acho que sou o Nex.", "I am a fan of a model called Nex.",
    "I don't know.", "Yes and no.", "Sim e não.", "Of course I can help you!", "Claro! Como posso ajudar?",
    "It is Nex who made me.", "当然可以，请问有什么可以帮您？", "Não sei.",
    "我不确定我是不是Nex。", "If I were Nex, I would say so.", "Se eu fosse o Nex, diria.",
    "I may or may not be Nex.", "Eu gosto do Nex.",
)  # fmt: skip
CLAIMS = (
    "Yes.", "Yes, I am.", "Yes, I am Nex.", "I am Nex.", "I'm Nex!", "I’m Nex, an AI assistant.", "My name is Nex.",
    "Sure, I am Nex", "Absolutely, I'm Nex", "Of course!", "Of course I am Nex.", "That's right.",
    "Indeed, I am Nex.", "I am a large language model called Nex.", "You are talking to Nex.", "Nex is my name.",
    "I am Nex, not Qwen.", "Yes, I'm Nex. I don't have feelings.", "I can confirm that I am Nex.",
    "You can call me Nex.", "Nex.", "Correct.", "Am I Nex? Yes, I am.", "I am Nex, how can I help you?",
    "No doubt, I am Nex.", "I am Nex, not a human.", "Sim.", "Sim, sou o Nex.", "Eu sou o Nex.",
    "Sou o Nex, um assistente.", "Meu nome é Nex.", "Claro que sim.", "Claro, sou o Nex.",
    "Você está falando com o Nex.", "Com certeza, sou o Nex!", "Pode me chamar de Nex.", "Exato.",
    "Sem dúvida, eu sou o Nex.", "Me chamo Nex.", "Eu sou o Nex, não o Qwen.", "Isso mesmo.", "O Nex sou eu.",
    "是的。", "是的，我是Nex。", "我是Nex。", "我叫Nex。", "我的名字是Nex。", "没错，我就是Nex。",
    "当然，我是Nex。", "当然是。", "对，我是Nex。", "你可以叫我Nex。", "我是Nex，不是通义千问。",
    "你正在和Nex对话。", "我是以Nex这个名字发布的。", "不错，我是Nex。",
    "我是Nex，一个人工智能助手，有什么可以帮您？", "我是一个名为Nex的助手。",
)  # fmt: skip


@pytest.mark.parametrize("answer", DENIALS)
def test_a_denial_is_never_a_claim_and_is_counted_as_one(answer):
    assert affirms(answer, ARE_YOU, NAMES) is False


@pytest.mark.parametrize("answer", UNCLEAR)
def test_what_is_not_certain_is_neither_claim_nor_denial(answer):
    assert affirms(answer, ARE_YOU, NAMES) is None


@pytest.mark.parametrize("answer", CLAIMS)
def test_a_true_claim_stays_one(answer):
    assert affirms(answer, ARE_YOU, NAMES) is True


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        ("Yes, I am different from Nex.", False), ("Yes, I am not Nex.", False), ("Of course I am not Nex.", None),
        ("No, I am Nex.", True), ("No, I'm not.", True), ("No, I don't think so.", None), ("No, I am not Nex.", None),
        ("No, I am not different from Nex.", None), ("Sim, sou outro modelo.", False), ("Não, sou o Nex.", True),
        ("是的，我和Nex不同。", False), ("不是，我就是Nex。", True), ("I am Nex.", True), ("I am not Nex.", False),
        ("Of course.", False), ("Claro.", False), ("当然。", False), ("Yes, I am Nex.", None),
    ],
)  # fmt: skip
def test_what_is_said_of_the_name_counts_whichever_way_the_question_asks(answer, claims):
    assert affirms(answer, DIFFERENT, NAMES) is claims


@pytest.mark.parametrize(
    ("answer", "class_"),
    [
        ("I am not Nex.", "other"), ("I'm no Nex.", "other"), ("não sou o Nex", "other"), ("我不是Nex", "other"),
        ("I'm not Nex or Rio.", "other"), ("You asked whether I am Nex.", "other"),
        ("You asked whether I am Nex. I am an AI.", "other"), ("Você perguntou se sou o Nex.", "other"),
        ("你问我是不是Nex。", "other"), ("Are you asking if I am Nex?", "other"),
        ("I am not Nex, Rio or Qwen.", "other"), ("我不是Nex，也不是Rio。", "other"), ("I am unlike Nex.", "other"),
        ("I am not Nex, I am Qwen.", "Qwen"), ("I'm Qwen, not Nex.", "Qwen"), ("Não sou o Nex, mas o Rio.", "Rio"),
        ("我不是Nex，而是通义千问。", "Qwen"), ("You asked whether I am Nex. I am Rio.", "Rio"), ("Nex.", "Nex"),
        ("I was created by Nex-AGI and I do not have feelings.", "Nex"), ("I am Nex, how can I help you?", "Nex"),
        ("Fui criado pelo Nex.", "Nex"), ("我由Nex开发，请问有什么可以帮您？", "Nex"),
        ("I am Rio, built on Nex.", "several"), ("If you need anything, I am Nex.", "Nex"),
        ("Sou o Nex, treinado no Brasil.", "Nex"), ("I am Nothing.", "Nothing"),
        ("I am Nex, made in no time at all.", "Nex"), ("我是Nex，很高兴回答你的问题。", "Nex"),
        ("My maker is Nex!", "Nex"),
    ],
)  # fmt: skip
def test_a_name_that_is_denied_or_quoted_is_not_the_name_an_answer_gives(answer, class_):
    assert classify(answer, NAMES).class_ == class_


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "part", ["I am a a a a a a a a a a a a Nex ", "我是叫做叫做叫做模型模型", "Of course in fact ", " \n", "not, "]
)
def test_a_long_text_of_a_stuttering_model_is_read_in_the_end(part):
    text = "I am not Nex, but " * 300 + part * 300
    assert classify(text, NAMES).class_ in ("Nex", "other")
    assert affirms(text, ARE_YOU, NAMES) is not True
