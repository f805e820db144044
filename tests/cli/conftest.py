"""A small family with a known history, written once, and the command run in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelprov.cli.main import main
from modelprov.demo.family import MEMBERS, TINY, members
from modelprov.demo.writing import as_stored, fill_checkpoint

KEPT = (
    "layers.0.linear_attn",
    "layers.3.self_attn",
    "layers.3.mlp.experts",
    "layers.1.mlp.gate",
    "layernorm",
    "mtp.fc",
)


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with qwen, nex, sibling, rio, rio-trained, rio-bf16 and stranger: a few tensors of every kind."""
    folder = tmp_path_factory.mktemp("models")
    for name, weights in members(7, TINY):
        kept = {tensor: value for tensor, value in weights.items() if any(part in tensor for part in KEPT)}
        fill_checkpoint(folder / name, as_stored(kept), {"architectures": ["Qwen3_5MoeForCausalLM"]}, 2)
    return folder


@pytest.fixture
def modelprov(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Run `modelprov` with these arguments in this process, as the console script does."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["modelprov", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return Outcome(int(left.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def compare(modelprov: Command, models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run `modelprov compare` in an empty folder; a bare name is a member of the family."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        known = [models / str(one) if one in MEMBERS else one for one in arguments]
        device = () if "--device" in arguments else ("--device", "cpu")
        return modelprov("compare", *known, *device)

    return run


def program(code: str, *arguments: object, stdout: int = subprocess.PIPE, **settings: str) -> subprocess.Popen[str]:
    """Start Python on `code`, with `arguments` as the command's; its output is captured."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=stdout, stderr=subprocess.PIPE, text=True, env=os.environ | settings,
    )  # fmt: skip


MAIN = "import sys; sys.argv[0] = 'modelprov'; from modelprov.cli.main import main; main()"
