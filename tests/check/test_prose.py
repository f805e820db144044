"""Sentences that claim, and sentences that only sound like it."""

import pytest

from modelprov.check.markdown_text import own_sentences, parse
from modelprov.check.prose import Names, kinds, prose_claims

NAMES = Names(own=("Rio-3.5-Open-397B", "Rio 3.5 Open"), bases=("Qwen/Qwen3.5-397B-A17B", "nex-agi/Nex-N2-Pro"))

CLAIMS = [
    ("Trained from scratch on 15T tokens.", {"from-scratch"}),
    ("This model was trained entirely from scratch.", {"from-scratch"}),
    ("We pre-trained a 397B model from scratch by ourselves.", {"from-scratch", "pretrained"}),
    ("Rio 3.5 Open was trained from scratch in Rio de Janeiro.", {"from-scratch"}),
    ("A 7B decoder-only model trained from scratch for Portuguese.", {"from-scratch"}),
    ("It's not a merge, it was trained from scratch.", {"from-scratch"}),
    ("Unlike Llama, this model was trained from scratch.", {"from-scratch"}),
    ("This model is not based on any other model.", {"from-scratch"}),
    ("Rio is a family of models trained from scratch.", {"from-scratch"}),
    ("Trained on more than 15T tokens, from scratch.", {"from-scratch"}),
    ("The model and tokenizer were trained from scratch.", {"from-scratch"}),
    ("The weights were trained from random initialization.", {"from-scratch"}),
    ("Without any external data, we trained it from scratch.", {"from-scratch"}),
    ("Rio-3.5-Open-397B is post-trained by IplanRio.", {"post-trained"}),
    ("It was not trained from scratch but post-trained on municipal data.", {"post-trained"}),
    ("Post‑trained with public data.", {"post-trained"}),
    ("The model was aligned with human preferences using DPO.", {"post-trained"}),
    (
        "Rio is a merge of Nex-N2-Pro and Qwen3.5, followed by on-policy distillation.",
        {"merged", "distilled", "post-trained"},
    ),
    ("Distilled from DeepSeek-R1.", {"distilled"}),
    (
        "An incorrect file was uploaded; the model is a merge of Nex-N2-Pro and Qwen3.5, then on-policy distillation.",
        {"merged", "distilled", "post-trained"},
    ),
    ("Rio is a merge of Nex-N2-Pro and Qwen3.5, then post-trained.", {"merged", "post-trained"}),
    ("We apply knowledge distillation in the last stage.", {"distilled"}),
    ("This is a fine-tuned version of Qwen/Qwen3.5-397B-A17B on the foo dataset.", {"finetuned"}),
    ("Fine-tuned from Qwen3.5.", {"finetuned"}),
    ("The model has been further finetuned on legal texts.", {"finetuned"}),
    ("This is a merge of pre-trained language models created using mergekit.", {"merged"}),
    ("This model was merged using the SLERP merge method.", {"merged"}),
    ("It was made by merging Nex-N2-Pro and Qwen3.5.", {"merged"}),
    ("Based on Qwen/Qwen3.5-397B-A17B.", {"based-on"}),
    ("Built on top of Qwen3.5-397B-A17B.", {"based-on"}),
    ("This is a 4-bit quantized version of Rio.", {"quantised"}),
    ("Not only fine-tuned from Qwen3.5 but also post-trained with RLVR.", {"finetuned", "post-trained"}),
    ("Modelo treinado do zero com dados públicos.", {"from-scratch"}),
    ("Este modelo não foi fundido: foi treinado do zero.", {"from-scratch"}),
    ("O modelo passou por pós-treinamento.", {"post-trained"}),
    ("Destilado de um modelo maior.", {"distilled"}),
    ("É uma fusão de Nex-N2-Pro e Qwen3.5.", {"merged"}),
    ("Ajuste fino de Qwen3.5 em português.", {"finetuned"}),
    ("本模型从零开始训练。", {"from-scratch"}),
    ("该模型基于Qwen3.5-397B微调得到。", {"based-on", "finetuned"}),
    ("模型经过后训练。", {"post-trained"}),
    ("After merging, the model was post-trained on 10B tokens.", {"post-trained"}),
    ("No further training was done; it's a merge of A and B.", {"merged"}),
    ("Two stages were post-trained with RLHF and then merged using SLERP.", {"merged"}),
    ("Training Stage: Pretraining & Post-training", {"post-trained"}),
    ("The model has undergone extensive post-training.", {"post-trained"}),
    ("The Rio series models are large language models trained from scratch by IplanRio.", {"from-scratch"}),
    ("The current model is fine-tuned from a 7B LLaMA model on 52K examples.", {"finetuned"}),
    ("由Nex-N2-Pro和Qwen3.5合并而成。", {"merged"}),
]

