"""The shipped trained family with its merge, and an invented one of a few tensors, written once; check, in process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelprov.check.baseline import Baseline
from modelprov.check.policy import Policy
from modelprov.check.run import Checked, Request, run_check
from modelprov.demo.family import TINY, members
from modelprov.demo.tiny.shipped import unpack
from modelprov.demo.writing import as_stored, fill_checkpoint
from modelprov.forensics.compare import Options
from modelprov.merge.virtual import plan_recipe
from modelprov.merge.writing import WriteOptions, write_merge
from modelprov.recipes.recipe import linear

KEPT = ("layers.0.linear_attn", "layers.3.self_attn", "layers.3.mlp.experts", "layers.1.mlp.gate", "layernorm")
STARTED = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class Silent:
    """Progress that nobody watches."""

    def stage(self, text: str, total_bytes: int = 0) -> None:
        """A stage begins."""

    def advance(self, read: int) -> None:
        """Bytes were read."""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with qwen, nex and sibling as shipped, and rio = 0.565 nex + 0.435 qwen with card and receipt."""
    folder = tmp_path_factory.mktemp("trained")
    unpack(folder)
    recipe = linear({str(folder / "nex"): 0.565, str(folder / "qwen"): 0.435})
    write_merge(plan_recipe(recipe, None), folder / "rio", WriteOptions(), Silent())
    return folder


@pytest.fixture(scope="session")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with qwen, nex, sibling, rio, rio-trained, rio-bf16 and stranger: a few tensors of every kind."""
    folder = tmp_path_factory.mktemp("invented")
    for name, weights in members(7, TINY):
        kept = {tensor: value for tensor, value in weights.items() if any(part in tensor for part in KEPT)}
        fill_checkpoint(folder / name, as_stored(kept), {"architectures": ["Qwen3_5MoeForCausalLM"]}, 2)
    return folder


@pytest.fixture
def check() -> Callable[..., Checked]:
    """Check a folder with these candidates, as the command does without a policy."""

    def run(folder: Path, *candidates: str, policy: Policy | None = None, **request: object) -> Checked:
        sample = bool(request.pop("sample", False))
        asked = Request(candidates, options=Options(device="cpu", threads=1, sample=sample), **request)  # type: ignore[arg-type]
        return run_check(str(folder), asked, policy or Policy(), Baseline(), "modelprov check", STARTED, Silent())

    return run


def card(folder: Path, front: str, text: str = "# Rio\n\nA model.\n") -> Path:
    """Write the card of a model; returns its folder."""
    (folder / "README.md").write_text(f"---\n{front}---\n{text}")
    return folder
