"""Statements and envelopes: valid by in-toto's own package, verified by another program; nothing leaks."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement as OfficialStatement
from in_toto_attestation.v1.statement_pb2 import Statement as OfficialForm
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from modelprov.checkpoints.digests import HashedWeights
from modelprov.errors import UsageError
from modelprov.reports.comparison.as_json import load_report, render_json
from modelprov.reports.comparison.report import Report
from modelprov.reports.evidence.attestation import make_statement, statement_text
from modelprov.reports.evidence.attestation_check import check_report, check_weights
from modelprov.reports.evidence.attestation_envelope import (
    open_envelope,
    pre_authentication,
    public_key,
    sign,
    verified,
)
from modelprov.reports.evidence.statements import load_statement
from tests.reports.samples import SAMPLES

SHA = "ab" * 32
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def hashed(*files: str) -> HashedWeights:
    return HashedWeights({name: hashlib.sha256(name.encode()).hexdigest() for name in files}, "cd" * 32)


@pytest.fixture
def merge() -> Report:
    return load_report(render_json(SAMPLES["merge"]()))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_statement_is_valid_by_the_package_of_in_toto(name: str) -> None:
    report = load_report(render_json(SAMPLES[name]()))
    for known in ({}, {report.inputs[0].label: hashed("a.safetensors", "b.safetensors")}):
        statement = make_statement(report, SHA, known)
        form = json_format.Parse(statement_text(statement), OfficialForm())
        OfficialStatement.copy_from_pb(form).validate()
        assert load_statement(statement_text(statement)) == statement


def test_a_statement_says_what_the_report_says(merge: Report) -> None:
    predicate = make_statement(merge, SHA).predicate
    assert predicate.verdict.class_ == "merge"
    first = predicate.mixing.shares[0]
    assert (first.alpha, first.low, first.high) == (merge.mixing.alpha, merge.mixing.low, merge.mixing.high)
    assert predicate.recipe.groups == merge.reproduction.groups
    assert predicate.does_not_show == merge.verdict.does_not_show
    assert [one.revision for one in predicate.inputs] == [one.revision for one in merge.inputs]
    assert (predicate.run.seed, predicate.run.version) == (merge.environment.seed, merge.environment.modelprov)
    assert predicate.report.sha256 == SHA


def test_the_digest_of_headers_is_not_passed_off_as_a_sha256_of_a_file(merge: Report) -> None:
    (subject,) = make_statement(merge, SHA).subject
    assert subject.digest == {"modelprovManifestSha256": merge.inputs[0].digest}


def test_hashed_shards_are_the_subject_and_other_hashed_inputs_have_their_digest(merge: Report) -> None:
    suspect, parent = merge.inputs[0].label, merge.inputs[1].label
    statement = make_statement(merge, SHA, {suspect: hashed("b", "a"), parent: hashed("c")})
    assert [one.name for one in statement.subject] == ["a", "b"]
    assert statement.subject[0].digest == {"sha256": hashlib.sha256(b"a").hexdigest()}
    assert statement.predicate.inputs[1].digest["modelprovWeightsSha256"] == "cd" * 32


def test_paths_and_commands_of_this_machine_stay_here(merge: Report) -> None:
    moved = tuple(
        one.model_copy(update={"location": f"/home/secret/{one.label}", "revision": None}) for one in merge.inputs
    )
    private = merge.model_copy(update={"inputs": moved, "command": "modelprov compare /home/secret/x"})
    assert "secret" not in statement_text(make_statement(private, SHA))


def test_a_repository_is_named_with_its_revision(merge: Report) -> None:
    one = merge.inputs[1].model_copy(update={"location": "org/name", "revision": "c" * 40})
    report = merge.model_copy(update={"inputs": (merge.inputs[0], one, *merge.inputs[2:])})
    told = make_statement(report, SHA).predicate.inputs[1]
    assert (told.repository, told.revision) == ("org/name", "c" * 40)


def test_the_signed_bytes_are_those_of_the_protocol() -> None:
    # The example of the DSSE specification.
    signed = pre_authentication(b"hello world", "http://example.com/HelloWorld")
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_another_program_verifies_the_envelope_and_refuses_a_changed_one(merge: Report) -> None:
    envelope = json.loads(sign(statement_text(make_statement(merge, SHA)).encode(), KEY))
    raw = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    keyid = envelope["signatures"][0]["keyid"]
    theirs = SSlibKey(keyid, "ed25519", "ed25519", {"public": raw})
    assert list(Envelope.from_dict(json.loads(json.dumps(envelope))).verify([theirs], 1)) == [keyid]
    changed = base64.b64decode(envelope["payload"]).replace(b'"merge"', b'"other"')
    envelope["payload"] = base64.b64encode(changed).decode()
    with pytest.raises(Exception, match=r"threshold|signature"):
        Envelope.from_dict(envelope).verify([theirs], 1)


def test_only_the_right_key_and_the_signed_bytes_verify() -> None:
    payload, signatures = open_envelope(json.loads(sign(b"{}", KEY)))
    assert verified(payload, signatures, KEY.public_key())
    assert not verified(payload, signatures, OTHER.public_key())
    assert not verified(payload + b" ", signatures, KEY.public_key())
    assert not verified(payload, [], KEY.public_key())
    assert verified(payload, [bytes(64), *signatures], KEY.public_key())
    flipped = bytes([signatures[0][0] ^ 1]) + signatures[0][1:]
    assert not verified(payload, [flipped], KEY.public_key())


def test_an_envelope_signed_with_the_kind_of_key_that_cosign_makes_verifies() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(pre_authentication(b"{}"), ec.ECDSA(SHA256()))
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert verified(b"{}", [signature], public_key(pem))
    assert not verified(b"{ }", [signature], public_key(pem))


def test_base64_for_addresses_is_read_too() -> None:
    envelope = json.loads(sign(b"\xff\xfe\xfb" * 5, KEY))
    for key in ("payload",):
        envelope[key] = envelope[key].replace("+", "-").replace("/", "_")
    assert "_" in envelope["payload"] or "-" in envelope["payload"]
    assert open_envelope(envelope)[0] == b"\xff\xfe\xfb" * 5


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "text/plain"},
        {"payloadType": None},
        {"payload": "%%%"},
        {"payload": 3},
        {"signatures": [{}]},
        {"signatures": [{"sig": "\u00e4"}]},
        {"signatures": 3},
        {"signatures": ["x"]},
    ],
)
def test_a_damaged_envelope_is_refused_in_words(change: Any) -> None:
    with pytest.raises(UsageError):
        open_envelope(json.loads(sign(b"{}", KEY)) | change)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"predicateType": "https://slsa.dev/provenance/v1"}, "not one of modelprov's"),
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "_type"),
        ({"subject": []}, "subject"),
        ({"subject": [{"name": "x", "digest": {}}]}, "digest"),
        ({"predicate": {}}, "predicate"),
    ],
)
def test_what_is_no_statement_of_ours_is_refused_in_words(merge: Report, change: Any, says: str) -> None:
    data = json.loads(statement_text(make_statement(merge, SHA))) | change
    with pytest.raises(UsageError, match=says):
        load_statement(json.dumps(data))
    for text in ("", "[]", "[" * 100_000):
        with pytest.raises(UsageError):
            load_statement(text)


def test_the_report_of_a_statement_is_known_by_its_bytes_and_its_numbers(merge: Report) -> None:
    known = {merge.inputs[1].label: hashed("c")}
    statement = make_statement(merge, SHA, known)
    assert check_report(statement, merge, SHA).holds
    reformatted = check_report(statement, merge, "00" * 32)
    assert (reformatted.holds, reformatted.differences) == (False, ())
    mixing = merge.mixing.coefficients[0].model_copy(update={"low": 0.1})
    edited = merge.model_copy(update={"mixing": merge.mixing.model_copy(update={"coefficients": (mixing,)})})
    for sha in (SHA, "00" * 32):
        point = check_report(statement, edited, sha)
        assert not point.holds
        assert "predicate.mixing.shares[0].low" in [one.place for one in point.differences]


def test_weights_are_compared_as_closely_as_the_statement_names_them(merge: Report) -> None:
    suspect, parent, reference = (one.label for one in merge.inputs[:3])
    statement = make_statement(merge, SHA, {suspect: hashed("a", "b"), parent: hashed("c")})
    assert check_weights(statement, suspect, hashed("a", "b"), "").holds
    missing = check_weights(statement, suspect, hashed("a"), merge.inputs[0].digest)
    assert (missing.holds, [one.place for one in missing.differences]) == (False, ["b"])
    assert not check_weights(statement, suspect, hashed("a", "b", "c"), merge.inputs[0].digest).holds
    assert check_weights(statement, parent, HashedWeights({}, "cd" * 32), "").holds
    assert not check_weights(statement, parent, HashedWeights({}, "ce" * 32), merge.inputs[1].digest).holds
    loose = check_weights(statement, reference, hashed("z"), merge.inputs[2].digest)
    assert loose.holds
    assert "any model of this shape" in loose.says
    assert not check_weights(statement, reference, hashed("z"), "00" * 32).holds
