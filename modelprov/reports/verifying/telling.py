"""A verification told once, for every medium. Chooses and orders; computes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from modelprov.forensics.search.reproduce import Absent, Part
from modelprov.forensics.search.verified import Verified
from modelprov.recipes.arithmetics import programs_of
from modelprov.recipes.writing import yaml_of
from modelprov.reports import numbers as n
from modelprov.reports.document import (
    FAILS,
    HOLDS,
    TERMINAL,
    WRITTEN,
    Block,
    Bullets,
    Code,
    Column,
    Document,
    Facts,
    Grid,
    Heading,
    Only,
    Table,
    Text,
    facts,
    make_table,
)

ROWS, WORST = 60, 3
DOES_NOT_SHOW = (
    "Who made the weights, who used whose, with what permission or intent.",
    "That no other recipe gives the same bits, or, where this one does not, that nothing of these models is in them.",
)


def tell(found: Verified) -> Document:
    """The answer, then where it differs, then what fits better, then what was compared."""
    good = found.reproduced
    unfinished = found.equal == found.elements and found.coverage < 1
    answer = "Reproduced" if good else "Not all compared" if unfinished else "Not reproduced"
    return Document(
        title=f"{found.suspect.label} by {found.recipe_file}",
        headline=answer,
        summary=summary(found),
        answer=answer.upper(),
        colours=HOLDS if good else FAILS,
        notes=found.cautions,
        blocks=(*_absent(found.absent), *_where(found), *_compared(found)),
        brief=_brief(found),
        about="check of a recipe, bit for bit",
        started=found.started,
        version=found.modelprov,
        more="All counts are in the JSON form.",
        prefix="modelprov verify: ",
    )


def _brief(found: Verified) -> tuple[Block, ...]:
    """Where it differs and what fits better in a sentence each, what the answer rests on, and what it cannot say."""
    models = " and ".join(each.label for each in found.inputs)
    said = (
        ("differs", _most_different(found)),
        ("for example", _first_difference(found)),
        ("arithmetic", _outcome(found)),
        ("rests on", f"every weight of {n.plural(found.tensors, 'tensor')}, held against {models}"),
    )
    return (
        *(Text(line) for line in _absences(found.absent)),
        Facts(facts(*said)),
        Heading("What this does not show"),
        Bullets(DOES_NOT_SHOW),
    )


def _most_different(found: Verified) -> str:
    """The components with the least equal elements, worst first."""
    worst = sorted((part for part in found.components if part.equal < part.elements), key=lambda part: part.share)
    said = ", ".join(f"{part.name} {percent(part.equal, part.elements)} equal" for part in worst[:WORST])
    return f"{said} and {len(worst) - WORST} more" if len(worst) > WORST else said


def _first_difference(found: Verified) -> str:
    first = next(iter(found.differences), None)
    if first is None:
        return ""
    return f"element {first.first:,} of {first.name} is {first.found:.9g}, the recipe makes {first.expected:.9g}"


def summary(found: Verified) -> str:
    """How many elements are equal, and how much of the suspect that is."""
    said = (
        f"{found.equal:,} of {found.elements:,} weights of {found.suspect.label} "
        f"({percent(found.equal, found.elements)}) hold the bits that {found.recipe_file} makes in "
        f"{found.arithmetic}; {found.whole:,} of {found.tensors:,} tensors are equal to the last bit."
    )
    only = f" Only {_share(found.coverage)} of the suspect could be compared." if found.coverage < 1 else ""
    return said + only


def percent(equal: int, elements: int) -> str:
    """A share that says 100 % only when it is."""
    return _share(equal / elements)


def _share(share: float) -> str:
    return "100 %" if share == 1 else f"{min(share, 0.999999):.4%}".replace("%", " %")


def _absent(absent: tuple[Absent, ...]) -> tuple[Block, ...]:
    """What is not in both; a line each on a terminal."""
    columns = (
        Column("Of", "of", numeric=False), Column("Why", "why", numeric=False), Column("Tensors", "tensors"),
        Column("Weights", "weights"), Column("For example", "e.g.", numeric=False),
    )  # fmt: skip
    rows = [(f"the {each.of}", each.reason, n.count(each.tensors), n.count(each.elements), each.examples[0])
            for each in absent]  # fmt: skip
    return (
        Only(TERMINAL, [Text(line) for line in _absences(absent)]),
        Only(WRITTEN, [Heading("Not compared"), Grid(make_table("Not compared", columns, rows), looks="names")]),
    )


def _absences(absent: tuple[Absent, ...]) -> list[str]:
    return [
        f"not compared: {n.plural(each.tensors, 'tensor')} of the {each.of} ({each.elements:,} weights): "
        f"{each.reason}, e.g. {each.examples[0]}"
        for each in absent
    ]


def _where(found: Verified) -> tuple[Block, ...]:
    """Where elements differ, and what else was tried."""
    if found.equal == found.elements:
        return ()
    return (
        Heading("Components"),
        Grid(_parts("Component", found.components)),
        Heading("Layers"),
        Grid(_parts("Layer", found.layers)),
        Heading("First differing tensors"),
        Only(TERMINAL, list(_differences(found))),
        Only(WRITTEN, [Grid(_differing(found), looks="names")]),
        *_alternatives(found),
    )


def _parts(kind: str, parts: tuple[Part, ...]) -> Table:
    columns = Column(kind, kind.lower(), numeric=False), Column("Weights", "weights"), Column("Equal", "equal")
    differing = [part for part in parts if part.equal < part.elements]
    shown = differing[:ROWS]
    rows = [(part.name, n.count(part.elements), percent(part.equal, part.elements)) for part in shown]
    equal = len(parts) - len(differing)
    if equal:
        rows.append((f"{equal} other{'s' if equal > 1 else ''}", "", "100 %"))
    left = len(differing) - len(shown)
    return make_table(f"{kind}s", columns, rows, f"{left} more differ; the JSON form has all." if left else "")


def _differences(found: Verified) -> Iterator[Block]:
    for each in found.differences:
        yield Text(f"{each.name}: {percent(each.equal, each.elements)} equal")
        yield Text(f"  element {each.first:,} is {each.found:.9g}, the recipe makes {each.expected:.9g}")


def _differing(found: Verified) -> Table:
    columns = (
        Column("Tensor", "tensor", numeric=False), Column("Equal", "equal"), Column("First element", "element"),
        Column("It is", "is"), Column("The recipe makes", "recipe makes"),
    )  # fmt: skip
    rows = [
        (
            each.name,
            percent(each.equal, each.elements),
            n.count(each.first),
            f"{each.found:.9g}",
            f"{each.expected:.9g}",
        )
        for each in found.differences
    ]
    return make_table("First differing tensors", columns, rows, "Elements are counted from 0, row by row.")


def _alternatives(found: Verified) -> tuple[Block, ...]:
    if not found.alternatives or found.as_claimed is None:
        return ()
    title = "Other arithmetics, on a sample"
    if found.as_claimed == 1:
        return Only(WRITTEN, [Heading(title)]), Text(_outcome(found))
    columns = Column("Arithmetic", "arithmetic", numeric=False), Column("Equal in the sample", "equal in the sample")
    rows = [(f"{found.arithmetic} (as claimed)", _share(found.as_claimed))]
    rows += [(each.name, _share(each.bit_equal)) for each in found.alternatives]
    return Heading(title), Grid(make_table(title, columns, rows)), Text(_outcome(found))


def _outcome(found: Verified) -> str:
    """Whether another arithmetic fits better, and how to be sure; nothing where none was tried."""
    if not found.alternatives or found.as_claimed is None:
        return ""
    if found.as_claimed == 1:
        return "A sample shows no other difference: it was changed afterwards, or damaged."
    best = found.alternatives[0]
    if best.bit_equal <= found.as_claimed:
        return "No other arithmetic fits better: the weights, the models or the method differ from the recipe."
    plain = best.name.split(",")[0]
    programs = f" So computes, among others, {programs_of(plain)}." if programs_of(plain) else ""
    swapped = ", with the models in the other order." if plain != best.name else "."
    return f"{best.name} fits better.{programs} To check it on every weight: --arithmetic {plain}{swapped}"


def _compared(found: Verified) -> tuple[Block, ...]:
    """What another run needs, and what it does not show; a terminal has no room for it."""
    columns = (
        Column("Checkpoint", "checkpoint", numeric=False), Column("Location", "location", numeric=False),
        Column("Digest", "digest", numeric=False),
    )  # fmt: skip
    inputs = [("suspect", found.suspect), *(("model", each) for each in found.inputs)]
    rows = [(role, each.location, each.sampled_digest) for role, each in inputs]
    table = make_table("Checkpoints", columns, rows, f"Digests cover {found.digest_covers}.")
    return (
        Only(
            WRITTEN,
            [
                Heading("Checkpoints and recipe"),
                Grid(table, looks="codes"),
                Code(n.clean(yaml_of(found.recipe), keep="\n"), "yaml"),
                Bullets(found.notes),
                Heading("What this does not show"),
                Bullets(DOES_NOT_SHOW),
            ],
        ),
    )
