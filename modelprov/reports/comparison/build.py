"""Makes a `Report` from a comparison: adds inputs, coverage and environment to its findings. Computes nothing new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from modelprov.checkpoints.digests import MANIFEST_COVERS, manifest_digest
from modelprov.checkpoints.inspection import architecture, dtype_elements
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.forensics.compare import Comparison, Options
from modelprov.forensics.judging.findings import Findings
from modelprov.forensics.judging.of_sample import read_share
from modelprov.forensics.mixing import LeastSquares, Mixing, Reproduction
from modelprov.forensics.results import AfterMerge, Evidence, History, Measures, Verdict
from modelprov.machine import this_machine
from modelprov.reports.comparison.report import (
    Asked,
    ComparisonEnvironment,
    Coverage,
    GivenFile,
    Input,
    Report,
    Settings,
    UnalignedGroup,
)

IN_EVERY_FINDING = (LeastSquares, History, Evidence, Mixing, Reproduction, AfterMerge, Verdict, Measures)
PACKAGES = ("numpy", "scipy", "numba", "pydantic", "torch", "triton")
EXAMPLES = 5


def get_ready() -> None:
    """Make the records that every report is made of ready to be filled."""
    for kind in (*IN_EVERY_FINDING, Asked, Coverage, Input, Settings, ComparisonEnvironment, Report):
        kind.model_rebuild()


def build_report(
    comparison: Comparison, checkpoints: Sequence[Checkpoint], command: str, started: datetime, seconds: float
) -> Report:
    """Assemble the report of a comparison of `checkpoints` (suspect first, reference last) run as `command`."""
    findings, alignment = comparison.findings, comparison.alignment
    roles = ["suspect", *["parent"] * (len(checkpoints) - 2), "reference"]
    inputs = [_input(one, role) for one, role in zip(checkpoints, roles, strict=True)]
    inputs += [_input(one, "control") for one in comparison.controls]
    inputs += [_input(one, "candidate") for one in comparison.candidates]
    return Report(
        command=command,
        mode="sample" if comparison.options.sample else "full",
        settings=_settings(comparison.options, checkpoints, comparison),
        verdict=findings.verdict,
        mixing=findings.mixing,
        coordinates=comparison.coordinates,
        reproduction=findings.reproduction,
        after_merge=findings.after_merge,
        beyond=findings.beyond,
        method=findings.method,
        overall=findings.overall,
        components=findings.components,
        layers=findings.layers,
        cells=findings.cells,
        tensors=findings.tensors,
        coverage=_coverage(alignment, findings),
        inputs=tuple(inputs),
        environment=ComparisonEnvironment(
            **this_machine(comparison.device, PACKAGES),
            seed=comparison.options.seed,
            started=started.isoformat(timespec="seconds"),
            seconds=round(seconds, 3),
            bytes_read=comparison.bytes_read,
        ),
    )


def _settings(options: Options, checkpoints: Sequence[Checkpoint], comparison: Comparison) -> Settings:
    suspect, *parents, reference = map(_asked, checkpoints)
    given = options.alignment
    return Settings(
        sample=options.sample,
        sample_elements=options.sample_elements,
        seed=options.seed,
        device=options.device,
        memory=options.memory,
        threads=options.threads,
        method=options.method,
        thorough=options.thorough,
        alignment=given and GivenFile(location=given.location, sha256=given.sha256),
        suspect=suspect,
        parents=tuple(parents),
        reference=reference,
        controls=tuple(map(_asked, comparison.controls)),
        candidates=tuple(map(_asked, comparison.candidates)),
    )


def _asked(checkpoint: Checkpoint) -> Asked:
    return Asked(label=checkpoint.label, location=checkpoint.location)


def _input(checkpoint: Checkpoint, role: str) -> Input:
    return Input.model_validate(
        {
            "label": checkpoint.label,
            "role": role,
            "location": checkpoint.location,
            "revision": checkpoint.revision,
            "digest": manifest_digest(checkpoint),
            "digest_covers": MANIFEST_COVERS,
            "parameters": checkpoint.parameters,
            "bytes": sum(shard.size for shard in checkpoint.shards),
            "shards": len(checkpoint.shards),
            "dtypes": dtype_elements(checkpoint),
            "architecture": architecture(checkpoint.config),
        }
    )


def _coverage(alignment: Alignment, findings: Findings) -> Coverage:
    """How much was compared, and what was not, by checkpoint and reason."""
    groups: dict[tuple[int, str], list[tuple[str, int]]] = defaultdict(list)
    for item in alignment.unaligned:
        groups[item.checkpoint, item.reason].append((item.name, item.count))
    unaligned = [
        UnalignedGroup(
            checkpoint=alignment.checkpoints[number].label,
            reason=reason,
            tensors=len(members),
            elements=sum(count for _, count in members),
            share=sum(count for _, count in members) / max(alignment.checkpoints[number].parameters, 1),
            examples=tuple(name for name, _ in members[:EXAMPLES]),
        )
        for (number, reason), members in groups.items()
    ]
    opened = (f"{checkpoint.label}: {note}" for checkpoint in alignment.checkpoints for note in checkpoint.notes)
    elements = sum(tensor.count for tensor in alignment.tensors)
    nonfinite = findings.overall.nonfinite
    return Coverage(
        share=alignment.share(),
        read_share=read_share(alignment, findings),
        elements=elements,
        elements_read=findings.overall.elements + nonfinite,
        nonfinite=nonfinite,
        tensors=len(alignment.tensors),
        guessed=sum(tensor.guessed for tensor in alignment.tensors),
        unaligned=tuple(sorted(unaligned, key=lambda group: -group.elements)),
        notes=(*opened, *alignment.notes),
    )
