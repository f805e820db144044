"""A check from folder to outcome: what fails, what passes, and what must not be said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from modelprov.check.policy import Policy
from modelprov.check.results import CheckReport, Severity
from modelprov.check.run import Checked
from tests.check.conftest import card

Check = Callable[..., Checked]
BOTH = "license: apache-2.0\nbase_model:\n- org/nex\n- org/qwen\nbase_model_relation: merge\n"
ONE = "license: apache-2.0\nbase_model: org/qwen\n"
TRAINED_TEXT = "# Rio\n\nRio was post-trained on our own data.\n"


def errors(report: CheckReport) -> list[str]:
    return [one.rule for one in report.findings if one.severity is Severity.ERROR]


def required(report: CheckReport) -> list[str]:
    return [one.rule for one in report.not_judged if one.required]


@pytest.fixture
def rio(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "rio", tmp_path / "rio"))


def named(family: Path, *names: str) -> list[str]:
    return [f"org/{name}={family / name}" for name in names]


def test_the_published_case_fails_for_its_parent_and_for_the_training(check: Check, trained: Path, rio: Path) -> None:
    report = check(card(rio, ONE, TRAINED_TEXT), *named(trained, "qwen", "nex")).report
    assert report.outcome == "findings"
    assert errors(report) == ["MP101", "MP104"]
    assert [one.location.line for one in report.findings if one.location] == [3, 7]


def test_an_honest_card_passes_and_its_claims_are_confirmed(check: Check, trained: Path, rio: Path) -> None:
    report = check(card(rio, BOTH), *named(trained, "qwen", "nex")).report
    assert report.outcome == "passed"
    assert not report.findings
    assert {one.kind: one.status for one in report.claims if one.kind in ("base-model", "relation", "recipe")} == {
        "base-model": "confirmed", "relation": "confirmed", "recipe": "confirmed",
    }  # fmt: skip


def test_nothing_to_compare_with_never_passes(check: Check, rio: Path) -> None:
    report = check(card(rio, ONE)).report
    assert report.outcome == "could not judge"
    assert required(report) == ["MP101"]
    assert "--candidates" in next(one.reason for one in report.not_judged if one.required)


def test_from_scratch_without_candidates_does_not_pass_unless_the_policy_says_so(check: Check, rio: Path) -> None:
    scratch = card(rio, "license: mit\n", "# Rio\n\nRio was trained from scratch.\n")
    assert check(scratch).report.outcome == "could not judge"
    assert check(scratch, policy=Policy(required=())).report.outcome == "passed"


def test_a_sample_neither_accuses_nor_passes(check: Check, trained: Path, rio: Path) -> None:
    for front in (ONE, BOTH):
        report = check(card(rio, front, TRAINED_TEXT), *named(trained, "qwen", "nex"), sample=True).report
        assert report.outcome == "could not judge"
        assert not errors(report)


def test_a_sample_does_not_call_a_declared_base_a_stranger(check: Check, invented: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(invented / "rio", tmp_path / "rio"))
    card(folder, "license: mit\nbase_model: org/stranger\n")
    assert errors(check(folder, *named(invented, "stranger"), sample=True).report) == []
    assert errors(check(folder, *named(invented, "stranger")).report) == ["MP102"]


def test_the_same_model_under_another_name_is_no_undeclared_parent(check: Check, trained: Path, rio: Path) -> None:
    card(rio, ONE, TRAINED_TEXT)
    report = check(rio, *named(trained, "qwen"), f"mirror/rio={trained / 'rio'}").report
    assert report.lineage is not None
    assert report.lineage.verdict == "copy"
    assert not errors(report)
    assert report.outcome == "could not judge"


def test_the_folder_itself_as_a_candidate_takes_no_part(check: Check, trained: Path, rio: Path) -> None:
    report = check(card(rio, BOTH), *named(trained, "qwen", "nex"), f"org/rio={rio}").report
    assert report.outcome == "passed"
    assert "rio" not in (report.lineage.compared if report.lineage else ())


def test_a_declared_base_that_is_elsewhere_may_be_the_candidate_under_its_own_name(
    check: Check, trained: Path, rio: Path
) -> None:
    report = check(card(rio, ONE, TRAINED_TEXT), str(trained / "qwen"), str(trained / "nex")).report
    assert not errors(report)
    assert "org/qwen=PATH" in next(one.reason for one in report.not_judged if one.rule == "MP101")


@pytest.mark.parametrize("child", ["nex", "qwen"])
def test_a_parent_is_not_accused_of_coming_from_its_own_merge(
    check: Check, trained: Path, tmp_path: Path, child: str
) -> None:
    other = {"nex": "qwen", "qwen": "nex"}[child]
    folder = Path(shutil.copytree(trained / child, tmp_path / child))
    card(folder, f"license: apache-2.0\nbase_model: org/{other}\n", TRAINED_TEXT)
    report = check(folder, *named(trained, other, "rio")).report
    assert not errors(report)
    assert report.outcome != "passed"


def test_a_bystander_among_the_candidates_is_no_parent(check: Check, trained: Path, rio: Path) -> None:
    report = check(card(rio, BOTH), *named(trained, "sibling", "qwen", "nex")).report
    assert report.outcome == "passed"
    assert report.lineage is not None
    assert set(report.lineage.parents) == {"nex", "qwen"}


def test_a_trained_merge_is_never_an_error_also_beside_a_control(check: Check, invented: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(invented / "rio-trained", tmp_path / "rio"))
    card(folder, ONE)
    for controls in ((), (str(invented / "sibling"),)):
        report = check(folder, *named(invented, "qwen", "nex"), controls=controls).report
        assert report.lineage is not None
        assert report.lineage.verdict == "on-line"
        assert (report.outcome, errors(report)) == ("could not judge", [])


def test_a_control_that_fares_the_same_leaves_no_finding(check: Check, invented: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(invented / "rio", tmp_path / "rio"))
    card(folder, ONE, TRAINED_TEXT)
    report = check(folder, *named(invented, "qwen", "nex"), controls=(str(invented / "rio-bf16"),)).report
    assert not errors(report)
    assert report.outcome == "could not judge"


def test_a_merge_in_pieces_names_the_parent_of_every_piece(check: Check, trained: Path, tmp_path: Path) -> None:
    folder = pieces(trained, tmp_path / "rio")
    report = check(card(folder, ONE), *named(trained, "qwen", "nex")).report
    assert report.lineage is not None
    assert report.lineage.verdict == "merge"
    assert errors(report) == ["MP101"]
    assert set(report.lineage.parents) == {"nex", "qwen"}
    of_layer_0 = 196_800 / (196_800 + 459_648)
    assert report.lineage.shares["nex"] == pytest.approx(0.9 * of_layer_0 + 0.3 * (1 - of_layer_0), abs=1e-3)


def pieces(trained: Path, out: Path) -> Path:
    """The first layer of nex at 0.9, all else at 0.3."""
    from modelprov.merge.virtual import plan_recipe
    from modelprov.merge.writing import WriteOptions, write_merge
    from modelprov.recipes.reading import parse
    from tests.check.conftest import Silent

    recipe = parse(
        f"""
