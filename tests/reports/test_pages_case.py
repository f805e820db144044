"""A case: reports are tied together only by what they hold, and one page says what each of them says."""

from __future__ import annotations

import dataclasses

import pytest

from modelprov.checkpoints.digests import MANIFEST_COVERS, SAMPLE_COVERS
from modelprov.reports.case.models import match
from modelprov.reports.case.parts import Case
from modelprov.reports.case.tables import side_by_side
from modelprov.reports.case.words import NO_WEIGHTS, claims
from modelprov.reports.saving import rendered
from tests.reports import checks, pages, samples
from tests.reports.probing_samples import probe_report
from tests.reports.test_evaluation import sample

ONE, OTHER = "1" * 64, "2" * 64


def weights(**changes: object):
    """A comparison whose models are called rio, nex and qwen and lie below models/."""
    report = samples.merge()
    told = zip(report.inputs, ("rio", "nex", "qwen"), (ONE, "3" * 64, "3" * 64), strict=True)
    inputs = tuple(
        one.model_copy(update={"label": label, "location": f"models/{label}", "digest": digest,
                               "digest_covers": MANIFEST_COVERS})
        for one, label, digest in told
    )  # fmt: skip
    return report.model_copy(update={"inputs": (inputs[0].model_copy(update=changes), *inputs[1:])})


def checked(**changes: object):
    """A check of models/rio with candidates that have the headers of one another, as all models of a layout do."""
    report = checks.found()
    mine = report.inputs[0].model_copy(update={"digest": ONE, "digest_covers": MANIFEST_COVERS, **changes})
    near = {"role": "candidate", "digest": "3" * 64, "location": "models/nex", "declared": False}
    nex = mine.model_copy(update={"label": "nex-agi/Nex", **near})
    qwen = mine.model_copy(update={"label": "qwen", **near, "location": "models/qwen", "declared": True})
    return report.model_copy(update={"inputs": (mine, nex, qwen)})


def probed(**changes: object):
    report = probe_report()
    mine = report.models[0].model_copy(update={"digest": ONE, "digest_covers": SAMPLE_COVERS, **changes})
    return report.model_copy(update={"models": (mine, *report.models[1:])})


def scored(label: str = "rio", **changes: object):
    report = sample({"cot": "rrww"}, model_names=("nex", label))
    mine = report.models[1].model_copy(update={"digest": ONE, "digest_covers": SAMPLE_COVERS, **changes})
    return report.model_copy(update={"models": (report.models[0], mine)})


def test_digests_of_one_kind_that_differ_are_different_files_whatever_the_names():
    found = match(Case(weights(), check=checked(digest=OTHER)))
    assert len(found.contradictions) == 1
    assert "rio has digest 222222222222…, rio has 111111111111…" in found.contradictions[0]
    assert not match(Case(weights(), check=checked())).contradictions


def test_digests_of_different_kinds_are_never_compared():
    found = match(Case(weights(), probe=probed(digest=OTHER, location="models/rio")))
    assert (found.contradictions, found.warnings) == ((), ())
    assert "same name and place as in weights" in found.links[1].because


def test_equal_digests_of_headers_alone_do_not_make_two_names_one_model():
    found = match(Case(weights(), check=checked(label="sibling", location="models/sibling")))
    assert found.contradictions == ()
    assert "nothing says that sibling is rio" in found.warnings[0]


def test_equal_digests_that_cover_weights_do_whatever_the_names():
    found = match(Case(probe=probed(), evaluation=scored("renamed")))
    assert not found.contradictions
    assert not [one for one in found.warnings if "rio" in one or "renamed" in one]
    assert found.links[1].subject.model.label == "renamed"
    assert found.links[1].because == "same weights as in names, by digest"


def test_a_name_alone_is_a_warning():
    found = match(Case(weights(), evaluation=scored(location="elsewhere/rio")))
    assert [one for one in found.warnings if "only the name rio says" in one]
    absent = match(Case(weights(), evaluation=scored("zed")))
    assert [one for one in absent.warnings if "nothing says that nex is rio" in one]


def test_what_a_server_does_not_tell_is_no_digest():
    served = {"digest": "unknown", "digest_covers": "nothing: weights are not seen"}
    found = match(
        Case(probe=probed(digest="unknown", digest_covers=served["digest_covers"]), evaluation=scored(**served))
    )
    assert found.contradictions == ()
    assert "by digest" not in found.links[1].because


def test_a_parent_that_is_other_files_in_another_part_is_a_warning():
    other = weights()
    nex = other.inputs[1].model_copy(update={"label": "qwen", "digest": OTHER, "role": "control"})
    report = other.model_copy(update={"inputs": (other.inputs[0], nex)})
    assert "qwen is not the same files in weights and in claims" in match(Case(report, check=checked())).warnings[0]


def test_side_by_side_says_which_parents_the_card_names_though_their_headers_are_alike():
    rows = {row[0]: row for row in side_by_side(Case(weights(), check=checked(), probe=probed())).rows}
    assert list(rows) == ["rio", "nex", "qwen"]
    assert [rows[name][2] for name in rows] == ["–", "not named", "named as a base model"]
    assert rows["nex"][1] == "parent"


@pytest.mark.parametrize("form", ["html", "markdown"])
@pytest.mark.parametrize("part", ["weights", "check", "probe", "evaluation"])
def test_every_part_may_stand_alone(part: str, form: str):
    alone = Case(**{part: getattr(pages.case(), part)})
    text = rendered(form, alone)
    said = claims(alone)
    assert len(said) == 1
    assert (NO_WEIGHTS.split("`", maxsplit=1)[0] in text) == (part != "weights")


def test_every_part_has_its_claim_and_its_commands_on_the_page():
    case = Case(weights(), check=checked(), probe=probed(location="models/rio"), evaluation=scored())
    assert [one.split(":")[0] for one in claims(case)] == ["Weights", "Claims", "Names", "Scores"]
    for text in (rendered("html", case), rendered("markdown", case)):
        for report in (case.weights, case.check, case.probe, case.evaluation):
            assert report.command.split("--")[0].strip() in text
        assert "by digest" in text


def test_hostile_parts_stay_text_in_both_formats():
    case = dataclasses.replace(pages.case(hostile=True), sources=(("Weights", "<script>x</script>"),))
    page, text = rendered("html", case), rendered("markdown", case)
    assert "<script" not in page
    outside = "".join(part for at, part in enumerate(text.split("```")) if at % 2 == 0)
    assert "<script" not in outside
    assert "\x1b" not in page + text
    assert "\u202e" not in page + text
