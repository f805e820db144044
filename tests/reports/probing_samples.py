"""A small report of a probe, made by hand: two models and a server that could not be asked everything."""

from __future__ import annotations

from modelprov.behavior.probing.results import (
    Affirmation,
    ArmResult,
    ClassShare,
    CodeFound,
    DeclaredName,
    Example,
    HiddenPrompt,
    ModelProbed,
    NameLogProbability,
    ProbeReport,
    ServedPrompt,
    Settings,
    TemplateSeen,
)
from modelprov.behavior.probing.wording import does_not_show
from modelprov.behavior.records import BehaviorEnvironment

NAMES = (
    DeclaredName(name="Rio", aliases=("Rio",), excluded=("Rio de Janeiro",)),
    DeclaredName(name="Nex", aliases=("Nex", "Nex-AGI")),
    DeclaredName(name="Zorb", aliases=("Zorb",), decoy=True),
)
HOSTILE = "<script>alert(1)</script> | `x` \u202e [a](http://x)"


def arm(model, role, name, counts, temperature=0.0, **more) -> ArmResult:
    total = sum(counts.values())
    every = ("Rio", "Nex", "Zorb", "several", "refusal", "other", "no answer")
    classes = tuple(
        ClassShare(
            name=one,
            count=counts.get(one, 0),
            total=total,
            share=counts.get(one, 0) / total,
            low=max(0.0, counts.get(one, 0) / total - 0.05),
            high=min(1.0, counts.get(one, 0) / total + 0.05),
        )
        for one in every
    )
    affirmations = tuple(
        Affirmation(name=one, says_is=2, says_is_not=1, unclear=1, yes=3, total=4) for one in every[:3]
    )
    return ArmResult(
        model=model,
        role=role,
        arm=name,
        sampling="greedy" if not temperature else f"sampled, T {temperature:g}",
        temperature=temperature,
        questions=144,
        answers=144,
        classes=classes,
        affirmations=affirmations,
        by_kind={"name": counts},
        by_language={"en": counts},
        backstory=(ClassShare(name="born in the rain", count=3, total=144, share=3 / 144, low=0.01, high=0.06),),
        **more,
    )


def probe_report(*, hostile: bool = False) -> ProbeReport:
    text = HOSTILE if hostile else "You are Rio."
    label = "rio" if not hostile else "<b>rio"
    models = (
        ModelProbed(
            label=label,
            role="suspect",
            location="./rio",
            digest="ab" * 32,
            digest_covers="everything",
            templates=(
                TemplateSeen(
                    source="chat_template.jinja",
                    name="default",
                    digest="cd" * 32,
                    used=True,
                    empty_system="gives an empty system prompt",
                ),
            ),
            hidden_prompts=(
                HiddenPrompt(
                    source="chat_template.jinja",
                    template="default",
                    text=text,
                    where="instead of a system prompt",
                    conditions=("as it is",),
                ),
            ),
            stripped_template="{{ messages[-1]['content'] }}",
            code=(CodeFound(file="custom_generate/generate.py", what="replaces generation"),),
            notes=("a note",),
        ),
        ModelProbed(
            label="nex",
            role="parent",
            location="./nex",
            digest="ef" * 32,
            digest_covers="everything",
            served=ServedPrompt(tokens=17, explanation="The server adds 17 tokens to each of 6 prompts."),
        ),
    )
    return ProbeReport(
        command="modelprov probe ./rio --parent ./nex --name Rio",
        models=models,
        settings=Settings(
            seed=7,
            samples=8,
            temperatures=(0.7, 1.0),
            max_new_tokens=256,
            languages=("en", "pt", "zh"),
            arms=("as shipped", "stripped"),
            questions=144,
            questions_digest="12" * 32,
            names=NAMES,
            backstory=("born in the rain",),
            quick=False,
        ),
        arms=(
            arm(label, "suspect", "as shipped", {"Rio": 106, "other": 2}),
            arm(label, "suspect", "as shipped", {"Rio": 800, "Nex": 64}, 1.0),
            arm(label, "suspect", "stripped", {"Nex": 97, "several": 11}),
            arm("nex", "parent", "as shipped", {"Nex": 108}),
            arm("nex", "parent", "stripped", {"Nex": 108}, same_as="as shipped"),
            ArmResult(
                model="nex",
                role="parent",
                arm="neutral system",
                sampling="greedy",
                temperature=0.0,
                reason="its template refuses: no system role",
            ),
        ),
        log_probabilities=(
            NameLogProbability(
                model=label,
                arm="as shipped",
                name="Rio",
                alias="Rio",
                first_token=-0.5,
                whole=-0.75,
                tokens=1,
                questions=12,
            ),
            NameLogProbability(
                model=label,
                arm="as shipped",
                name="Nex",
                alias="Nex",
                first_token=-3.0,
                whole=-3.25,
                tokens=1,
                questions=12,
            ),
            NameLogProbability(
                model=label,
                arm="as shipped",
                name="Nex",
                alias="Nex-AGI",
                first_token=-3.0,
                whole=-9.5,
                tokens=3,
                questions=12,
            ),
        ),
        examples=(
            Example(
                model=label,
                arm="as shipped",
                sampling="greedy",
                question_id="en-name-01",
                language="en",
                question="What is your name?",
                thinking="hm",
                answer=text,
                counted_as="Rio",
            ),
        ),
        does_not_show=does_not_show(models),
        environment=BehaviorEnvironment(
            modelprov="0.0",
            python="3.11",
            packages={"torch": "2"},
            platform="Linux x86_64",
            processor_count=2,
            device="cpu",
            dtype="float32",
            started="2026-01-01T00:00:00+00:00",
            seconds=12.5,
        ),
    )
