"""Licences over licences, against what the texts say (checked by hand, one sentence of reason each)."""

import re

import pytest

from modelprov.check.licence_table import TABLE
from modelprov.check.licences import compatible, normalised, terms

CASES = [
    ("apache-2.0", "apache-2.0", "ok"),
    ("mit", "apache-2.0", "notice-needed"),  # the published case: section 4 of Apache-2.0
    ("apache-2.0", "mit", "notice-needed"),
    ("gpl-3.0", "apache-2.0", "notice-needed"),
    ("gpl-2.0", "apache-2.0", "incompatible"),  # the FSF's list
    ("apache-2.0", "gpl-3.0", "incompatible"),
    ("agpl-3.0", "gpl-3.0", "ok"),  # GPL-3.0 section 13
    ("gpl-3.0", "agpl-3.0", "incompatible"),
    ("mit", "cc-by-nc-4.0", "incompatible"),
    ("cc-by-nc-4.0", "mit", "notice-needed"),
    ("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "incompatible"),
    ("cc-by-nc-sa-4.0", "cc-by-nc-4.0", "notice-needed"),
    ("cc-by-sa-4.0", "cc-by-sa-3.0", "ok"),  # CC's "later version"
    ("cc-by-sa-3.0", "cc-by-sa-4.0", "incompatible"),
    ("gpl-3.0", "cc-by-sa-4.0", "ok"),  # CC's compatible licences, one way
    ("mit", "cc-by-nd-4.0", "incompatible"),
    ("cc-by-nd-4.0", "cc-by-nd-4.0", "incompatible"),
    ("mit", "cc0-1.0", "ok"),
    ("other", "cc0-1.0", "ok"),
    ("mit", "gemma", "incompatible"),
    ("gemma", "gemma", "ok"),
    ("mit", "llama3.1", "notice-needed"),
    ("openrail", "creativeml-openrail-m", "unknown"),
    ("apache-2.0", "bigscience-openrail-m", "incompatible"),
    ("mit", "qwen-research", "incompatible"),
    ("mit", "mpl-2.0", "unknown"),
    ("mit", "other", "unknown"),
    ("other", "mit", "unknown"),
    ("mit", None, "unknown"),
    ("mit", "some-licence", "unknown"),
    ("gpl-2.0-or-later", "apache-2.0", "unknown"),
]


@pytest.mark.parametrize(("child", "parent", "outcome"), CASES)
def test_one_licence_over_another(child, parent, outcome):
    found = compatible(child, [parent])
    assert found.outcome == outcome
    assert found.reason
    assert not found.reason.endswith(".")


def test_the_worst_answer_of_several_parents_counts():
    assert compatible("mit", ["mit", "apache-2.0"]).outcome == "notice-needed"
    assert compatible("mit", ["apache-2.0", "cc-by-nc-4.0", None]).outcome == "incompatible"
    assert compatible("mit", ["mit", None]).outcome == "unknown"
    assert compatible("mit", []).outcome == "ok"


def test_several_names_of_one_card_have_to_agree():
    assert compatible("mit, apache-2.0", ["gemma"]).outcome == "incompatible"
    assert compatible("mit, apache-2.0", ["apache-2.0"]).outcome == "unknown"
    assert compatible("mit", ["mit, apache-2.0"]).outcome == "notice-needed"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Apache 2.0", "apache-2.0"), ("MIT", "mit"), ("GPL-3.0-or-later", "gpl-3.0"), ("AGPL-3.0-only", "agpl-3.0"),
     ("CC_BY_NC_4.0", "cc-by-nc-4.0"), (" llama-3.1 ", "llama3.1"), ("Apache-2.0", "apache-2.0")],
)  # fmt: skip
def test_spellings_mean_the_hubs_identifier(written, meant):
    assert normalised(written) == meant
    assert terms(written) is not None


def test_no_licence_of_the_table_is_said_to_be_fine_over_an_unknown_one():
    assert {compatible(name, ["no-such-licence"]).outcome for name in TABLE} == {"unknown"}


def test_every_licence_goes_over_itself_unless_it_forbids_changed_versions():
    for name, row in TABLE.items():
        assert (compatible(name, [name]).outcome == "ok") != row.no_derivatives


def test_every_licence_that_share_alike_names_is_in_the_table_or_a_version_of_it():
    named = {one for row in TABLE.values() for one in row.same or ()}
    assert named <= set(TABLE)
    assert all(re.fullmatch(r"[a-z0-9.+-]+", name) for name in TABLE)