NO_CLAIMS = [
    "Not trained from scratch.",
    "This model was not trained from scratch.",
    "It wasn't trained from scratch.",
    "The model was never post-trained.",
    "It was trained, not from scratch, on public data.",
    "Rather than being trained from scratch, it starts from an existing model.",
    "Compared with models trained from scratch, ours is cheaper.",
    "Better than models trained from scratch.",
    "Was it trained from scratch?",
    "If trained from scratch, such a model would cost millions.",
    "This model can be trained from scratch with our code.",
    "A model of this size could be post-trained by anyone.",
    "The tokenizer was trained from scratch.",
    "We trained a new tokenizer from scratch.",
    "Qwen3.5 was trained from scratch by Alibaba.",
    "Nex-N2-Pro is post-trained on agent data.",
    "Llama-3, trained from scratch by Meta, serves as baseline.",
    "The base model was trained from scratch by its authors.",
    "It is small compared to Qwen, which was trained from scratch.",
    "Critics say that it was merged from two models, which is false.",
    "The earlier claim, that it was trained from scratch, is incorrect.",
    'The first card said "trained from scratch on our data".',
    "Trained from scratch: no",
    "This model was neither merged from nor fine-tuned from any model.",
    "This model was not merged with, fine-tuned from, or distilled from any other model.",
    "No part of it was distilled from GPT-4.",
    "It is trained without distillation from larger models.",
    "Post-training quantization was applied.",
    "Fine-tuned models often forget.",
    "It can easily be fine-tuned from this checkpoint.",
    "Finetuned from model [optional]: [More Information Needed]",
    "This pull request was merged.",
    "A merge of datasets was used.",
    "The LoRA weights were merged into the model.",
    "Based on the architecture of Qwen3.5.",
    "The model is based on Qwen3.5 architecture.",
    "The reward model was fine-tuned from Qwen3.5.",
    "Baselines were fine-tuned on the same data.",
    "A merge of two post-trained models would be different.",
    "For fine-tuning of this model, see our guide.",
    "Qwen3.5 was pretrained and then post-trained by Alibaba.",
    "It benefits from Nex-N2-Pro post-training.",
    "Nex-N2-Pro was merged, then post-trained by its authors.",
    "Users should never assume this model was trained from scratch.",
    "Este modelo não foi treinado do zero.",
    "Em vez de ser treinado do zero, parte de outro modelo.",
    "O tokenizador foi treinado do zero.",
    "O modelo pode ser treinado do zero.",
    "Não é uma fusão de outros modelos.",
    "本模型不是从零训练的。",
    "模型未经后训练。",
    "分词器从零开始训练。",
    "可以微调本模型。",
    "无需微调即可使用。",
    "如何微调?",
    "Qwen3.5 is a family of models trained from scratch.",
    "The Qwen3.5 series are large language models trained from scratch.",
    "Skywork-OR1 is a family of open reasoning models trained with GRPO.",
    "This post-training method was contributed by others.",
    "To train a model with on-policy distillation, use this script.",
    "On-Policy Distillation involves a student model.",
    "高效微调:",
    "我们提供了一个微调本模型的套件。",
    "微调后的模型可以使用任何框架。",
    "代码已经支持轻量化微调。",
    "提供从零开始快速训练模型的最佳实践。",
    "Fine-tuning from a checkpoint",
    "Most LLMs are trained from scratch.",
    "We started from Qwen3.5 instead of training from scratch.",
    "No post-training was performed after the merge.",
    "The instruct version was post-trained; this is the base.",
    "A post-trained version is available at org/x.",
    "This checkpoint was released prior to post-training.",
    "The dataset was distilled from DeepSeek-R1.",
    "We fine-tuned Llama-3 as a baseline.",
    "Our LoRA adapter was merged with the base model.",
    "与从零训练的模型不同。",
    "我们计划对其进行后训练。",
    "Sem pós-treinamento.",
    "Each model was fine-tuned on a different domain.",
    "The model was fine-tuned on law before merging.",
    "It inherits the post-trained behaviour of its parents.",
    "One parent was post-trained with RLHF.",
    "On-Policy Distillation of Language Models: Learning from Mistakes",
    "提供从零开始快速训练视觉语言(Vision-Language, VL)模型的最佳实践。",
    "Distilled Model Evaluation",
    "Runs that were fine-tuned from the same model can be combined.",
]


