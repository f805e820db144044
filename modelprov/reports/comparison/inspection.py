"""Shows what one checkpoint is, as text. Formats an `Inspection`; computes nothing."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from modelprov.checkpoints.inspection import Inspection
from modelprov.foreign.shown import clean

SHARDS_SHOWN = 5


def print_inspection(found: Inspection, console: Console) -> None:
    """Print the inspection: facts, formats, components, shards, warnings."""
    facts = Table.grid(padding=(0, 2))
    experts = f", {found.experts_per_layer} experts each" if found.experts_per_layer else ""
    extras = [name for name, there in (("vision", found.has_vision), ("MTP", found.has_mtp)) if there]
    rows = {
        "checkpoint": found.label,
        "location": found.location,
        "revision": found.revision,
        "architecture": found.architecture or found.model_type or "not stated",
        "parameters": f"{found.parameters:,}  ({found.bytes / 1e9:,.2f} GB in {len(found.shards)} shards)",
        "layers": f"{found.layers}{experts}" + (f", with {' and '.join(extras)}" if extras else ""),
        "vocabulary": f"{found.vocabulary:,}" if found.vocabulary else None,
        "head": {True: "tied to the embedding", False: "its own", None: None}[found.tied],
        "quantised": found.quantisation,
        "manifest digest": found.digest,
        "weights digest": found.weights_digest or "not computed (--digest reads every byte)",
    }
    for name, value in rows.items():
        if value is not None:
            facts.add_row(Text(name, style="dim"), Text(clean(value), overflow="fold"))
    console.print(facts)

    formats = Table("format", "tensors", "parameters", "", title="Formats", title_justify="left")
    for dtype in found.dtypes:
        formats.add_row(
            Text(clean(dtype.dtype)),
            f"{dtype.tensors:,}",
            f"{dtype.elements:,}",
            "" if dtype.comparable else "cannot be compared",
        )
    console.print(formats)
    components = Table("component", "tensors", "parameters", "share", title="Components", title_justify="left")
    for part in found.components:
        components.add_row(str(part.component), f"{part.tensors:,}", f"{part.elements:,}", f"{part.share:.2%}")
    console.print(components)

    shards = Table("shard", "bytes", "header sha256", title="Shards", title_justify="left")
    for shard in found.shards[:SHARDS_SHOWN]:
        shards.add_row(Text(clean(shard.name)), f"{shard.bytes:,}", shard.header_digest[:16] + "…")
    console.print(shards)
    if len(found.shards) > SHARDS_SHOWN:
        console.print(f"and {len(found.shards) - SHARDS_SHOWN} more shards (--json lists all)")
    for warning in found.warnings:
        console.print(Text("warning: ", style="yellow") + Text(clean(warning)))
