"""A comparison told once, for every medium. Chooses and orders; words, tables and plots are made beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelprov.forensics.results import Measures
from modelprov.reports import numbers as n
from modelprov.reports.comparison import beginning, drawings, elsewhere, meaning, measured, sections, tables, words
from modelprov.reports.comparison.brief import brief
from modelprov.reports.comparison.report import Report
from modelprov.reports.document import (
    EVERYWHERE,
    MARKDOWN,
    NOWHERE,
    PAGE,
    TERMINAL,
    WRITTEN,
    Block,
    Bullets,
    Code,
    Document,
    Fact,
    Facts,
    Fold,
    Grid,
    Heading,
    Medium,
    Only,
    Strip,
    Text,
)
from modelprov.reports.plotting import nice_range

MOST_TENSORS, MOST_TENSORS_ON_PAGE = 20, 40
CONTROLS = "The same numbers where no relation is suspected. They show what the measures read when nothing is there."


def tell(report: Report) -> Document:
    """The verdict, what it rests on and what it does not show, then the numbers, and what another run needs.

    A terminal shows it in brief, or all of it with the components first, and ends with the controls and the limits, as
    its end is what stays in sight.
    """
    kind = words.VERDICTS[report.verdict.class_]
    layers, limits = _layers(report), _limits(report)
    return Document(
        title=f"{kind.name}: {beginning.suspect(report)}",
        headline=beginning.headline(report),
        summary=beginning.summary(report),
        summary_leads=True,
        meaning=meaning.meaning(report),
        notes=meaning.notes(report),
        figures=beginning.key_figures(report),
        colours=kind.colours,
        blocks=(
            *_evidence(report),
            *elsewhere.coordinates(report),
            *fitting(report),
            Only(WRITTEN, limits),
            Only(TERMINAL, layers),
            *_mixing(report),
            *_recipe(report),
            *_beyond(report),
            Only(WRITTEN, layers),
            *_coverage(report),
            Only(TERMINAL, limits),
            Only(WRITTEN, _run(report)),
            Only(PAGE, _method()),
        ),
        brief=brief(report),
        about="report on where model weights come from",
        started=report.environment.started,
        version=report.environment.modelprov,
        more="All numbers, for every tensor, and the name of the rule that decided are in the JSON report "
        f"(schema {report.schema_version}).",
    )


def rests_on(report: Report) -> tuple[Block, ...]:
    """What was decisive, as a table; a terminal has no room for it."""
    items = report.verdict.rests_on
    return (
        Only(TERMINAL, [Bullets([sections.evidence(item) for item in items])]),
        Only(WRITTEN, [Grid(tables.evidence_table(report), looks="stacked")]),
        Text("" if items else "No measure was decisive."),
    )


def fitting(report: Report) -> tuple[Block, ...]:
    """The histories that fit, each with what would settle it; a terminal has no room for the table."""
    items = report.verdict.histories
    if not items:
        return ()
    return (
        Heading("Histories that fit", listed=True),
        Text(words.HISTORIES, quiet=True),
        Only(TERMINAL, [Bullets([sections.history(item) for item in items])]),
        Only(WRITTEN, [Grid(tables.histories_table(report), looks="stacked")]),
    )


def controls(report: Report) -> tuple[Block, ...]:
    """The same numbers where nothing is suspected, or that there are none."""
    ran = any(item.kind == "checkpoint" for item in report.verdict.controls)
    return (Text("" if ran else words.NO_CONTROLS), Grid(tables.controls_table(report)))


def recipe(report: Report) -> tuple[Block, ...]:
    """The recipe, or why there is none."""
    return (Facts(sections.recipe_facts(report)), Text(sections.recipe_absent(report)))


def merge_config(report: Report) -> list[Block]:
    """The recipe as a merging program reads it, if there is one."""
    config = sections.recipe_yaml(report)
    remark = Text("One click selects all of it." if config else "", quiet=True)
    return [Only(PAGE, [Heading("Merge config", 3)]), Code(config, "yaml"), Only(PAGE, [remark])]


def components(report: Report, titled: Medium = NOWHERE) -> Grid:
    """The numbers of each component, and of the whole model last."""
    narrow = measured.components_table(report, narrow=True)
    return Grid(measured.components_table(report), narrow, titled, total=True)


def _evidence(report: Report) -> tuple[Block, ...]:
    return (
        Heading("What the verdict rests on", short="Rests on", listed=True),
        *rests_on(report),
    )


def _limits(report: Report) -> tuple[Block, ...]:
    return (
        Heading("Controls", 3),
        Only(PAGE, [Text(CONTROLS if report.verdict.controls else "")]),
        *controls(report),
        Heading("What this does not show", 3),
        Bullets(report.verdict.does_not_show),
    )


def _mixing(report: Report) -> tuple[Block, ...]:
    absent = sections.mixing_absent(report)
    several = [Grid(tables.coefficients_table(report), titled=PAGE)] if len(report.mixing.coefficients) > 1 else []
    numbers: tuple[Block, ...] = (
        Facts(sections.mixing_facts(report)),
        *several,
        *drawings.coverage(report),
        Only(WRITTEN, [Heading("Beside the mix", 3)]),
        Facts(sections.after_facts(report)),
        Text("" if absent else sections.after_absent(report)),
    )
    where = WRITTEN if absent else EVERYWHERE
    return Heading("Mixing", listed=True), Text(absent), Only(where, numbers)


def _recipe(report: Report) -> tuple[Block, ...]:
    several = [Grid(tables.groups_table(report), titled=PAGE)] if len(report.reproduction.groups) > 1 else []
    return (
        Heading("Recipe", listed=True),
        *recipe(report),
        *several,
        Only(WRITTEN, merge_config(report)),
        Fold("Recipes tried", [Grid(tables.candidates_table(report))], level=3),
    )


def _beyond(report: Report) -> tuple[Block, ...]:
    """What is left beyond the named parents; nothing where a recipe explains all of it, or the models are no kin."""
    found = report.beyond
    if found is None:
        return ()
    words = Text(n.clean(found.words or found.reason or ""))
    return Heading("Beyond the parents", listed=True), words, Facts(sections.beyond_facts(report))


def _layers(report: Report) -> tuple[Block, ...]:
    legend = ", ".join(f"{short} = {label}" for short, label in tables.parents(report))
    plots = drawings.by_layer(report) or [Text(words.NO_LAYERS)]
    standing_out = "Tensors that stand out"
    few, many = measured.notable_tensors(report, MOST_TENSORS, MOST_TENSORS_ON_PAGE)
    return (
        Only(PAGE, [Heading("Layers and components", listed=True), *plots]),
        Only(TERMINAL | MARKDOWN, [Heading("By component")]),
        components(report, PAGE),
        Only(TERMINAL, [Text(legend, quiet=True), Heading("By layer, first to last"), *_strips(report.layers)]),
        Fold(f"By layer ({n.plural(len(report.layers), 'layer')})", [Grid(measured.layers_table(report))]),
        Only(MARKDOWN, [Fold(standing_out, [Grid(few)])]),
        Only(PAGE, [Fold(standing_out, [Grid(many, looks="names")])]),
    )


def _strips(rows: Sequence[Measures]) -> list[Block]:
    """A row of dots for each number that the layers have."""
    found: list[Block] = []
    for title, values, whole in _series(rows):
        known = [value for value in values if value is not None]
        if known:
            span = f"{n.coefficient(min(known))} to {n.coefficient(max(known))}"
            found.append(Strip(f"{title}, {span}", values, nice_range(known, whole)))
            missing = len(values) - len(known)
            found.append(Text(f"No value for {n.plural(missing, 'layer')}." if missing else "", quiet=True))
    return found or [Text(words.NO_LAYERS)]


def _series(rows: Sequence[Measures]) -> Iterator[tuple[str, list[float | None], tuple[float, float] | None]]:
    exact = [n.finite(row.alpha) for row in rows]
    squares = [n.finite(row.least_squares.alpha) for row in rows]
    if any(value is not None for value in exact):
        yield "α, respecting rounding", exact, (0.0, 1.0)
    elif any(value is not None for value in squares):
        yield "α by least squares", squares, (0.0, 1.0)
    yield "Collinearity", [n.finite(row.least_squares.collinearity) for row in rows], None
    for label in dict.fromkeys(label for row in rows for label in row.raw_correlation):
        yield f"Correlation with {label}", [n.finite(row.raw_correlation.get(label)) for row in rows], None


def _coverage(report: Report) -> tuple[Block, ...]:
    unaligned = report.coverage.unaligned
    return (
        Heading("Coverage of the weights", listed=True),
        Facts(sections.coverage_facts(report)),
        Only(TERMINAL, [Bullets([sections.not_compared(item) for item in unaligned])]),
        Only(WRITTEN, [Grid(tables.unaligned_table(report), titled=PAGE)]),
        Only(PAGE, [Text("" if unaligned else "Every tensor of every checkpoint was compared.")]),
    )


def _run(report: Report) -> tuple[Block, ...]:
    return (
        Heading("Checkpoints and run", listed=True),
        Grid(tables.inputs_table(report)),
        Grid(tables.digests_table(report), titled=PAGE, looks="codes"),
        Code(n.clean(report.command), "sh", wrap=True),
        environment(report),
    )


def environment(report: Report) -> Fold:
    """What the run needs to be repeated."""
    return Fold("Environment", [Facts(sections.environment_facts(report))], level=3)


def _method() -> tuple[Block, ...]:
    verdicts = [Fact(kind.name, kind.meaning) for kind in words.VERDICTS.values()]
    return (
        Heading("Method, in plain words", short="Method", listed=True),
        Facts(words.TERMS, terms=True),
        Heading("The seven verdicts", 3),
        Facts(verdicts, terms=True),
        Heading("How to contest this report", short="How to contest", listed=True),
        Bullets(words.CONTEST),
    )
