"""What lies in other coordinates is found out when parts are added, and read then: the same findings to a bit."""

from __future__ import annotations

from modelprov.forensics.compare import Comparison, Options, compare, sum_part
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.sums.ledger import Ledger
from modelprov.forensics.sums.partial import Part, joined
from tests.forensics.coordinates.family import KEEPING_BITS, family, made
from tests.memory import Silence, checkpoint

OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 14, memory=1)


def told(found: Comparison) -> tuple[object, ...]:
    """All that a report is made of, but for the checkpoints."""
    findings = found.findings
    rows = [row.model_dump() for row in (*findings.tensors, *findings.layers, findings.overall)]
    return findings.verdict, findings.mixing, findings.reproduction, rows, found.coordinates, found.bytes_read


def test_parts_of_a_copy_in_another_order_add_up_to_the_findings_of_one_run() -> None:
    models = made("heads permuted", KEEPING_BITS, family().first), family().first
    opened = [checkpoint(label, weights) for label, weights in zip(("S", "P1"), models, strict=True)]
    whole = compare(opened, OPTIONS, Silence())
    assert whole.findings.verdict.class_ is VerdictClass.COPY
    assert whole.realignment is not None
    parts = []
    for number in (1, 2, 3):
        ledger = Ledger(part=Part(number, 3))
        sum_part(opened, OPTIONS, Silence(), (), ledger)
        parts += ledger.share()
    together = Ledger([joined(parts)], device="processor (numba)")
    assert told(compare(opened, OPTIONS, Silence(), ledger=together)) == told(whole)
    assert [each.name for each in together.passes] == ["S", "S in other coordinates"]
