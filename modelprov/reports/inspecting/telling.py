"""An inspection told once, for every medium. Chooses and orders; computes nothing."""

from __future__ import annotations

from modelprov import __version__
from modelprov.checkpoints.inspection import Inspection, ShardSummary
from modelprov.reports import numbers as n
from modelprov.reports.document import (
    TERMINAL,
    WRITTEN,
    Block,
    Colours,
    Column,
    Document,
    Fact,
    Facts,
    Fold,
    Grid,
    Heading,
    Only,
    Table,
    Text,
    facts,
    make_table,
)

COLOURS = Colours("#3a5a8c", "#9db8e6", "blue")
SHARDS_SHOWN = 5
HEAD = {True: "tied to the embedding", False: "its own", None: ""}


def tell(found: Inspection) -> Document:
    """What the checkpoint is, its formats, its components, its files, and what must be known of them."""
    return Document(
        title=f"Checkpoint: {found.label}",
        headline=f"{n.compact(found.parameters)} parameters in {n.plural(found.layers, 'layer')}",
        summary="",
        answer="",
        colours=COLOURS,
        notes=found.warnings,
        blocks=(
            Facts(_facts(found)),
            *_digests(found),
            *_parts(found),
            Heading("Formats"),
            Grid(_formats(found)),
            Heading("Components"),
            Grid(_components(found)),
            *_shards(found),
            Only(TERMINAL, [Text(f"warning: {warning}") for warning in found.warnings]),
        ),
        brief=(
            Facts(facts(*_facts(found), ("formats", _in_words(found)))),
            *_digests(found),
            *_parts(found),
            *(Text(f"warning: {warning}") for warning in found.warnings),
        ),
        about="what a checkpoint is",
        started="",
        version=__version__,
        more="Every field is in the JSON form.",
        prefix="modelprov inspect: ",
    )


def _in_words(found: Inspection) -> str:
    """Formats and how many tensors each has, those first that cannot be compared."""
    formats = sorted(found.dtypes, key=lambda each: each.comparable)
    told = (f"{n.plural(each.tensors, 'tensor')} of {each.dtype}" + " (cannot be compared)" * (not each.comparable)
            for each in formats)  # fmt: skip
    return ", ".join(told)


def _facts(found: Inspection) -> tuple[Fact, ...]:
    experts = f", {found.experts_per_layer} experts each" if found.experts_per_layer else ""
    extras = [name for name, there in (("vision", found.has_vision), ("MTP", found.has_mtp)) if there]
    files = f"{n.size(found.bytes)} in {n.plural(len(found.shards), 'shard')}"
    return facts(
        ("checkpoint", found.label),
        ("location", found.location),
        ("revision", found.revision or ""),
        ("architecture", found.architecture or found.model_type or "not stated"),
        ("adapter", found.adapter or ""),
        ("parameters", f"{n.count(found.parameters)} ({files})"),
        ("layers", f"{found.layers}{experts}" + (f", with {' and '.join(extras)}" if extras else "")),
        ("vocabulary", n.count(found.vocabulary) if found.vocabulary else ""),
        ("head", HEAD[found.tied]),
        ("quantised", found.quantisation or ""),
        ("bits a weight", "" if found.bits_per_weight is None else f"{found.bits_per_weight:.2f}, scales included"),
        ("quantised how", _said(found.quantised_how)),
        ("quantised by", _said((found.quantised_by,) if found.quantised_by else ())),
        ("made from", _said(found.made_from)),
    )


def _digests(found: Inspection) -> tuple[Block, ...]:
    """Apart from the other facts: beside longer names they would not fit a line of 80 characters."""
    weights = found.weights_digest or "not computed (--digest reads every byte)"
    return Heading("Digests (SHA-256)"), Facts(facts(("manifest", found.digest), ("weights", weights)))


def _said(texts: tuple[str, ...]) -> str:
    """What the model claims, marked so."""
    return f"{', '.join(texts)} (as it says)" if texts else ""


def _parts(found: Inspection) -> tuple[Block, ...]:
    """The models of a composite folder."""
    if not found.parts:
        return ()
    columns = (
        Column("Folder", "folder", numeric=False), Column("Architecture", "architecture", numeric=False),
        Column("Formats", "formats", numeric=False), Column("Parameters", "parameters"), Column("Size", "size"),
    )  # fmt: skip
    rows = [
        (each.folder, each.architecture or "not stated", ", ".join(each.dtypes), n.count(each.parameters),
         n.size(each.bytes)) for each in found.parts
    ]  # fmt: skip
    return (Heading("Parts"), Grid(make_table("Parts", columns, rows)))


def _formats(found: Inspection) -> Table:
    columns = (
        Column("Format", "format", numeric=False), Column("Tensors", "tensors"), Column("Parameters", "parameters"),
        Column("Remark", "remark", numeric=False),
    )  # fmt: skip
    rows = [
        (each.dtype, n.count(each.tensors), n.count(each.elements), "" if each.comparable else "cannot be compared")
        for each in found.dtypes
    ]
    return make_table("Formats", columns, rows)


def _components(found: Inspection) -> Table:
    columns = (
        Column("Component", "component", numeric=False), Column("Tensors", "tensors"),
        Column("Parameters", "parameters"), Column("Share", "share"),
    )  # fmt: skip
    rows = [(str(each.component), n.count(each.tensors), n.count(each.elements), n.share(each.share))
            for each in found.components]  # fmt: skip
    return make_table("Components", columns, rows)


def _shards(found: Inspection) -> tuple[Block, ...]:
    """Every file of weights; a terminal shows the first, and the first digits of their digests."""
    more = len(found.shards) - SHARDS_SHOWN
    note = f"and {n.plural(more, 'more shard')} (--json lists all)" if more > 0 else ""
    first = _shard_table([(each, f"{each.header_digest[:16]}…") for each in found.shards[:SHARDS_SHOWN]], note)
    every = _shard_table(
        [(each, each.header_digest) for each in found.shards], f"The manifest digest covers {found.digest_covers}."
    )
    return (
        Only(TERMINAL, [Heading("Shards"), Grid(first)]),
        Fold(f"Shards ({len(found.shards)})", [Only(WRITTEN, [Grid(every, looks="codes")])], level=2),
    )


def _shard_table(shards: list[tuple[ShardSummary, str]], note: str) -> Table:
    columns = (
        Column("Shard", "shard", numeric=False), Column("Bytes", "bytes"),
        Column("SHA-256 of its header", "header sha256", numeric=False),
    )  # fmt: skip
    return make_table("Shards", columns, [(each.name, n.count(each.bytes), digest) for each, digest in shards], note)
