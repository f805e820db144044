"""`modelprov serve` before it serves: what it refuses, where it listens, and that Ctrl-C is how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--models", "none"), "none is no folder"),
        (("--models", "a+b"), "BASE+ADAPTER"),
        (("--host", "0.0.0.0"), "stands for every address"),
        (("--upload-limit", "much"), "is not a size"),
    ],
)
def test_what_cannot_be_served_is_said(
    modelprov: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a+b").mkdir()
    ended = modelprov("serve", *words)
    assert ended.code == 2
    assert said in ended.err


def test_a_port_that_is_taken_is_said(modelprov: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = modelprov("serve", "--port", taken.getsockname()[1])
    assert ended.code == 2
    assert "Choose another --port" in ended.err


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "python_multipart"])
def test_without_the_extra_it_says_how_to_get_it(
    modelprov: Command, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    ended = modelprov("serve")
    assert ended.code == 2
    assert f"serve needs {package}" in ended.err
    assert "pip install 'modelprov[serve]'" in ended.err


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_it_listens_on_loopback_and_ends_well_with_ctrl_c() -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "modelprov", "serve", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    address = server.stderr.readline()
    assert address.startswith("http://127.0.0.1:")
    with socket.create_connection(("127.0.0.1", int(address.split(":")[2].split("/")[0])), timeout=20) as asking:
        asking.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert asking.recv(1 << 12).startswith(b"HTTP/1.1 400")
    server.send_signal(signal.SIGINT)
    assert server.wait(20) == 0
    assert server.stderr.read() == ""
