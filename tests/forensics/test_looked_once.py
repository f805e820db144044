"""Samples of one comparison, a small one and a larger: whole tensors are asked once, and say the same."""

from __future__ import annotations

import numpy as np

from benchmarks.cases.decoders import Decoder, decoder_family
from modelprov.forensics.compare import Options, compare
from modelprov.forensics.measuring import Looked
from tests.memory import Silence, checkpoint

SEARCHES = ("looking for the same sizes of rows and columns", "looking for the same units in other coordinates")


class Heard(Silence):
    """Which stages there were."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, text: str, total_bytes: int = 0) -> None:  # noqa: ARG002
        self.stages.append(text)


def test_a_larger_sample_of_strangers_does_not_ask_whole_tensors_again() -> None:
    rng = np.random.default_rng(1)
    models = [checkpoint(label, decoder_family(rng, Decoder(4), 1)[0]) for label in ("S", "P")]
    heard, looked = Heard(), Looked()
    for elements in (1 << 12, 1 << 14):
        options = Options(sample=True, sample_elements=elements, device="cpu")
        found = compare(models, options, heard, looked=looked)
    anew = compare(models, options, Silence())
    assert [sum(text.startswith(search) for text in heard.stages) for search in SEARCHES] == [1, 1]
    assert sum(text.startswith("taking a first look") for text in heard.stages) == 2
    assert found.findings.verdict == anew.findings.verdict
    assert found.findings.verdict.class_ == "unrelated"
    assert found.coordinates == anew.coordinates
