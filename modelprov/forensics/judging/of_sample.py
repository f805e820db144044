"""Of how many weights a verdict speaks, where not all were read: in its own words, wherever these are quoted."""

from __future__ import annotations

from dataclasses import replace

from modelprov.checkpoints.types import Alignment
from modelprov.forensics.judging.findings import Findings
from modelprov.shares import of_what_was_read


def read_share(alignment: Alignment, findings: Findings) -> float:
    """Share of all of the suspect's weights that was read and compared, 0 to 1."""
    elements = sum(tensor.count for tensor in alignment.tensors)
    read = findings.overall.elements + findings.overall.nonfinite
    share = alignment.share()
    return min(share, share * read / elements) if elements else 0.0


def of_sample(findings: Findings, alignment: Alignment) -> Findings:
    """The findings of a sample or of fingerprints, with the share that was read at the head of their summary."""
    share = read_share(alignment, findings)
    if share >= 1:
        return findings
    verdict = findings.verdict
    summary = of_what_was_read(min(share, 0.99), verdict.summary)
    return replace(findings, verdict=verdict.model_copy(update={"summary": summary}))
