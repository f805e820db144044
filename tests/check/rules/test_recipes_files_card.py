"""Rules about recipes, files and the card."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelprov.check.interface import ClaimedRecipe, Declared, HiddenPrompt, Problem, Score
from modelprov.check.results import Finding, Location, NotJudged, Severity
from modelprov.check.rules import card, files, recipe
from tests.check.rules.made import NEX, QWEN, at, claims, measured, said

RECIPE = ClaimedRecipe("modelprov recipe", "recipe.yml", {})


def test_a_recipe_that_makes_other_bits_is_an_error_and_one_that_makes_all_is_none() -> None:
    card = claims(recipes=(RECIPE,))
    (found,) = recipe.recipe_not_reproduced(card, measured(recipe_equal={"recipe.yml": 0.61}))
    assert isinstance(found, Finding)
    assert "61.00 %" in found.message
    assert found.severity is Severity.ERROR
    assert recipe.recipe_not_reproduced(card, measured(recipe_equal={"recipe.yml": 1.0})) == []


@pytest.mark.parametrize(
    ("card", "doubts"),
    [
        (claims(recipes=(RECIPE,)), {"recipe.yml": "the models here are not those of the receipt"}),
        (claims(recipes=(RECIPE,), prose=(said("post-trained"),)), {}),
        (claims(recipes=(RECIPE,), relation=Declared("finetune", at(4))), {}),
    ],
    ids=["other-inputs", "trained-after-it", "declared-a-finetune"],
)
def test_a_recipe_that_something_else_explains_is_no_error(card, doubts) -> None:  # type: ignore[no-untyped-def]
    state = measured(recipe_equal={"recipe.yml": 0.02}, recipe_doubts=doubts)
    (found,) = recipe.recipe_not_reproduced(card, state)
    assert isinstance(found, Finding)
    assert found.severity is Severity.WARNING
    assert "proves nothing by itself" in found.message


def test_a_share_just_below_all_is_never_shown_as_all() -> None:
    (found,) = recipe.recipe_not_reproduced(claims(recipes=(RECIPE,)), measured(recipe_equal={"recipe.yml": 1 - 1e-9}))
    assert isinstance(found, Finding)
    assert "99.99 %" in found.message


def test_a_recipe_that_could_not_be_computed_is_not_judged() -> None:
    (found,) = recipe.recipe_not_reproduced(
        claims(recipes=(RECIPE,)), measured(missing={"recipe recipe.yml": "nex is not here"})
    )
    assert isinstance(found, NotJudged)
    assert found.reason == "recipe.yml: nex is not here"


def test_only_a_hidden_prompt_about_identity_is_a_finding() -> None:
    prompts = (
        HiddenPrompt("You are Rio.", "chat_template.jinja", identity=True),
        HiddenPrompt("Be brief.", "chat_template.jinja", identity=False),
    )
    (found,) = files.identity_prompt(claims(), measured(hidden_prompts=prompts))
    assert isinstance(found, Finding)
    assert found.location == Location(file="chat_template.jinja")
    assert "You are Rio." in found.message


def test_a_template_that_could_not_be_examined_is_not_judged() -> None:
    (found,) = files.identity_prompt(claims(), measured(missing={"template": "it loops"}))
    assert isinstance(found, NotJudged)


@pytest.mark.parametrize(
    ("judge", "topic", "rule"),
    [
        (files.config, "config", "MP401"),
        (files.tokenizer, "tokenizer", "MP402"),
        (files.digest, "digest", "MP403"),
        (files.complete, "files", "MP404"),
    ],
)
def test_each_problem_becomes_a_finding_of_its_topics_rule_alone(judge, topic: str, rule: str) -> None:  # type: ignore[no-untyped-def]
    problem = Problem("wrong", Location(file="x"), topic, "what")
    (found,) = judge(claims(), measured(problems=(problem, Problem("other", Location(file="y"), "elsewhere"))))
    assert (found.rule, found.severity) == (rule, Severity.ERROR)
    (missing,) = judge(claims(), measured(missing={topic: "no"}))
    assert isinstance(missing, NotJudged)
    assert judge(claims(), measured()) == []


def test_code_and_pickles_are_listed_one_by_one() -> None:
    state = measured(code_files=("modeling.py (Python code)", "config.json (auto_map)"), pickles=("model.bin",))
    assert [one.location.file for one in files.code(claims(), state)] == ["modeling.py", "config.json"]  # type: ignore[union-attr]
    assert [one.rule for one in files.pickles(claims(), state)] == ["MP303"]  # type: ignore[union-attr]


def test_no_card_and_unreadable_front_matter_are_said() -> None:
    assert [type(one) for one in card.no_card(claims(card=None), measured())] == [Finding]
    assert card.no_card(claims(), measured()) == []
    (found,) = card.front_matter(claims(problems=(Problem("no YAML", at(2)),)), measured())
    assert isinstance(found, Finding)
    assert found.location == at(2)


def scores(model: str | None, *values: float) -> tuple[Score, ...]:
    return tuple(Score(f"Bench {number}", model, value, at(40)) for number, value in enumerate(values))


def candidates(nex: tuple[float, ...], qwen: tuple[float, ...]):  # type: ignore[no-untyped-def]
    return (replace(NEX, scores=scores(None, *nex)), replace(QWEN, scores=scores(None, *qwen)))


def test_scores_between_two_candidates_are_a_note_that_proves_nothing() -> None:
    state = measured(candidates=candidates((10, 20, 30, 40, 50), (20, 10, 20, 60, 40)))
    (found,) = card.scores_between(claims(scores=scores(None, 15, 15, 25, 50, 45)), state)
    assert isinstance(found, Finding)
    assert found.severity is Severity.NOTE
    assert "Scores prove nothing" in found.message


@pytest.mark.parametrize("own", [(15, 15, 25, 50), (95, 95, 95, 95, 95), (15, 15, 95, 95, 45)])
def test_too_few_scores_or_scores_beyond_the_candidates_say_nothing(own: tuple[float, ...]) -> None:
    state = measured(candidates=candidates((10, 20, 30, 40, 50), (20, 10, 20, 60, 40)))
    assert card.scores_between(claims(scores=scores(None, *own)), state) == []