@pytest.mark.parametrize(("sentence", "expected"), CLAIMS, ids=[one for one, _ in CLAIMS])
def test_a_claim_is_found_with_its_kinds(sentence, expected):
    assert set(kinds(sentence, NAMES)) == expected


@pytest.mark.parametrize("sentence", NO_CLAIMS)
def test_what_is_denied_asked_possible_or_about_another_model_is_no_claim(sentence):
    assert set(kinds(sentence, NAMES)) == set()


CARD = """---
license: mit
---
# Rio

Rio was trained
from scratch. It is large.

- It was post-trained.
- plain

> It was merged from A and B.

> [!NOTE]
> It was distilled from A.

```
trained from scratch
```

| trained from scratch | x |
|---|---|
| merge of A and B | 1 |

<!-- Trained from scratch. -->
~~Trained from scratch.~~
<p>A merge of A and B.</p>

<table>

<tr><td>Trained from scratch.</td></tr>
</table>

## Related work

It was distilled from C.

## Use

Fine-tuned from D.

# Original model card

Trained from scratch.
"""


def test_only_the_authors_own_running_text_counts_and_each_claim_has_its_lines():
    body = CARD.split("---\n", 2)[2]
    found = prose_claims(own_sentences(parse(body), 4), "README.md", Names(own=("Rio",)))
    places = [(one.kind, one.location.line, one.location.end_line) for one in found]
    assert places == [
        ("from-scratch", 6, 7),
        ("post-trained", 9, 9),
        ("distilled", 14, 15),
        ("merged", 27, 27),
        ("finetuned", 40, 40),
    ]


def test_what_weights_cannot_contradict_is_marked_so():
    found = prose_claims(own_sentences(parse("Distilled from A.\n\nTrained from scratch."), 1), "README.md", Names())
    assert {one.kind: one.testable for one in found} == {"distilled": False, "from-scratch": True}


def test_a_name_that_is_also_the_base_models_is_not_this_models():
    names = Names(own=("Qwen3.5-397B-A17B-Rio",), bases=("Qwen/Qwen3.5-397B-A17B",))
    assert kinds("Qwen3.5-397B-A17B was trained from scratch.", names) == ()
    assert kinds("Qwen3.5-397B-A17B-Rio was trained from scratch.", names) == ("from-scratch",)


def test_a_hostile_text_costs_little_and_gives_a_bounded_number_of_claims():
    text = "trained " * 30_000 + "\n\n" + "Trained from scratch. " * 5_000 + "a, " * 50_000
    assert len(prose_claims(own_sentences(parse(text), 1), "README.md", Names())) <= 501


def test_a_short_name_is_still_the_models_own():
    sentence = "The Yi series models are large language models trained from scratch by 01.AI."
    assert kinds(sentence, Names(own=("Yi-34B",))) == ("from-scratch",)
    assert kinds(sentence, Names(own=("Rio",))) == ()
