"""A case of every kind that is calibrated, through the whole pipeline: none may be an error.

The kinds stand in `benchmarks/cases/`: frame-ups, disguises, methods, headlines and the plain histories. How often each
is right is measured by `python -m benchmarks.calibration`; here a change that breaks a kind is seen at once.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest

import benchmarks.calibration  # noqa: F401  (knows every theme)
from benchmarks.cases.kinds import KINDS, Kind
from modelprov.forensics.compare import Options
from tests.memory import run

OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 15)
SEED = 20261127


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.truth != "limit"], ids=lambda kind: kind.name.replace(" ", "-")
)
def test_no_kind_of_history_is_answered_with_an_error(kind: Kind) -> None:
    case = kind.make(np.random.default_rng([SEED, crc32(kind.name.encode()), 0]))
    verdict = run(case.models, case.controls, OPTIONS).findings.verdict
    said = str(verdict.class_)
    assert said not in case.never, (case.about, said, verdict.summary)
    assert not kind.error(said, verdict.summary), (case.about, said, verdict.summary)
