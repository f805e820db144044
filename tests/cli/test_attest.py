"""`modelprov attest`: evidence written from real comparisons, signed and verified offline; what is false is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.cli.conftest import MAIN, Command, program

KEYS = {name: Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number, name in enumerate("ab")}
WRITTEN: list[str] = []


@pytest.fixture
def report(compare: Command, tmp_path: Path) -> Path:
    """A report of rio against its parents, computed once."""
    if not WRITTEN:
        WRITTEN.append(compare("rio", "nex", "qwen", "--json", "-").out)
    (tmp_path / "r.json").write_text(WRITTEN[0])
    return tmp_path / "r.json"


@pytest.fixture
def keys(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Write a key pair, and say where."""

    def write(name: str) -> tuple[Path, Path]:
        private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
        key = KEYS[name]
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return private, public

    return write


def test_a_signed_statement_verifies_with_its_report_and_its_weights(
    modelprov: Command, models: Path, report: Path, keys: Any, tmp_path: Path
) -> None:
    private, public = keys("a")
    out = tmp_path / "s.json"
    weights = ("--weights", models / "rio", "--weights", f"nex={models / 'nex'}")
    said = modelprov("attest", report, "--key", private, "--out", out, *weights)
    assert (said.code, said.out) == (0, "")
    assert "signed" in said.err
    assert said.err.startswith("note: The report is quoted, not recomputed: `modelprov report verify` recomputes it.\n")
    assert "note: qwen: named by the digest of names" in said.err
    good = modelprov("attest", "--verify", out, "--public-key", public, "--report", report, *weights)
    assert (good.code, good.err) == (0, "")
    assert good.out.startswith("VERIFIED")
    assert "every byte" in good.out
    assert "Not shown:" in good.out
    other = modelprov("attest", "--verify", out, "--public-key", public, "--weights", models / "rio-trained")
    assert other.code == 1
    assert other.out.startswith("NOT VERIFIED")


def test_a_fingerprint_is_signed_and_another_file_or_weights_are_not_taken_for_it(
    modelprov: Command, models: Path, keys: Any, tmp_path: Path
) -> None:
    private, public = keys("a")
    files = [tmp_path / "rio.mpf", tmp_path / "nex.mpf"]
    for file in files:
        assert modelprov("fingerprint", models / file.stem, "-o", file).code == 0
    out = tmp_path / "rio.mpf.dsse.json"
    said = modelprov("attest", files[0], "--key", private, "--out", out)
    assert said.code == 0, said.err
    assert "quoted" not in said.err + said.out
    payload = json.loads(base64.b64decode(json.loads(out.read_text())["payload"]))
    digest = hashlib.sha256(files[0].read_bytes()).hexdigest()
    assert payload["subject"] == [{"name": "rio.mpf", "digest": {"sha256": digest}}]
    assert (payload["predicate"]["model"], payload["predicate"]["seed"]) == ("rio", 0)
    check = ("attest", "--verify", out, "--public-key", public)
    good, other = (modelprov(*check, "--report", file) for file in files)
    assert (good.code, other.code) == (0, 1)
    assert "fingerprint of rio" in good.out
    assert "not the file attested" in other.out
    assert modelprov(*check, "--weights", models / "rio").code == 2
    assert modelprov("attest", files[0], "--format", "spdx").code == 2
    assert modelprov("attest", files[0], "--weights", models / "rio").code == 2


def test_the_subject_is_every_shard_as_sha256sum_sees_it(
    modelprov: Command, models: Path, report: Path, tmp_path: Path
) -> None:
    modelprov("attest", report, "--weights", models / "rio", "--out", tmp_path / "s.json")
    statement = json.loads((tmp_path / "s.json").read_text())
    files = sorted((models / "rio").glob("*.safetensors"))
    assert len(files) == 2
    assert {one["name"]: one["digest"] for one in statement["subject"]} == {
        file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()} for file in files
    }
    assert statement["predicate"]["report"]["sha256"] == hashlib.sha256(report.read_bytes()).hexdigest()
    assert str(models) not in json.dumps(statement)


def test_a_signed_payload_with_a_key_given_twice_does_not_verify(
    modelprov: Command, report: Path, keys: Any, tmp_path: Path
) -> None:
    """What a reader sees depends on which of the two it takes: nothing of it is believed, whoever signed it."""
    from modelprov.reports.evidence.attestation_envelope import sign

    _, public = keys("a")
    text = modelprov("attest", report).out
    twice = text.replace('"rule":', '"class": "unrelated", "rule":', 1)
    assert twice != text
    for payload, code in ((text, 0), (twice, 2)):
        (tmp_path / "s.json").write_text(sign(payload.encode(), KEYS["a"]))
        assert modelprov("attest", "--verify", tmp_path / "s.json", "--public-key", public).code == code
    envelope = sign(text.encode(), KEYS["a"])
    (tmp_path / "s.json").write_text(envelope.replace('"payload":', '"payload": "e30=", "payload":', 1))
    assert modelprov("attest", "--verify", tmp_path / "s.json", "--public-key", public).code == 2


def test_another_key_another_report_and_no_signature_do_not_verify(
    modelprov: Command, report: Path, keys: Any, tmp_path: Path
) -> None:
    private, public = keys("a")
    modelprov("attest", report, "--key", private, "--out", tmp_path / "s.json")
    modelprov("attest", report, "--out", tmp_path / "plain.json")
    wrong = modelprov("attest", "--verify", tmp_path / "s.json", "--public-key", keys("b")[1])
    assert (wrong.code, "none of its signatures is this key's" in wrong.out) == (1, True)
    plain = modelprov("attest", "--verify", tmp_path / "plain.json", "--public-key", public)
    assert (plain.code, "not signed" in plain.out) == (1, True)
    edited = json.loads(report.read_text())
    edited["mixing"]["coefficients"][0]["alpha"] = 0.9
    (tmp_path / "edited.json").write_text(json.dumps(edited))
    said = modelprov("attest", "--verify", tmp_path / "s.json", "--public-key", public, "--report", "edited.json")
    assert said.code == 1
    assert "predicate.mixing.shares[0].alpha" in said.out


