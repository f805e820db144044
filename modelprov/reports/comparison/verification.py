"""Shows whether a checkpoint is what a recipe makes, as text or JSON. Formats a `Verification`; computes nothing."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from modelprov import __version__
from modelprov.foreign.shown import clean
from modelprov.forensics.search.reproduce import Part, Verification
from modelprov.recipes.arithmetics import programs_of

SCHEMA = 1
ROWS = 60


def render_verification_json(found: Verification, about: dict[str, Any]) -> str:
    """The verification as JSON; `about` says what was compared (suspect, recipe, arithmetic, digests)."""
    return (
        json.dumps({"schema": SCHEMA, "modelprov": __version__, **about, **found.model_dump(mode="json")}, indent=2)
        + "\n"
    )


def print_verification(found: Verification, suspect: str, recipe: str, arithmetic: str, console: Console) -> None:
    """Print the answer, then where it differs, then what fits better."""
    verdict = "REPRODUCED" if found.reproduced else "NOT REPRODUCED"
    console.print(Text(verdict, style="bold green" if found.reproduced else "bold red"))
    said = (
        f"{found.equal:,} of {found.elements:,} elements of {suspect} ({percent(found.equal, found.elements)}) hold "
        f"the bits that {recipe} makes in {arithmetic}; {found.whole:,} of {found.tensors:,} tensors are equal to the "
        "last bit."
    )
    console.print(Text(clean(said)))
    if found.coverage < 1:
        console.print(f"Only {found.coverage:.4%} of the suspect could be compared.", highlight=False)
    for absent in found.absent:
        what = f"{absent.tensors:,} tensors of the {absent.of} ({absent.elements:,} elements): {absent.reason}"
        console.print(Text(clean(f"  not compared: {what}, e.g. {absent.examples[0]}")))
    for caution in found.cautions:
        console.print(Text(clean(f"  note: {caution}")))
    if found.equal == found.elements:
        return
    _table("Components", found.components, console)
    _table("Layers", found.layers, console)
    console.print(Text("First differing tensors", style="italic"))
    for one in found.differences:
        console.print(
            Text(
                f"  {clean(one.name)}: {percent(one.equal, one.elements)} equal\n"
                f"    element {one.first:,} is {one.found:.9g}, the recipe makes {one.expected:.9g}"
            ),
            soft_wrap=True,
        )
    _alternatives(found, arithmetic, console)


def percent(equal: int, elements: int) -> str:
    """A share that says 100 % only when it is."""
    return _share(equal / elements)


def _share(share: float) -> str:
    return "100 %" if share == 1 else f"{min(share, 0.999999):.4%}".replace("%", " %")


def _table(title: str, parts: tuple[Part, ...], console: Console) -> None:
    differing = [part for part in parts if part.equal < part.elements]
    table = Table(title.lower()[:-1], "elements", "equal", title=title, title_justify="left")
    for part in differing[:ROWS]:
        table.add_row(Text(clean(part.name)), f"{part.elements:,}", percent(part.equal, part.elements))
    equal = len(parts) - len(differing)
    if equal:
        table.add_row(Text(f"{equal} other{'s' if equal > 1 else ''}", style="dim"), "", "100 %")
    console.print(table)


def _alternatives(found: Verification, arithmetic: str, console: Console) -> None:
    if not found.alternatives or found.as_claimed is None:
        return
    if found.as_claimed == 1:
        console.print("A sample shows no other difference: it was changed afterwards, or damaged.")
        return
    table = Table("arithmetic", "equal in the sample", title="Other arithmetics, on a sample", title_justify="left")
    table.add_row(Text(clean(f"{arithmetic} (as claimed)")), _share(found.as_claimed))
    for one in found.alternatives:
        table.add_row(Text(clean(one.name)), _share(one.bit_equal))
    console.print(table)
    best = found.alternatives[0]
    if best.bit_equal > found.as_claimed:
        plain = best.name.split(",")[0]
        programs = f" So computes, among others, {programs_of(plain)}." if programs_of(plain) else ""
        console.print(
            f"{best.name} fits better.{programs} To check it on every weight: --arithmetic {plain}"
            + (", with the models in the other order." if plain != best.name else "."),
            highlight=False,
        )
    else:
        console.print("No other arithmetic fits better: the weights, the models or the method differ from the recipe.")
