"""Which candidates are compared and what the numbers may say of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelprov.check.interface import Candidate
from modelprov.check.measuring.lineage import SAMPLED, Ancestry, _settled, measure_lineage
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.forensics.compare import Options
from tests.check.conftest import Silent
from tests.factories import write_checkpoint

OPTIONS = Options(device="cpu", threads=1)


def lineage(model: Path, *candidates: Path, declared: tuple[str, ...] = (), options: Options = OPTIONS) -> Ancestry:
    pairs = [
        (Candidate(f"org/{one.name}", one.name, str(one), one.name in declared), open_checkpoint(str(one), one.name))
        for one in candidates
    ]
    return measure_lineage(open_checkpoint(str(model)), pairs, (), options, Silent())


def test_a_stranger_is_sorted_out_and_the_rest_compared_with_the_declared_base_as_reference(invented: Path) -> None:
    found = lineage(
        invented / "rio", invented / "qwen", invented / "stranger", invented / "nex", declared=("qwen",)
    ).lineage
    assert found is not None
    assert found.strangers == ("stranger",)
    assert found.compared == ("nex", "qwen", "stranger")
    assert found.shares["nex"] == pytest.approx(0.565, abs=1e-4)


def test_a_candidate_of_another_shape_or_format_is_said_and_the_rest_is_compared(
    invented: Path, tmp_path: Path
) -> None:
    import numpy as np

    other = write_checkpoint(tmp_path / "other", {"model.embed_tokens.weight": np.ones((64, 32), np.float32)})
    packed = Path(shutil.copytree(invented / "nex", tmp_path / "packed"))
    (packed / "config.json").write_text('{"quantization_config": {"quant_method": "gptq", "bits": 4}}')
    found = lineage(invented / "rio", other, packed, invented / "qwen", invented / "nex")
    assert found.lineage is not None
    assert found.lineage.verdict == "merge"
    assert "no tensor has the same name and shape" in found.missing["other"]
    assert "packed" in found.missing
    assert not {"other", "packed"} & set(found.lineage.compared)


def test_where_no_candidate_can_be_compared_there_is_no_lineage(invented: Path, tmp_path: Path) -> None:
    import numpy as np

    other = write_checkpoint(tmp_path / "other", {"model.embed_tokens.weight": np.ones((64, 32), np.float32)})
    found = lineage(invented / "rio", other)
    assert found.lineage is None
    assert "other: no tensor" in found.missing["lineage"]


def test_weights_that_no_candidate_has_are_told(invented: Path, tmp_path: Path) -> None:
    import numpy as np

    from tests.factories import write_safetensors

    folder = Path(shutil.copytree(invented / "rio", tmp_path / "rio"))
    for index in folder.glob("*.index.json"):
        index.unlink()
    write_safetensors(folder / "tower.safetensors", {"extra.tower.weight": np.ones((256, 256), np.float32)})
    found = lineage(folder, invented / "nex", invented / "qwen").lineage
    whole = lineage(invented / "rio", invented / "nex", invented / "qwen").lineage
    assert found is not None
    assert whole is not None
    assert found.covered < whole.covered == 1


def test_a_sample_is_in_doubt_whatever_it_shows(invented: Path) -> None:
    sample = Options(device="cpu", threads=1, sample=True)
    for names in (("nex", "qwen"), ("stranger",)):
        found = lineage(invented / "rio", *(invented / name for name in names), options=sample).lineage
        assert found is not None
        assert found.doubt == SAMPLED


def test_equal_weights_take_part_once_under_the_declared_name(invented: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(invented / "nex", tmp_path / "again"))
    found = lineage(invented / "rio", invented / "nex", again, invented / "qwen", declared=("again",))
    assert found.lineage is not None
    assert set(found.lineage.parents) == {"again", "qwen"}
    assert found.missing == {"nex": "its weights are those of again, with which the model was compared"}


def test_a_declared_stranger_is_one_by_all_of_its_weights_and_others_by_a_sample(
    invented: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelprov.check.measuring import lineage as module

    sampled: list[bool] = []
    real = module.compare
    monkeypatch.setattr(
        module, "compare", lambda models, options, *rest: sampled.append(options.sample) or real(models, options, *rest)
    )
    lineage(invented / "rio", invented / "stranger")
    assert sampled == [True]
    lineage(invented / "rio", invented / "stranger", declared=("stranger",))
    assert sampled == [True, True, False]


@pytest.mark.parametrize(
    ("bounds", "parents", "doubted"),
    [
        ({"a": (0.5, 0.6, 0.7), "b": (0.3, 0.4, 0.5)}, ("a", "b"), False),
        ({"a": (-1e-7, 0.0, 1e-7), "b": (0.9, 1.0, 1.1)}, ("b",), False),
        ({"a": (-0.01, 0.02, 0.05), "b": (0.95, 0.98, 1.01)}, ("b",), False),
        ({"a": (1.7, 1.77, 1.8), "b": (-0.8, -0.77, -0.7)}, ("a",), True),
    ],
    ids=["both", "bystander", "wide-interval", "beyond"],
)
def test_a_parent_is_one_only_when_its_interval_leaves_out_nothing(bounds, parents, doubted) -> None:  # type: ignore[no-untyped-def]
    found = _settled(bounds)
    assert found.parents == parents
    assert bool(found.doubt) is doubted


def test_the_parents_behind_a_declared_copy_of_the_merge_show_without_it(invented: Path, tmp_path: Path) -> None:
    between = Path(shutil.copytree(invented / "rio", tmp_path / "between"))
    models = invented / "rio", between, invented / "nex", invented / "qwen"
    found = lineage(*models, declared=("between", "qwen")).lineage
    assert found is not None
    assert (found.verdict, found.parents) == ("copy", ("between",))
    assert list(found.behind) == ["nex"]
    assert found.behind["nex"].startswith("without org/between, which the card names, rio is 0.565 × nex")


def test_a_candidate_with_the_weights_of_a_declared_parent_stands_behind_it(invented: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(invented / "nex", tmp_path / "again"))
    models = invented / "rio", invented / "nex", again, invented / "qwen"
    found = lineage(*models, declared=("again", "qwen")).lineage
    declared = lineage(*models, declared=("nex", "again", "qwen")).lineage
    assert found is not None
    assert declared is not None
    assert (found.behind, found.twins) == ({}, {"nex": "org/again"})
    assert declared.twins == {}


def test_nobody_stands_behind_the_declared_base_of_a_finetune(invented: Path) -> None:
    candidates = invented / "qwen", invented / "rio", invented / "stranger"
    found = lineage(invented / "nex", *candidates, declared=("qwen",)).lineage
    assert found is not None
    assert found.behind == {}
