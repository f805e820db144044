"""The versioned, self-describing report that every renderer reads and `--json` writes. Data only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelprov.forensics.mixing import Mixing, NamedMethod, Reproduction
from modelprov.forensics.results import AfterMerge, Beyond, Coordinates, Measures, Verdict
from modelprov.records import Environment, Frozen
from modelprov.savable import Page

SCHEMA_VERSION = "2.0"
BESIDE = frozenset({"control", "candidate"})
"""Roles of inputs that are not what is compared: they follow the suspect, its parents and the reference."""


class Input(Frozen):
    """One checkpoint as it was read: `digest` is the SHA-256 over its shards' names, sizes and header digests.

    `role` is suspect, parent, reference, control or candidate. `digest_covers` says what the digest stands for, since a
    comparison need not hash the weights themselves.
    """

    label: str
    role: Literal["suspect", "parent", "reference", "control", "candidate"]
    location: str
    revision: str | None = None
    digest: str
    digest_covers: str
    parameters: int
    bytes: int
    shards: int
    dtypes: dict[str, int]
    architecture: str | None = None


class Asked(Frozen):
    """A checkpoint as it was asked for: its name in the report, and the location as it was written."""

    label: str
    location: str


class GivenFile(Frozen):
    """A file that a run was given beside its inputs: the location as it was written, and the SHA-256 of its bytes."""

    location: str
    sha256: str


class Settings(Frozen):
    """What was asked of the run: all that is needed to ask the same again.

    `sample_elements` elements of each checkpoint are read to find candidates, and with `sample` nothing else is.
    `memory` is in bytes; `threads` is null for all cores; `device` is auto, cpu or cuda; `method` says how files are
    read (auto, map, direct, buffered); `thorough` whether other coordinates were looked for in any case, `alignment`
    the file that said how to undo them. `parents` are those beside the `reference`. Memory, threads, device and method
    change no count and no word of a report.
    """

    sample: bool
    sample_elements: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    device: str
    memory: int
    threads: int | None
    method: str
    thorough: bool = False
    alignment: GivenFile | None = None
    suspect: Asked
    parents: tuple[Asked, ...]
    reference: Asked
    controls: tuple[Asked, ...]
    candidates: tuple[Asked, ...] = ()


class UnalignedGroup(Frozen):
    """Tensors of one checkpoint that could not be compared for one reason; `examples` holds up to five names."""

    checkpoint: str
    reason: str
    tensors: int
    elements: int
    share: float
    examples: tuple[str, ...]


class Coverage(Frozen):
    """How much of the suspect was compared (`share`) and read (`read_share`), in elements, 0 to 1.

    `read_share` is below `share` only with `--sample`. `guessed` counts tensors aligned by shape alone. `notes` are
    sentences: files that were not read, prefixes of names that were set aside, rows that only some have.
    """

    share: float
    read_share: float
    elements: int
    elements_read: int
    nonfinite: int
    tensors: int
    guessed: int
    unaligned: tuple[UnalignedGroup, ...]
    notes: tuple[str, ...] = ()


class ComparisonEnvironment(Environment):
    """What the run needs to be repeated, with the seed, the time (UTC, ISO 8601), the seconds and the bytes it took."""

    seed: int
    started: str
    seconds: float
    bytes_read: int


class Report(Frozen, Page):
    """Everything that `modelprov compare` found. `cells` is the layer x component grid of the heatmap.

    `coordinates` is null where no others were looked for. `beyond` is null where a recipe explains the bits, or
    the models are no kin.

    `settings` is null in reports of schema versions before 1.2 only.
    """

    schema_version: str = SCHEMA_VERSION
    tool: str = "modelprov compare"
    command: str
    mode: Literal["full", "sample"]
    settings: Settings | None = None
    verdict: Verdict
    coordinates: Coordinates | None = None
    mixing: Mixing
    reproduction: Reproduction
    after_merge: AfterMerge
    beyond: Beyond | None = None
    method: NamedMethod | None = None
    overall: Measures
    components: tuple[Measures, ...]
    layers: tuple[Measures, ...]
    cells: tuple[Measures, ...]
    tensors: tuple[Measures, ...]
    coverage: Coverage
    inputs: tuple[Input, ...]
    environment: ComparisonEnvironment
