"""`verify` of a file under other names says how more of it can be compared."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.forensics.search.reproduce import Limits, reproduce
from tests.generated import Size, model
from tests.memory import Silence, checkpoint


@pytest.mark.parametrize("renamed", [True, False])
def test_other_names_are_told_to_be_paired_by_an_alignment(*, renamed: bool) -> None:
    expected = model(np.random.default_rng(1), Size(3, 32, 64, 160))
    names = {name: name.replace("model.layers", "decoder.part") if renamed else name for name in expected}
    suspect = {names[name]: held for name, held in expected.items()}
    models = (checkpoint("S", suspect), checkpoint("R", expected))
    found = reproduce(*models, lambda: iter(()), Limits(1 << 28, 1), Silence())
    assert any("save_alignment" in caution for caution in found.cautions) is renamed
