"""A case told once, for every medium: its parts side by side, then what each of them says. Chooses and orders."""

from __future__ import annotations

from collections.abc import Iterator

from modelprov.reports import numbers as n
from modelprov.reports.case import tables, words
from modelprov.reports.case.parts import Case
from modelprov.reports.checking import telling as checking
from modelprov.reports.comparison import beginning
from modelprov.reports.comparison import telling as comparison
from modelprov.reports.document import (
    EVERYWHERE,
    PAGE,
    TERMINAL,
    Block,
    Bullets,
    Code,
    Document,
    Figures,
    Fold,
    Grid,
    Heading,
    Only,
    Text,
)
from modelprov.reports.evaluation import telling as evaluation
from modelprov.reports.evaluation import words as evaluation_words
from modelprov.reports.probing import telling as probing
from modelprov.reports.shown_in import below

KNOWN = (
    "Larger models with invented weights, to see how each kind of history is judged. Each was compared with its nex "
    "and qwen."
)


def tell(case: Case) -> Document:
    """What all parts say together, then each part in the words of its own report, and what another run needs.

    Its first part gives the title: the verdict on the weights where there is one, else what was checked, said, scored.
    """
    first = next(_told(case))
    return Document(
        title=first.title,
        headline=first.headline,
        summary="",
        parts=words.claims(case),
        meaning=words.MEANING,
        notes=words.notes(case),
        colours=first.colours,
        blocks=(
            Heading("Side by side", listed=True),
            Grid(tables.side_by_side(case)),
            Heading("What none of this shows", 3),
            Bullets(words.NOT_SHOWN),
            *_weights(case),
            *_claims(case),
            *_names(case),
            *_scores(case),
            Heading("Models whose history is known", short="Known histories", listed=True),
            Only(PAGE, [Text(KNOWN if case.known else "")]),
            Grid(tables.known_table(case.known)),
            Only(PAGE, [Heading("Models and commands", listed=True)]),
            Grid(tables.parts_table(case), titled=EVERYWHERE, looks="ids"),
            Heading("Commands", 3),
            Only(PAGE, [Text("Everything above can be repeated with these.")]),
            Code("\n".join(_commands(case)), "sh", wrap=True),
            *([Only(PAGE, [comparison.environment(case.weights)])] if case.weights is not None else []),
        ),
        about="report on one case: weights, claims and behaviour",
        started=first.started,
        version=first.version,
    )


def _told(case: Case) -> Iterator[Document]:
    if case.weights is not None:
        yield comparison.tell(case.weights)
    if case.check is not None:
        yield checking.tell(case.check)
    if case.probe is not None:
        yield probing.tell(case.probe)
    if case.evaluation is not None:
        yield evaluation.tell(case.evaluation)


def _weights(case: Case) -> tuple[Block, ...]:
    report = case.weights
    if report is None:
        return ()
    limits = Heading("What the weights do not show", 3)
    return (
        Heading("What the weights show", short="Weights", listed=True),
        Only(PAGE, [Figures(beginning.key_figures(report)), Heading("The verdict rests on", 3)]),
        *comparison.rests_on(report),
        Only(TERMINAL | PAGE, [Heading("Controls", 3)]),
        *comparison.controls(report),
        *below(comparison.fitting(report)),
        Only(TERMINAL | PAGE, [Heading("Recipe", 3)]),
        *comparison.recipe(report),
        Only(PAGE, below(comparison.merge_config(report))),
        Fold("By component", [comparison.components(report)], level=3),
        Fold(limits.text, [Bullets(report.verdict.does_not_show)], level=3),
        Only(TERMINAL, [limits, Bullets(report.verdict.does_not_show)]),
    )


def _claims(case: Case) -> tuple[Block, ...]:
    """Findings and claims; on a page also what else a check tells."""
    if case.check is None:
        return ()
    return (
        Heading("What the card claims", short="Claims", listed=True),
        *below(checking.findings(case.check)),
        *below(checking.claims(case.check)),
        Only(PAGE, below(checking.rest(case.check))),
    )


def _names(case: Case) -> tuple[Block, ...]:
    if case.probe is None:
        return ()
    return (
        Heading("Who it says it is", short="Names", listed=True),
        *probing.names(case.probe),
        Only(PAGE, below(probing.rest(case.probe))),
    )


def _scores(case: Case) -> tuple[Block, ...]:
    if case.evaluation is None:
        return ()
    said = evaluation_words.headline(case.evaluation)
    return (
        Heading("How it scores", short="Scores", listed=True),
        Text(f"{said.title}. {said.text}"),
        *below(evaluation.scores(case.evaluation)),
        Only(PAGE, below(evaluation.rest(case.evaluation))),
    )


def _commands(case: Case) -> tuple[str, ...]:
    """Those of the case, or else those of its parts."""
    parts = (case.weights, case.check, case.probe, case.evaluation)
    given = case.commands or tuple(part.command for part in parts if part is not None)
    return tuple(n.clean(command) for command in given)
