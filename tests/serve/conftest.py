"""The page without a network, over a folder of models; a run that lasts until it is stopped."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from modelprov.serve import runs
from modelprov.serve.app import Settings, make
from tests.factories import write_safetensors

HOME = "http://127.0.0.1:8642"
LIMIT = 1 << 20
ENDLESS = (
    'import sys, json; print(json.dumps({"stage": "reading <b>weights</b>", "total": 8}), flush=True); sys.stdin.read()'
)

Open = Callable[..., "Page"]


class Page:
    """A browser that has the page open: it sends what the forms of the page would send."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.token = str(re.findall(r'name="token" value="([^"]+)"', client.get("/").text)[0])

    def post(self, path: str, data: dict[str, object] | None = None, files: object = None, **headers: str) -> object:
        return self.client.post(
            path,
            data={"token": self.token, **(data or {})},
            files=files,
            headers={"Origin": HOME, **headers},
        )


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Three folders of the same small weights."""
    for name in ("rio", "nex", "qwen"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        write_safetensors(folder / "model.safetensors", {"weight": np.zeros((4, 4), np.float32)})
    return tmp_path / "models"


@pytest.fixture
def opened(models: Path) -> Iterator[Open]:
    """Opens the page with these settings."""
    clients: list[TestClient] = []

    def open_page(**given: object) -> Page:
        settings = Settings("127.0.0.1", 8642, **{"models": models, "upload_limit": LIMIT, **given})
        client = TestClient(make(settings), base_url=HOME, follow_redirects=False)
        client.__enter__()
        clients.append(client)
        return Page(client)

    yield open_page
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[str]]:
    """Runs that say that they read, and end only when they are stopped."""
    started: list[subprocess.Popen[str]] = []

    def process(_folder: str, _network: bool) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen([sys.executable, "-c", ENDLESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        return started[-1]

    monkeypatch.setattr(runs, "_process", process)
    return started
