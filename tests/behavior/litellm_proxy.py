"""LiteLLM's proxy, a gateway that nobody here wrote, in a process of its own before a server of ours."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.behavior.servers import free_port, running

VARIABLE = "LITELLM"
"""Where the program is, if not beside Python or on the path; `make litellm` installs it and says so."""


def program() -> str:
    """The program `litellm`; skips the test, and says how to run it, where there is none."""
    beside = Path(sys.executable).with_name("litellm")
    found = os.environ.get(VARIABLE) or (str(beside) if beside.exists() else shutil.which("litellm"))
    if found is None:
        pytest.skip("LiteLLM's proxy is not installed: `make litellm` installs it apart and runs these tests")
    return found


@contextmanager
def litellm_proxy(backend: str, folder: Path, seconds: float = 180.0) -> Iterator[tuple[str, str]]:
    """The proxy before `backend`; its model "rio" is "tiny" there. Gives its URL with /v1, and its key."""
    port, key = free_port(), f"sk-{secrets.token_hex(32)}"
    config = {
        "model_list": [{
            "model_name": "rio", "litellm_params": {"model": "openai/tiny", "api_base": backend, "api_key": "none"},
        }],
        "litellm_settings": {"num_retries": 0, "telemetry": False}, "router_settings": {"disable_cooldowns": True},
    }  # fmt: skip
    (folder / "proxy.yaml").write_text(json.dumps(config))  # JSON is YAML
    settings = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION", "NO_PROXY": "127.0.0.1"}
    settings["LITELLM_MASTER_KEY"] = key
    words = [program(), "--config", str(folder / "proxy.yaml"), "--host", "127.0.0.1", "--port", str(port)]
    with running(words, settings, folder / "proxy.log", port, "/health/liveliness", seconds):
        yield f"http://127.0.0.1:{port}/v1", key
