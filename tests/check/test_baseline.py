"""Accepted findings: matched by rule and fingerprint, with a reason, until a day."""

import json
from datetime import date

import pytest

from modelprov.check.baseline import Baseline, Entry, apply, as_text, load_baseline, updated
from modelprov.check.results import Acceptance, Finding, Severity
from modelprov.errors import UsageError

TODAY = date(2027, 1, 31)


def finding(fingerprint="aa", rule="MP101", message="Something."):
    return Finding(rule=rule, name="x", severity=Severity.ERROR, message=message, fingerprint=fingerprint)


def entry(fingerprint="aa", rule="MP101", expires=None, reason="agreed", about=""):
    return Entry(fingerprint=fingerprint, rule=rule, reason=reason, expires=expires, about=about)


def test_an_accepted_finding_is_marked_and_the_others_stay_as_they_are():
    applied = apply([finding(), finding("bb")], Baseline(accepted=(entry(),)), TODAY)
    assert applied.findings == (
        finding().model_copy(update={"accepted": Acceptance(reason="agreed")}), finding("bb"),
    )  # fmt: skip
    assert applied.unmatched == ()


def test_acceptance_holds_on_its_last_day_and_not_on_the_next():
    baseline = Baseline(accepted=(entry(expires=TODAY),))
    assert apply([finding()], baseline, TODAY).findings[0].accepted == Acceptance(reason="agreed", expires="2027-01-31")
    applied = apply([finding()], baseline, date(2027, 2, 1))
    assert applied.findings[0].accepted is None
    assert applied.findings[0].message == "Something. It was accepted until 2027-01-31 (agreed); that day has passed."
    assert applied.expired == baseline.accepted
    assert applied.unmatched == ()


def test_whoever_accepted_a_warning_has_not_accepted_the_error_that_it_becomes():
    warning = finding().model_copy(update={"severity": Severity.WARNING})
    baseline = updated(Baseline(), [warning], "lies on a line", None, TODAY)
    assert apply([warning], baseline, TODAY).findings[0].accepted is not None
    applied = apply([finding()], baseline, TODAY)
    assert applied.findings[0].accepted is None
    assert applied.findings[0].message.endswith(
        "It was accepted as a warning (lies on a line); it counts as more now (error)."
    )
    assert applied.unmatched == ()
    renewed = updated(baseline, [finding()], "agreed", None, TODAY)
    assert [(each.reason, each.severity) for each in renewed.accepted] == [("agreed", Severity.ERROR)]
    assert updated(renewed, [warning], "again", None, TODAY) == renewed


def test_an_entry_counts_only_for_its_own_rule():
    applied = apply([finding(rule="MP102")], Baseline(accepted=(entry(),)), TODAY)
    assert applied.findings[0].accepted is None
    assert applied.unmatched == (entry(),)


def test_entries_without_a_finding_are_told():
    applied = apply([], Baseline(accepted=(entry(about="The weights come from A."),)), TODAY)
    assert applied.notes == (
        "The baseline accepts MP101 (The weights come from A.), which was not found this time: if the rule was judged, "
        "remove the entry.",
    )


def test_a_written_baseline_reads_back_and_accepts_what_it_was_made_from(tmp_path):
    findings = [finding("bb"), finding(message="Größer.")]
    made = updated(Baseline(), findings, "known", date(2027, 6, 1), TODAY)
    (tmp_path / "b.json").write_text(as_text(made), encoding="utf-8")
    read = load_baseline(tmp_path / "b.json")
    assert read == made
    assert as_text(read) == as_text(updated(Baseline(), findings[::-1], "known", date(2027, 6, 1), TODAY))
    assert all(one.accepted is not None for one in apply(findings, read, TODAY).findings)


def test_renewing_keeps_what_holds_renews_what_ended_and_drops_what_is_gone():
    old = Baseline(
        accepted=(entry("aa", reason="first"), entry("bb", reason="ended", expires=date(2027, 1, 1)), entry("cc"))
    )
    new = updated(old, [finding("aa"), finding("bb"), finding("dd")], "now", None, TODAY)
    assert {one.fingerprint: one.reason for one in new.accepted} == {"aa": "first", "bb": "now", "dd": "now"}


@pytest.mark.parametrize(("reason", "expires"), [("  ", None), ("fine", date(2027, 1, 30))])
def test_renewing_needs_a_reason_and_a_day_to_come(reason, expires):
    with pytest.raises(UsageError):
        updated(Baseline(), [finding()], reason, expires, TODAY)


GOOD = {"fingerprint": "aa", "rule": "MP101", "reason": "agreed"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "the document"),
        ({"accepted": [{**GOOD, "reason": " "}]}, "accepted.0.reason: is empty; say why"),
        ({"accepted": [{"fingerprint": "aa", "rule": "MP101"}]}, "accepted.0.reason: is missing"),
        ({"accepted": [{**GOOD, "until": "x"}]}, "accepted.0.until: is no key of a baseline"),
        ({"accepted": [{**GOOD, "expires": "31.1.2027"}]}, "write it like 2027-01-31"),
        ({"accepted": [{**GOOD, "expires": "2027-02-30"}]}, "write it like 2027-01-31"),
        ({"accepted": [{**GOOD, "expires": 5}]}, "write it like 2027-01-31"),
        ({"accepted": [GOOD, GOOD]}, "MP101 aa is accepted twice"),
        ({"schema_version": "9"}, "schema_version"),
    ],
)
def test_a_baseline_that_is_wrong_says_where(tmp_path, document, message):
    path = tmp_path / "b.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(UsageError) as caught:
        load_baseline(path)
    assert message in caught.value.message


def test_days_are_read_as_days(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps({"accepted": [{**GOOD, "expires": "2027-01-31"}]}))
    assert load_baseline(tmp_path / "b.json").accepted[0].expires == TODAY