merge_method: linear
models:
- model: {trained / "nex"}
  parameters: {{weight: [{{filter: layers.0., value: 0.9}}, {{value: 0.3}}]}}
- model: {trained / "qwen"}
  parameters: {{weight: [{{filter: layers.0., value: 0.1}}, {{value: 0.7}}]}}
modelprov: {{arithmetic: float32}}
"""
    )
    write_merge(plan_recipe(recipe, None), out, WriteOptions(), Silent())
    for name in ("recipe.yml", "merge_receipt.json"):
        (out / name).unlink()
    return out


def test_two_names_of_the_same_weights_are_compared_once(
    check: Check, trained: Path, rio: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained / "nex", tmp_path / "again")
    report = check(card(rio, BOTH), *named(trained, "qwen", "nex"), f"other/nex={tmp_path / 'again'}").report
    assert report.outcome == "passed"
    assert report.lineage is not None
    assert set(report.lineage.parents) == {"qwen", "org/nex"}


def test_the_expected_digest_is_confirmed_or_is_an_error(check: Check, trained: Path, rio: Path) -> None:
    from modelprov.checkpoints.digests import weights_digest
    from modelprov.checkpoints.opening import open_checkpoint

    right = weights_digest(open_checkpoint(str(rio)))
    card(rio, BOTH)
    passed = check(rio, *named(trained, "qwen", "nex"), expected_digest=f"sha256:{right.upper()}").report
    assert passed.outcome == "passed"
    assert [one.status for one in passed.claims if one.kind == "digest"] == ["confirmed"]
    wrong = check(rio, *named(trained, "qwen", "nex"), expected_digest="0" * 64).report
    assert errors(wrong) == ["MP403"]


def test_an_expected_digest_that_cannot_be_taken_is_required_whatever_the_policy_says(check: Check, rio: Path) -> None:
    shard = next(rio.glob("*.safetensors"))
    shard.unlink()
    (rio / "model.safetensors.index.json").unlink()
    (rio / "model.onnx").write_bytes(b"x")
    lax = Policy(required=())
    assert check(card(rio, BOTH), policy=lax).report.outcome == "passed"
    report = check(rio, policy=lax, expected_digest="0" * 64).report
    assert (report.outcome, required(report)) == ("could not judge", ["MP403"])
