"""What the models of a probe are called; nothing is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from modelprov.jobs.probed import local_openers
from modelprov.jobs.runnable import Runnable
from modelprov.progress import SILENT


def test_no_local_model_is_called_as_the_served_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are kept by label: a parent of that name would be compared with itself."""
    called: list[str] = []

    def load(_folder: str, label: str, *_: Any) -> None:
        called.append(label)
        raise LookupError

    monkeypatch.setattr("modelprov.behavior.loading.load_model", load)
    for served in (None, "nex"):
        [(label, opened)] = local_openers(
            [("nex", "parent")], {"nex": Runnable("nex", SILENT)}, None, "cpu", "auto", None, SILENT, served
        ).items()  # type: ignore[arg-type]
        with pytest.raises(LookupError):
            opened()
        assert called[-1] == label
    assert called == ["nex", "nex (2)"]
