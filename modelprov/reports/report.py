"""The versioned, self-describing report that every renderer reads and `--json` writes. Data only."""

from __future__ import annotations

from typing import Literal

from modelprov.forensics.results import AfterMerge, Frozen, Measures, Mixing, Reproduction, Verdict

SCHEMA_VERSION = "1.2"


class Input(Frozen):
    """One checkpoint as it was read: `digest` is the SHA-256 over its shards' names, sizes and header digests.

    `role` is suspect, parent, reference or control. `digest_covers` says what the digest stands for, since a
    comparison need not hash the weights themselves.
    """

    label: str
    role: Literal["suspect", "parent", "reference", "control"]
    location: str
    revision: str | None = None
    digest: str
    digest_covers: str
    parameters: int
    bytes: int
    shards: int
    dtypes: dict[str, int]
    architecture: str | None = None


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

    `read_share` is below `share` only with `--sample`. `guessed` counts tensors aligned by shape alone.
    """

    share: float
    read_share: float
    elements: int
    elements_read: int
    nonfinite: int
    tensors: int
    guessed: int
    unaligned: tuple[UnalignedGroup, ...]


class Environment(Frozen):
    """What the run needs to be repeated: versions, machine, seed, device, time (UTC, ISO 8601), seconds it took."""

    modelprov: str
    python: str
    packages: dict[str, str]
    platform: str
    processor_count: int
    device: str
    seed: int
    started: str
    seconds: float
    bytes_read: int


class Report(Frozen):
    """Everything that `modelprov compare` found. `cells` is the layer x component grid of the heatmap."""

    schema_version: str = SCHEMA_VERSION
    tool: str = "modelprov compare"
    command: str
    mode: Literal["full", "sample"]
    verdict: Verdict
    mixing: Mixing
    reproduction: Reproduction
    after_merge: AfterMerge
    overall: Measures
    components: tuple[Measures, ...]
    layers: tuple[Measures, ...]
    cells: tuple[Measures, ...]
    tensors: tuple[Measures, ...]
    coverage: Coverage
    inputs: tuple[Input, ...]
    environment: Environment
