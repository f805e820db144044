"""A Hub of this machine, empty caches, and no waiting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelprov.checkpoints.remote import asking
from tests.checkpoints.remote.hub import Hub, serving


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long every wait would have been."""
    waited: list[float] = []
    monkeypatch.setattr(asking, "pause", waited.append)
    monkeypatch.setattr(asking, "_turns", {})
    return waited


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The Hub that `HF_ENDPOINT` names; nobody is logged in, and nothing is in any cache."""
    with serving(Hub()) as state:
        reach(state, tmp_path, monkeypatch)
        yield state


def reach(state: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODELPROV_BANDWIDTH", "MODELPROV_CONNECTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", state.hub)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("MODELPROV_CACHE", str(tmp_path / "ranges"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