def test_a_sigstore_bundle_is_opened_for_its_envelope_and_nothing_more_is_claimed(
    modelprov: Command, report: Path, keys: Any, tmp_path: Path
) -> None:
    private, public = keys("a")
    envelope = json.loads(modelprov("attest", report, "--key", private).out)
    (tmp_path / "b.json").write_text(json.dumps({"mediaType": "bundle", "dsseEnvelope": envelope}))
    said = modelprov("attest", "--verify", "b.json", "--public-key", public)
    assert (said.code, "nothing else in the bundle was checked" in " ".join(said.out.split())) == (0, True)
    assert modelprov("attest", "--verify", "b.json", "--public-key", keys("b")[1]).code == 1


def test_a_report_that_was_edited_without_care_is_refused_and_nothing_is_written(
    modelprov: Command, report: Path, keys: Any, tmp_path: Path
) -> None:
    text = report.read_text()
    assert text.count('"alpha": 0.565,') >= 2
    (tmp_path / "edited.json").write_text(text.replace('"alpha": 0.565,', '"alpha": 0.9,'))
    for form in (("--key", keys("a")[0]), ("--format", "cyclonedx"), ("--format", "spdx", "--quiet")):
        said = modelprov("attest", "edited.json", *form, "--out", "s.json")
        assert (said.code, said.out, (tmp_path / "s.json").exists()) == (2, "", False)
        assert "contradicts itself: alpha of mixing is 0.9, outside its interval" in " ".join(said.err.split())
        assert "report verify" in said.err


def test_that_the_report_is_only_quoted_is_said_unless_quiet(modelprov: Command, report: Path) -> None:
    note = "note: The report is quoted, not recomputed: `modelprov report verify` recomputes it.\n"
    said = modelprov("attest", report).err
    assert said.startswith(note)
    assert "named by the digest of names, sizes and headers" in said
    quiet = modelprov("attest", report, "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


def test_bills_are_written_in_both_formats_and_not_signed(modelprov: Command, report: Path, keys: Any) -> None:
    for form, key in (("cyclonedx", "bomFormat"), ("spdx", "@graph")):
        said = modelprov("attest", report, "--format", form)
        assert said.code == 0
        assert key in json.loads(said.out)
        refused = modelprov("attest", report, "--format", form, "--key", keys("a")[0])
        assert (refused.code, "cosign sign-blob" in refused.err) == (2, True)


def test_other_files_are_not_taken_for_the_suspect(modelprov: Command, models: Path, report: Path) -> None:
    said = modelprov("attest", report, "--weights", models / "qwen")
    assert (said.code, "is not the rio of" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "attest needs a report"),
        (("r.json", "--format", "xml"), "--format is"),
        (("r.json", "--verify", "s.json"), "takes no REPORT.json"),
        (("--verify", "r.json"), "needs --public-key"),
        (("r.json", "--public-key", "a.pub"), "belong to --verify"),
        (("r.json", "--key", "gone.pem"), "cannot read gone.pem"),
        (("r.json", "--key", "r.json"), "the key cannot be read"),
        (("r.json", "--key", "ec.pem"), "not an ed25519 key"),
        (("r.json", "--key", "locked.pem"), "passphrase"),
        (("--verify", "r.json", "--public-key", "a.pem"), "private key"),
        (("--verify", "r.json", "--public-key", "r.json"), "the public key cannot be read"),
        (("--verify", "r.json", "--public-key", "a.pub"), "not one of modelprov's"),
        (("--verify", "a.pub", "--public-key", "a.pub"), "not JSON"),
        (("a.pub",), "not JSON"),
        (("r.json", "--weights", "who=x"), "names no input"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    modelprov: Command, report: Path, keys: Any, arguments: tuple[str, ...], says: str
) -> None:
    keys("a")
    pem = (Encoding.PEM, PrivateFormat.PKCS8)
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(*pem, NoEncryption())
    report.with_name("ec.pem").write_bytes(other)
    report.with_name("locked.pem").write_bytes(KEYS["a"].private_bytes(*pem, BestAvailableEncryption(b"secret")))
    said = modelprov("attest", *arguments)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert "Traceback" not in said.err


def test_a_key_with_a_passphrase_asks_for_it(
    modelprov: Command, report: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    locked = KEYS["a"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "locked.pem").write_bytes(locked)
    for given, code in (("secret", 0), ("wrong", 2)):
        monkeypatch.setattr("modelprov.cli.attested.ask_passphrase", lambda given=given: given)
        assert modelprov("attest", report, "--key", "locked.pem", "--out", "s.json").code == code


def test_without_the_extra_only_signing_is_missing_and_the_message_says_what_to_install(report: Path) -> None:
    hidden = (
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'cryptography' else real(name, package)\n"
    )
    running = program(hidden + MAIN, "attest", report, "--key", report)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 2
    assert "modelprov[attest]" in err
    running = program(hidden + MAIN, "attest", report)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert json.loads(out)["_type"] == "https://in-toto.io/Statement/v1"


def test_writing_a_statement_loads_nothing_heavy(report: Path) -> None:
    code = (
        "import atexit, sys; atexit.register(lambda: print([n for n in ('torch', 'numba', 'scipy', 'cryptography') "
        "if n in sys.modules], file=sys.stderr))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + MAIN, "attest", report], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"
