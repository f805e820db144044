"""Error rates of graders on answers judged by hand: ours, math-verify's and lm-evaluation-harness's side by side.

    python -m benchmarks.graders.rates [--unseen] [--show ours|math-verify|lm-eval] [--json FILE]

`answers.tsv` holds an answer a line: grader, language, kind, expected, the judgement (1 right, 0 not), the answer, with
⏎ for a line break. A choice has four options, A to D. They were written and judged by one reader; `second_reader.tsv`
has what a second one, who did not see the first judgements, said of 156 lines drawn by lot (seed 20261128) from line 61
on. `unseen.tsv` holds answers that the second reader wrote and judged before any grader was run on them; the rules were
mended after. A library that is not installed is skipped, and said to be.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelprov.behavior.evaluation.graders import right
from modelprov.behavior.evaluation.question import Question

HERE = Path(__file__).parent
ANSWERS, UNSEEN, SECOND = HERE / "answers.tsv", HERE / "unseen.tsv", HERE / "second_reader.tsv"
OPTIONS = ("stone", "pear", "water", "wood")
GRADERS = {"numeric": "numeric", "choice": "choice", "math": "math-verify"}
LM_EVAL = {
    "numeric": "gsm8k_cot_zeroshot, flexible-extract", "choice": "gpqa_*_cot_zeroshot, flexible-extract",
    "math": "hendrycks_math",
}  # fmt: skip
Grade = Callable[["Judged"], bool | None]


@dataclass(frozen=True)
class Judged:
    """An answer and what a reader says of it."""

    number: int
    grader: str
    language: str
    kind: str
    expected: str
    right: bool
    answer: str

    @property
    def question(self) -> Question:
        """As a task would hold it."""
        choices = OPTIONS if self.grader == "choice" else ()
        return Question(str(self.number), "?", self.expected, GRADERS[self.grader], choices)


def read_answers(file: Path = ANSWERS) -> list[Judged]:
    """Every answer that was judged, in the order of the file."""
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):
        if line:
            grader, language, kind, expected, judged, answer = line.split("\t")
            found.append(Judged(number, grader, language, kind, expected, judged == "1", answer.replace("⏎", "\n")))
    return found


def ours(one: Judged) -> bool:
    """What modelprov's grader says."""
    return right(one.question, one.answer)


def math_verify() -> Grade | None:
    """The library as its own documentation uses it, the expected answer between dollar signs; no letters of choices."""
    try:
        from math_verify import parse, verify
    except ImportError:
        return None

    def grade(one: Judged) -> bool | None:
        if one.grader == "choice":
            return None
        expected = one.expected if one.grader == "math" else one.expected.replace("1/3", r"\frac{1}{3}")
        return bool(verify(parse(f"${expected}$"), parse(one.answer)))

    return grade


def lm_eval() -> Grade | None:
    """The filters and comparisons of lm-evaluation-harness's own tasks (`LM_EVAL`)."""
    try:
        from lm_eval.api.metrics import exact_match_hf_evaluate
        from lm_eval.filters.extraction import MultiChoiceRegexFilter, RegexFilter
        from lm_eval.tasks.hendrycks_math import utils as mathematics
    except ImportError:
        return None
    number = RegexFilter(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1)
    letter = MultiChoiceRegexFilter(r"(\([A-Z]\))", group_select=-1, ignore_case=True, ignore_punctuation=True)

    def grade(one: Judged) -> bool | None:
        if one.grader == "math":
            solution = {"solution": rf"\boxed{{{one.expected}}}"}
            return bool(mathematics.process_results(solution, [one.answer])["exact_match"])
        if one.grader == "numeric":
            [[said]], wanted = number.apply([[one.answer]], [{}]), one.expected
            ignored: dict[str, Any] = {"regexes_to_ignore": [",", r"\$", "(?s).*#### ", r"\.$"]}
        else:
            [[said]], wanted = letter.apply([[one.answer]], [{"choices": list(OPTIONS)}]), f"({one.expected})"
            ignored = {"ignore_punctuation": True}
        found = exact_match_hf_evaluate([said], [wanted], ignore_case=True, **ignored)
        return bool(found["exact_match"])

    return grade


@dataclass(frozen=True)
class Rates:
    """How often a grader errs: `wrongly_right` of the answers that are wrong, `wrongly_wrong` of the right ones."""

    grader: str
    kind: str
    answers: int
    wrongly_right: int
    of_wrong: int
    wrongly_wrong: int
    of_right: int


def rates(name: str, grade: Grade, answers: list[Judged], show: bool) -> list[Rates]:
    """One row a kind of question that the grader grades at all."""
    found = []
    for kind in GRADERS:
        counts: Counter[str] = Counter()
        for one in answers:
            said = grade(one) if one.grader == kind else None
            if said is None:
                continue
            counts["right" if one.right else "wrong"] += 1
            if said != one.right:
                counts["wrongly right" if said else "wrongly wrong"] += 1
                if show:
                    verdict = "RIGHT though wrong" if said else "wrong though right"
                    print(f"{one.number:4d} {verdict} [{one.language}, {one.kind}] {one.expected!r}: {one.answer!r}")
        if counts:
            found.append(
                Rates(name, kind, counts["right"] + counts["wrong"], counts["wrongly right"], counts["wrong"],
                      counts["wrongly wrong"], counts["right"])
            )  # fmt: skip
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--show", default="", help="list the errors of this grader")
    parser.add_argument("--unseen", action="store_true", help="the answers of the second reader")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    answers, table = read_answers(UNSEEN if given.unseen else ANSWERS), []
    for name, grade in {"ours": ours, "math-verify": math_verify(), "lm-eval": lm_eval()}.items():
        if grade is None:
            print(f"{name} is not installed: skipped")
            continue
        table += rates(name, grade, answers, show=given.show == name)
    print(f"{'grader':12s} {'kind':8s} {'answers':>7s} {'wrongly right':>14s} {'wrongly wrong':>14s}")
    for row in table:
        errors = [f"{row.wrongly_right} of {row.of_wrong}", f"{row.wrongly_wrong} of {row.of_right}"]
        print(f"{row.grader:12s} {row.kind:8s} {row.answers:7d} {errors[0]:>14s} {errors[1]:>14s}")
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in table], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
