"""Comparisons of checkpoints that are elsewhere: sampled, announced, within a budget, and the same numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import BudgetSpentError, UsageError
from modelprov.forensics.compare import Options
from modelprov.forensics.results import VerdictClass
from modelprov.jobs import reach as reach_job
from modelprov.jobs.check import check
from modelprov.jobs.compare import compare
from modelprov.jobs.identify import identify
from modelprov.jobs.inspect import inspect
from modelprov.jobs.library import add
from modelprov.jobs.reach import Ahead, Reach, compared
from modelprov.jobs.verify import verify
from modelprov.progress import SILENT
from modelprov.reports.comparison.as_json import render_json
from modelprov.reports.comparison.report import Report
from tests.checkpoints.adapted import write_adapter
from tests.checkpoints.remote.conftest import reach
from tests.checkpoints.remote.hub import COMMIT, Hub, serving
from tests.memory import Silence

NAMES = ("org/rio", "org/nex", "org/qwen")


class Heard(Silence):
    """What a run told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def tell(self, text: str, /) -> None:
        self.said.append(text)


@pytest.fixture
def hub(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    state = Hub()
    for name in ("rio", "rio-trained", "nex", "qwen", "sibling"):
        if (models / name).is_dir():
            state.add(f"org/{name}", models / name)
    with serving(state):
        reach(state, tmp_path, monkeypatch)
        yield state


def numbers(report: Report) -> dict[str, Any]:
    """Everything but what is of the run and of the place."""
    found: dict[str, Any] = json.loads(render_json(report))
    for key in ("command", "environment", "inputs", "settings"):
        del found[key]
    del found["reproduction"]["yaml"]
    return found


def test_a_remote_comparison_is_the_sampled_comparison_of_the_folders_and_is_fetched_once(
    hub: Hub, models: Path
) -> None:
    heard = Heard()
    remote = compare(*NAMES, device="cpu", progress=heard)
    assert remote.settings is not None
    folders = (models / name.removeprefix("org/") for name in NAMES)
    local = compare(*folders, device="cpu", sample=True, sample_size=2 * remote.settings.sample_elements)
    assert remote.mode == "sample"
    assert numbers(remote) == numbers(local)
    assert [each.revision for each in remote.inputs] == [COMMIT] * 3
    assert [each.digest for each in remote.inputs] == [each.digest for each in local.inputs]
    assert heard.said[0].startswith("reading a sample of what is elsewhere: at most ")
    assert "fetched" in heard.said[-1]
    sent = hub.sent
    assert numbers(compare(*NAMES, device="cpu")) == numbers(remote)
    assert hub.sent == sent


def test_folders_and_repositories_are_compared_whole_where_that_is_asked_for(hub: Hub, models: Path) -> None:
    mixed = compare(
        models / "rio", "https://huggingface.co/org/nex/tree/main", models / "qwen", full=True, device="cpu"
    )
    assert mixed.mode == "full"
    assert mixed.verdict.class_ == "merge"
    weights = sum(len(data) for file, data in hub.repositories["org/nex"].items() if "safetensors" in file)
    assert weights < hub.sent < 1.5 * weights


@pytest.mark.usefixtures("hub")
def test_what_is_over_the_budget_is_refused_before_it_is_read() -> None:
    heard = Heard()
    with pytest.raises(BudgetSpentError, match="nothing was read") as caught:
        compare(*NAMES, full=True, budget=20_000, device="cpu", progress=heard)
    assert caught.value.exit_code == 3
    assert "budget" in caught.value.advice
    assert "budget: 20.0 kB" in heard.said[0]


def test_a_suspect_that_is_elsewhere_is_identified_within_the_budget(hub: Hub, models: Path, tmp_path: Path) -> None:
    for name in ("nex", "qwen"):
        add(models / name, tmp_path / "known", size=100_000)
    with pytest.raises(BudgetSpentError, match="budget is spent"):
        identify("org/rio", library=tmp_path / "known", budget=20_000, threads=1)
    assert hub.sent <= 20_000
    heard = Heard()
    found = identify("org/rio", library=tmp_path / "known", budget=20_000_000, threads=1, progress=heard)
    assert (found.verdict, set(found.members)) == ("merge", {"nex", "qwen"})
    assert heard.said[-1].startswith("fetched ")


def test_a_sample_and_everything_cannot_both_be_asked_for() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        compare("a", "b", sample=True, full=True)


@pytest.mark.usefixtures("hub")
def test_a_repository_is_inspected_and_verified_like_a_folder(models: Path, tmp_path: Path) -> None:
    assert inspect("org/rio", digest=True).weights_digest == inspect(models / "rio", digest=True).weights_digest
    recipe = tmp_path / "claim.yml"
    recipe.write_text(
        "merge_method: linear\nmodels:\n  - {model: org/rio, parameters: {weight: 1.0}}\ndtype: bfloat16\n"
    )
    assert verify("hf://org/rio", recipe).bit_equal > 0.99


def found(verdict: VerdictClass, bit_equal: float | None, rule: str = "") -> Any:
    """As much of a comparison as says whether it is settled."""
    overall = SimpleNamespace(equal={"nex": bit_equal or 0.0})
    reproduction = SimpleNamespace(bit_equal=bit_equal)
    verdict_ = SimpleNamespace(class_=verdict, rule=rule)
    return SimpleNamespace(
        findings=SimpleNamespace(verdict=verdict_, overall=overall, reproduction=reproduction), coordinates=None
    )


@pytest.mark.parametrize(
    ("verdict", "bit_equal", "samples"),
    [
        (VerdictClass.MERGE, 1.0, [1 << 20]),
        (VerdictClass.COPY, 1.0, [1 << 20]),
        (VerdictClass.MERGE, 0.95, [1 << 20]),
        (VerdictClass.COPY, 0.95, [1 << 20, 8 << 20]),
        (VerdictClass.MERGE, 0.5, [1 << 20, 8 << 20]),
        (VerdictClass.MERGE, None, [1 << 20, 8 << 20]),
        (VerdictClass.UNRELATED, None, [1 << 20, 8 << 20]),
        (VerdictClass.SAME_ORIGIN, None, [1 << 20, 8 << 20]),
        (VerdictClass.INCONCLUSIVE, None, [1 << 20, 8 << 20]),
    ],
)
def test_only_bits_settle_it_on_the_small_sample(
    verdict: VerdictClass, bit_equal: float | None, samples: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def job(options: Options, _before: object) -> Any:
        assert options.sample
        asked.append(options.sample_elements)
        return found(verdict, bit_equal)

    monkeypatch.setattr(reach_job, "far", lambda checkpoints: checkpoints)
    monkeypatch.setattr(reach_job, "partial", lambda _checkpoints: ())
    compared(job, [None], Options(), Reach(8 << 20), SILENT)  # type: ignore[list-item]
    assert asked == samples


def test_a_copy_that_was_rounded_is_settled_on_the_small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def job(options: Options, _before: object) -> Any:
        asked.append(options.sample_elements)
        return found(VerdictClass.INCONCLUSIVE, None, "rounded")

    monkeypatch.setattr(reach_job, "far", lambda checkpoints: checkpoints)
    monkeypatch.setattr(reach_job, "partial", lambda _checkpoints: ())
    compared(job, [None], Options(), Reach(8 << 20), SILENT)  # type: ignore[list-item]
    assert asked == [1 << 20]


def test_a_sample_over_the_budget_is_made_smaller_and_the_small_one_stands_where_the_whole_would_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(reach_job, "far", lambda checkpoints: checkpoints)
    monkeypatch.setattr(reach_job, "partial", lambda _checkpoints: ())
    monkeypatch.setattr(reach_job, "ahead", lambda _alignment, plan: Ahead(10, plan, 1.0))

    def job(options: Options, before: Any) -> Any:
        before(None, 2 * options.sample_elements)
        asked.append(options.sample_elements)
        return found(VerdictClass.UNRELATED, None)

    heard = Heard()
    compared(job, [None], Options(), Reach(8 << 20, budget=3 << 20), heard)  # type: ignore[list-item]
    assert asked == [1 << 20]
    assert any("the small one stands" in said for said in heard.said)
    asked.clear()
    compared(job, [None], Options(), Reach(8 << 20, budget=1 << 20), heard)  # type: ignore[list-item]
    assert len(asked) == 1
    assert 1 << 16 <= asked[0] < 1 << 19
    with pytest.raises(BudgetSpentError):
        compared(job, [None], Options(), Reach(8 << 20, budget=100_000), heard)  # type: ignore[list-item]


def test_a_repository_is_checked_like_its_folder(hub: Hub, models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "claimed"
    shutil.copytree(models / "nex", folder)
    card = "---\nbase_model: org/qwen\nbase_model_relation: finetune\nlicense: mit\n---\n# claimed\n"
    (folder / "README.md").write_text(card)
    (folder / "deep" / "down").mkdir(parents=True)
    (folder / "deep" / "down" / "run.py").write_text("")
    (folder / "training_args.bin").write_bytes(b"0" * 1000)
    hub.add("org/claimed", folder)
    far = check("org/claimed", expected_digest="0" * 64, threads=1)
    here = check(folder, candidates=f"org/qwen={models / 'qwen'}", sample=True, threads=1)

    def seen(found: Any) -> set[tuple[str, str]]:
        return {(each.rule, each.message.replace(str(folder), "org/claimed")) for each in found.findings}

    assert seen(far) == seen(here)
    assert any("deep/down/run.py" in message for _, message in seen(far))
    assert far.report.folder == "org/claimed"
    assert far.report.inputs[0].revision == COMMIT
    assert [each.name for each in far.report.not_judged if "elsewhere" in each.reason] == ["digest-differs"]
    assert far.outcome == "could not judge"


@pytest.mark.usefixtures("hub")
def test_a_model_that_names_itself_as_its_base_is_not_compared_with_itself(hub: Hub) -> None:
    hub.repositories["org/self"] = {**hub.repositories["org/nex"], "README.md": b"---\nbase_model: org/self\n---\n"}
    report = check("org/self", threads=1).report
    assert [each.location for each in report.inputs] == ["org/self"]


def test_an_adapter_on_a_base_is_sampled_where_both_lie_and_recorded_at_both_commits(
    hub: Hub, models: Path, tmp_path: Path
) -> None:
    random = np.random.default_rng(5)
    name = next(name for name in open_checkpoint(str(models / "nex")).tensors if name.endswith("o_proj.weight"))
    rows, columns = open_checkpoint(str(models / "nex")).tensors[name].shape
    pair = {"lora_A": random.normal(size=(2, columns)), "lora_B": random.normal(size=(rows, 2))}
    module = name.removesuffix(".weight")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 1, "target_modules": ["o_proj"]}
    named = {f"{module}.{part}.weight": values for part, values in pair.items()}
    hub.add("org/adapter", write_adapter(tmp_path / "adapter", named, config))
    hub.commits["org/adapter"] = "f" * 40
    report = compare("org/nex+org/adapter", "org/nex", device="cpu", progress=SILENT)
    assert report.mode == "sample"
    assert report.inputs[0].location == f"org/nex@{COMMIT}+org/adapter@{'f' * 40}"
    assert report.verdict.class_ is VerdictClass.SAME_ORIGIN
