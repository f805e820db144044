"""What a page elsewhere, or another name for this host, cannot have: no run, no upload, no answer."""

from __future__ import annotations

import subprocess

import pytest

from modelprov.serve.gate import hosts
from tests.serve.conftest import HOME, LIMIT, Open

ASKED = {"suspect": "rio", "parent": ["nex", "qwen"]}


@pytest.mark.parametrize("host", ["evil.example:8642", "127.0.0.1", "127.0.0.1:8643", "evil.example", ""])
def test_a_foreign_host_gets_nothing(opened: Open, host: str) -> None:
    answer = opened().client.get("/", headers={"Host": host})
    assert answer.status_code == 400
    assert "token" not in answer.text


@pytest.mark.parametrize("host", ["localhost:8642", "[::1]:8642", "LOCALHOST:8642"])
def test_every_name_of_loopback_is_this_host(opened: Open, host: str) -> None:
    assert opened().client.get("/", headers={"Host": host}).status_code == 200


def test_another_address_is_called_by_its_own_name_only() -> None:
    assert hosts("192.0.2.7", 80) == {"192.0.2.7:80", "192.0.2.7"}
    assert hosts("2001:db8::7", 8642) == {"[2001:db8::7]:8642"}


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "https://127.0.0.1:8642", "http://localhost:8642", "http://127.0.0.1"]
)
@pytest.mark.parametrize("path", ["/run", "/stop", "/reports"])
def test_a_form_of_another_page_starts_nothing(
    opened: Open, endless: list[subprocess.Popen[str]], origin: str, path: str
) -> None:
    assert opened().post(path, ASKED, Origin=origin).status_code == 403
    assert endless == []


def test_a_request_without_an_origin_starts_nothing(opened: Open, endless: list[subprocess.Popen[str]]) -> None:
    page = opened()
    assert page.client.post("/run", data={"token": page.token, **ASKED}).status_code == 403
    assert endless == []


@pytest.mark.parametrize("token", ["", "wrong", "é"])
def test_a_form_without_our_token_starts_nothing(
    opened: Open, endless: list[subprocess.Popen[str]], token: str
) -> None:
    assert opened().post("/run", {**ASKED, "token": token}).status_code == 403
    assert endless == []


def test_what_is_too_large_or_of_unknown_length_is_not_read(opened: Open) -> None:
    page = opened()
    file = ("report", ("report.json", b" " * LIMIT, "application/json"))
    assert page.post("/reports", files=[file]).status_code == 413
    chunks = page.client.post("/reports", content=iter([b"a", b"b"]), headers={"Origin": HOME})
    assert chunks.status_code == 411
    both = {"Origin": HOME, "Content-Length": "2", "Transfer-Encoding": "chunked"}
    assert page.client.post("/reports", content=b"ab", headers=both).status_code == 411


def test_more_files_or_fields_than_the_form_has_are_refused(opened: Open) -> None:
    page = opened()
    file = ("report", ("report.json", b"{}", "application/json"))
    assert page.post("/reports", files=[file] * 5).status_code == 400
    assert page.post("/run", {**ASKED, "parent": ["nex"] * 20}).status_code == 400


def test_every_answer_forbids_scripts_and_frames(opened: Open) -> None:
    client = opened().client
    for path in ("/", "/run", "/style.css", "/reports/none", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "script-src" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
    assert "<script" not in client.get("/").text
