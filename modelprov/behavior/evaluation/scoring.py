"""From graded answers to rows, paired tests and the curve of accuracy against tokens. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from modelprov.behavior import statistics
from modelprov.behavior.evaluation.answer_text import last_boxed
from modelprov.behavior.evaluation.graders import right
from modelprov.behavior.evaluation.log import Logged
from modelprov.behavior.evaluation.question import Question
from modelprov.behavior.evaluation.results import LEVEL, CurvePoint, Estimate, MethodRecord, PairedResult, Row
from modelprov.shares import wilson

Outcome = Literal["right", "wrong", "unfinished thought", "cut answer"]


@dataclass(frozen=True)
class Scored:
    """One answer to the question at `place`, judged."""

    place: int
    outcome: Outcome
    tokens: int
    latent_steps: int = 0
    switches: int = 0


def judge(question: Question, answer: Logged) -> Outcome:
    """Right or wrong; a thought that never ended is no answer, nor one cut off before its result stands in a box."""
    if answer.final is None:
        return "unfinished thought"
    if not answer.finished and last_boxed(answer.final) is None:
        return "cut answer"
    return "right" if right(question, answer.final) else "wrong"


def scored(place: int, outcome: Outcome, answer: Logged) -> Scored:
    """The answer with its verdict."""
    return Scored(place, outcome, answer.tokens, answer.latent_steps, answer.switches)


def row(model: str, method: str, answers: Sequence[Scored], questions: int, seed: int) -> Row:
    """Counts and intervals of one model with one method on `questions` questions."""
    values = [float(one.outcome == "right") for one in answers]
    tokens = [one.tokens for one in answers]
    clusters = [str(one.place) for one in answers]
    accuracy, how = _accuracy(values, clusters, seed)
    spent = statistics.cluster_bootstrap(tokens, clusters, seed)
    ratio = statistics.ratio_bootstrap(tokens, values, clusters, seed)
    good = Counter(one.place for one in answers if one.outcome == "right")
    made = Counter(one.place for one in answers)
    return Row(
        model=model,
        method=method,
        answers=len(answers),
        right=int(sum(values)),
        accuracy=accuracy,
        interval=how,
        unfinished_thoughts=sum(one.outcome == "unfinished thought" for one in answers),
        cut_answers=sum(one.outcome == "cut answer" for one in answers),
        tokens=_estimate(spent),
        tokens_per_right=_estimate(ratio),
        latent_share=sum(one.latent_steps for one in answers) / max(sum(tokens), 1),
        switches=sum(one.switches for one in answers) / max(len(answers), 1),
        right_by_question=tuple(good[place] for place in range(questions)),
        answers_by_question=tuple(made[place] for place in range(questions)),
    )


def _accuracy(
    values: Sequence[float], clusters: Sequence[str], seed: int
) -> tuple[Estimate, Literal["Wilson", "cluster bootstrap", "Wilson over questions"]]:
    """Wilson's interval for one answer a question, else one that resamples questions.

    Where every answer is right, or none, resampling knows no spread and would claim certainty; Wilson's interval over
    the questions does not.
    """
    if not values:
        return Estimate(value=None), "Wilson"
    distinct, total = len(set(clusters)), sum(values)
    if len(values) == distinct:
        share = wilson(int(total), len(values))
        return Estimate(value=share.share, low=share.low, high=share.high), "Wilson"
    if total in (0, len(values)) or distinct == 1:
        share = wilson(distinct if total == len(values) else 0, distinct)
        bounds = (0.0, 1.0) if 0 < total < len(values) else (share.low, share.high)
        return Estimate(value=total / len(values), low=bounds[0], high=bounds[1]), "Wilson over questions"
    return _estimate(statistics.cluster_bootstrap(values, clusters, seed)), "cluster bootstrap"


def paired_tests(rows: Sequence[Row], methods: Sequence[MethodRecord], seed: int) -> tuple[PairedResult, ...]:
    """Every two methods of one model under the same budget, and every two models with the same method."""
    by_label = {one.label: one for one in methods}
    pairs: list[tuple[Literal["methods", "models"], Row, Row]] = []
    for first, second in combinations(rows, 2):
        if first.model == second.model and by_label[first.method].budget == by_label[second.method].budget:
            pairs.append(("methods", first, second))
        elif first.model != second.model and first.method == second.method:
            pairs.append(("models", first, second))
    found = [_paired(compared, first, second, seed) for compared, first, second in pairs]
    adjusted = statistics.holm([one.p for one in found])
    return tuple(
        one.model_copy(update={"adjusted": p, "noise": p > LEVEL}) for one, p in zip(found, adjusted, strict=True)
    )


def _paired(compared: Literal["methods", "models"], first: Row, second: Row, seed: int) -> PairedResult:
    """Questions that both answered; their share of right answers each."""
    both = [
        place for place in range(len(first.right_by_question))
        if first.answers_by_question[place] and second.answers_by_question[place]
    ]  # fmt: skip
    one = [first.right_by_question[place] / first.answers_by_question[place] for place in both]
    two = [second.right_by_question[place] / second.answers_by_question[place] for place in both]
    single = all(first.answers_by_question[place] == second.answers_by_question[place] == 1 for place in both)
    if single:
        right_one, right_two = [value == 1 for value in one], [value == 1 for value in two]
        p = statistics.mcnemar(right_one, right_two).p
        difference = _estimate(statistics.paired_interval(right_one, right_two))
    else:
        p = statistics.randomisation_test(one, two, seed)
        difference = _difference(one, two, seed)
    return PairedResult(
        compared=compared,
        first_model=first.model,
        first_method=first.method,
        second_model=second.model,
        second_method=second.method,
        questions=len(both),
        difference=difference,
        only_first=sum(a > b for a, b in zip(one, two, strict=True)),
        only_second=sum(a < b for a, b in zip(one, two, strict=True)),
        test="McNemar, exact" if single else "paired randomisation",
        p=p,
        adjusted=p,
        noise=p > LEVEL,
    )


def _difference(one: Sequence[float], two: Sequence[float], seed: int) -> Estimate:
    """Paired bootstrap; where no question differs, what that leaves open (Wilson's bound on the share that might)."""
    if not one:
        return Estimate(value=None)
    if list(one) == list(two):
        most = wilson(0, len(one)).high
        return Estimate(value=0.0, low=-most, high=most)
    return _estimate(statistics.paired_bootstrap(one, two, [str(i) for i in range(len(one))], seed))


def curve(rows: Sequence[Row], methods: Sequence[MethodRecord]) -> tuple[CurvePoint, ...]:
    """A point for each row that has a budget, ordered by model, method and budget; the Pareto front marked."""
    by_label = {one.label: one for one in methods}
    points = []
    for one in rows:
        method, accuracy, tokens = by_label[one.method], one.accuracy, one.tokens.value
        if method.budget is None or tokens is None or accuracy.value is None:
            continue
        low, high = accuracy.low, accuracy.high
        assert low is not None
        assert high is not None
        points.append(
            CurvePoint(
                model=one.model,
                method_name=method.name,
                budget=method.budget,
                tokens=tokens,
                accuracy=accuracy.value,
                low=low,
                high=high,
                on_front=False,
            )
        )
    marked = [one.model_copy(update={"on_front": not any(_beats(other, one) for other in points)}) for one in points]
    return tuple(sorted(marked, key=lambda one: (one.model, one.method_name, one.budget)))


def _beats(other: CurvePoint, one: CurvePoint) -> bool:
    no_worse = other.tokens <= one.tokens and other.accuracy >= one.accuracy
    return other.model == one.model and no_worse and (other.tokens < one.tokens or other.accuracy > one.accuracy)


def _estimate(interval: statistics.Interval) -> Estimate:
    return Estimate(value=interval.value, low=interval.low, high=interval.high)
