"""CycloneDX and SPDX bills: valid by the official schemas; a parent is an ancestor only where the weights show it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from modelprov.checkpoints.digests import HashedWeights
from modelprov.reports.comparison.as_json import load_report, render_json
from modelprov.reports.comparison.report import Report
from modelprov.reports.evidence.bill_of_materials import package_url, relatives
from modelprov.reports.evidence.cyclonedx import render_cyclonedx
from modelprov.reports.evidence.spdx import render_spdx
from tests.reports.samples import SAMPLES

SCHEMAS = Path(__file__).parents[1] / "data" / "schemas"
SHA = "ab" * 32
RENDERERS: dict[str, Callable[..., str]] = {"cyclonedx": render_cyclonedx, "spdx": render_spdx}


def _schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text())


@pytest.fixture(scope="module")
def validators() -> dict[str, Any]:
    names = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    parts = [(f"http://cyclonedx.org/schema/{name}", Resource.from_contents(_schema(name))) for name in names]
    cyclonedx: Any = jsonschema.Draft7Validator
    return {
        "cyclonedx": cyclonedx(
            _schema("bom-1.6.SNAPSHOT.schema.json"),
            registry=Registry().with_resources(parts),
            format_checker=cyclonedx.FORMAT_CHECKER,
        ),
        "spdx": jsonschema.Draft202012Validator(_schema("spdx-3.0.1.schema.json")),
    }


def sample(name: str) -> Report:
    return load_report(render_json(SAMPLES[name]()))


def whole(report: Report) -> dict[str, HashedWeights]:
    return {one.label: HashedWeights({"a.safetensors": "01" * 32}, "02" * 32) for one in report.inputs[:2]}


@pytest.mark.parametrize("form", RENDERERS)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_bill_fits_the_official_schema(validators: dict[str, Any], name: str, form: str) -> None:
    report = sample(name)
    for hashed in (None, whole(report)):
        text = RENDERERS[form](report, SHA, hashed)
        assert text.isascii()
        assert [error.message[:200] for error in validators[form].iter_errors(json.loads(text))] == []


def test_the_schemas_can_refuse(validators: dict[str, Any]) -> None:
    bill = json.loads(render_cyclonedx(sample("merge"), SHA))
    bill["metadata"]["component"]["type"] = "model"
    assert not validators["cyclonedx"].is_valid(bill)
    document = json.loads(render_spdx(sample("merge"), SHA))
    for one in document["@graph"]:
        if one["type"] == "Relationship":
            one["relationshipType"] = "childOf"
    assert not validators["spdx"].is_valid(document)


def test_the_parents_of_a_merge_are_ancestors_with_their_proportion() -> None:
    report = sample("merge")
    model = json.loads(render_cyclonedx(report, SHA))["metadata"]["component"]
    ancestors = model["pedigree"]["ancestors"]
    assert [one["name"] for one in ancestors] == [one.label for one in report.inputs if one.role != "suspect"][:2]
    given = {pair["name"]: pair["value"] for pair in ancestors[0]["properties"]}
    assert float(given["modelprov:alpha"]) == report.mixing.alpha
    assert float(given["modelprov:alpha-low"]) == report.mixing.low
    assert float(given["modelprov:alpha-high"]) == report.mixing.high
    rest = {pair["name"]: pair["value"] for pair in ancestors[1]["properties"]}
    assert float(rest["modelprov:alpha"]) == pytest.approx(1 - float(given["modelprov:alpha"]))
    assert float(rest["modelprov:alpha-low"]) == pytest.approx(1 - float(given["modelprov:alpha-high"]))


def _mixed(weights: dict[str, float], bit_equal: float, intervals: tuple[tuple[float, float], ...]) -> Report:
    """The sample of three parents with another recipe and other intervals."""
    report = sample("three_parents")
    parents = [one.label for one in report.inputs if one.role == "parent"]
    group = report.reproduction.groups[0].model_copy(update={"weights": weights})
    coefficients = tuple(
        report.mixing.coefficients[0].model_copy(
            update={"parent": parent, "alpha": (low + high) / 2, "low": low, "high": high}
        )
        for parent, (low, high) in zip(parents, intervals, strict=True)
    )
    made = report.reproduction.model_copy(update={"groups": (group,), "bit_equal": bit_equal})
    mixing = report.mixing.model_copy(update={"coefficients": coefficients})
    return report.model_copy(update={"reproduction": made, "mixing": mixing})


def test_a_candidate_that_is_not_in_the_mix_is_never_called_an_ancestor() -> None:
    first, second, rest = (one.label for one in sample("three_parents").inputs if one.role in ("parent", "reference"))
    by_recipe = _mixed({first: 0.6, second: 0.0, rest: 0.4}, 1.0, ((0.59, 0.61), (-0.001, 0.001)))
    assert [one.input.label for one in relatives(by_recipe)] == [first, rest]
    estimated = _mixed({first: 0.6, second: 0.0, rest: 0.4}, 0.9, ((0.59, 0.61), (-0.001, 0.001)))
    assert [one.input.label for one in relatives(estimated)] == [first, rest]
    without_reference = _mixed({}, 0.9, ((0.59, 0.61), (0.39, 0.41)))
    assert [one.input.label for one in relatives(without_reference)] == [first, second]


def test_the_reference_has_what_the_others_leave() -> None:
    report = _mixed({}, 0.9, ((0.2, 0.3), (0.4, 0.5)))
    given = dict(relatives(report)[-1].properties)
    found = [float(given[f"modelprov:alpha{end}"]) for end in ("", "-low", "-high")]
    assert found == pytest.approx([0.3, 0.2, 0.4])


def test_in_spdx_the_proportion_is_the_comment_of_the_relationship() -> None:
    graph = json.loads(render_spdx(sample("merge"), SHA))["@graph"]
    related = [one for one in graph if one["type"] == "Relationship"]
    assert [one["relationshipType"] for one in related] == ["descendantOf", "descendantOf"]
    assert all("alpha 0." in one["comment"] for one in related)
    names = {one["spdxId"] for one in graph if "spdxId" in one}
    assert {related[0]["from"], *related[0]["to"], *related[1]["to"]} <= names
    assert len({*related[0]["to"], *related[1]["to"]}) == 2


@pytest.mark.parametrize("name", ["copy", "same_origin"])
def test_where_the_order_in_time_is_unknown_a_parent_is_a_variant_and_no_ancestor(name: str) -> None:
    report = sample(name)
    model = json.loads(render_cyclonedx(report, SHA))["metadata"]["component"]
    if report.verdict.parent is not None:
        assert [one["name"] for one in model["pedigree"]["variants"]] == [report.verdict.parent]
    assert "ancestors" not in model["pedigree"]
    assert "descendantOf" not in render_spdx(report, SHA)


@pytest.mark.parametrize("name", ["unrelated", "inconclusive"])
def test_nobody_is_named_where_nothing_was_found(name: str) -> None:
    report = sample(name)
    assert relatives(report) == ()
    pedigree = json.loads(render_cyclonedx(report, SHA))["metadata"]["component"]["pedigree"]
    assert set(pedigree) == {"notes"}
    assert [one["type"] for one in json.loads(render_spdx(report, SHA))["@graph"]].count("ai_AIPackage") == 1


def test_what_the_weights_do_not_show_is_in_both() -> None:
    report = sample("merge")
    for render in RENDERERS.values():
        assert report.verdict.does_not_show[0] in json.dumps(json.loads(render(report, SHA)), ensure_ascii=False)


def test_only_hashes_of_files_are_given_as_sha256() -> None:
    report = sample("merge")
    model = json.loads(render_cyclonedx(report, SHA, whole(report)))["metadata"]["component"]
    assert "hashes" not in model
    assert model["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "01" * 32}]
    graph = json.loads(render_spdx(report, SHA, whole(report)))["@graph"]
    hashes = {one["type"]: one["verifiedUsing"] for one in graph if "verifiedUsing" in one}
    assert {one["algorithm"] for one in hashes["ai_AIPackage"]} == {"other"}
    assert [one["hashValue"] for one in hashes["software_File"]] == ["01" * 32]


def test_the_same_report_gives_the_same_bill_and_another_one_another_identity() -> None:
    report = sample("merge")
    for render in RENDERERS.values():
        assert render(report, SHA) == render(report, SHA)
        assert render(report, SHA) != render(report, "cd" * 32)


def test_a_package_url_is_given_for_the_hub_only() -> None:
    one = sample("merge").inputs[1]
    hub = one.model_copy(update={"location": "Org/Name-1.5", "revision": "c" * 40})
    assert package_url(hub) == f"pkg:huggingface/Org/Name-1.5@{'c' * 40}"
    assert package_url(hub.model_copy(update={"revision": None})) is None
    assert package_url(hub.model_copy(update={"location": "/data/Name"})) is None
