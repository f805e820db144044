"""A family whose files are computed when they are asked for: what is said of it remotely is its history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import modelprov
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote.source import is_far
from modelprov.forensics import compare
from modelprov.jobs.reach import FIRST_ELEMENTS
from tests.checkpoints.remote.computed import repository
from tests.checkpoints.remote.conftest import reach
from tests.checkpoints.remote.hub import Hub, serving
from tests.factories import Layout

EXPERTS, HIDDEN, WIDTH = 4, 64, 32
LAYOUT: Layout = [
    ("model.embed_tokens.weight", (256, HIDDEN), "BF16"),
    *(
        (f"model.layers.{layer}.{name}", shape, "BF16")
        for layer in range(6)
        for name, shape in (
            ("input_layernorm.weight", (HIDDEN,)),
            ("self_attn.q_proj.weight", (HIDDEN, HIDDEN)),
            ("self_attn.o_proj.weight", (HIDDEN, HIDDEN)),
            ("mlp.gate.weight", (EXPERTS, HIDDEN)),
            ("mlp.experts.gate_up_proj", (EXPERTS, 2 * WIDTH, HIDDEN)),
            ("mlp.experts.down_proj", (EXPERTS, HIDDEN, WIDTH)),
        )
    ),
    ("lm_head.weight", (256, HIDDEN), "BF16"),
]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A base, a finetune, and a mix of them with the experts apart."""
    state = Hub()
    for kind, more in (("base", {}), ("tune", {}), ("mix", {"share": 0.565})):
        state.repositories[f"org/{kind}"] = repository(LAYOUT, kind, 3, **more)
    with serving(state):
        reach(state, tmp_path, monkeypatch)
        yield state


def test_a_mix_on_another_machine_is_told_with_its_share(hub: Hub) -> None:
    found = modelprov.compare("org/mix", "org/tune", "org/base", threads=1)
    assert (found.verdict.class_, found.verdict.rule) == ("merge", "reproduced")
    assert found.mixing.alpha == pytest.approx(0.565, abs=1e-5)
    assert hub.ranges() > 0


def test_a_copy_in_fp8_that_keeps_its_router_is_told_as_the_base_rounded_on_the_first_sample(hub: Hub) -> None:
    hub.repositories["org/small"] = repository(LAYOUT, "small", 3)
    found = modelprov.compare("org/small", "org/base", threads=1)
    assert (found.verdict.class_, found.verdict.rule) == ("inconclusive", "rounded")
    assert "hold its numbers as they are" in found.verdict.summary
    assert found.settings.sample_elements == FIRST_ELEMENTS
    other = modelprov.compare("org/small", "org/tune", threads=1)  # the finetune is not what it was rounded from
    assert other.verdict.rule != "rounded"


def test_what_is_too_large_to_be_undone_is_told_as_kin_in_other_coordinates(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "UNDONE_BYTES", 0)
    hub.repositories["org/moved"] = repository(LAYOUT, "moved", 3)
    found = modelprov.compare("org/moved", "org/base", threads=1)
    assert found.verdict.class_ not in ("unrelated", "copy")
    assert found.coordinates is not None
    assert found.coordinates.related
    assert "not undone" in found.coordinates.left[0]
    assert "128 of 128 units are paired alike" in found.verdict.summary


def test_any_range_of_a_computed_file_is_a_part_of_the_whole() -> None:
    files = repository(LAYOUT, "mix", 2, share=0.3, further=2)
    file = files["model-00001-of-00002.safetensors"]
    whole = file[0 : len(file)]
    assert len(whole) == len(file)
    for start, stop in np.random.default_rng(0).integers(0, len(file), (40, 2)).tolist():
        assert file[start:stop] == whole[start:stop]


@pytest.mark.parametrize("kind", ["base", "mix", "moved", "small"])
def test_every_kind_opens_as_a_checkpoint(hub: Hub, kind: str) -> None:
    hub.repositories["org/other"] = repository(LAYOUT, kind, 2, share=0.5)
    opened = open_checkpoint("org/other")
    assert len(opened.shards) == 2
    assert is_far(opened.source)  # what is decoded when it is read is no less far
    assert opened.parameters >= sum(int(np.prod(shape)) for _, shape, _ in LAYOUT)
