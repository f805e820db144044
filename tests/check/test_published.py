"""Where reports lead for a rule: where the package says that its documents are, unless a policy says another place."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from modelprov.check.policy import Policy
from modelprov.check.published import DOCUMENTATION, rule_pages
from modelprov.check.run import Checked

ROOT = Path(__file__).parents[2]
DOCS = "https://example.org/who/modelprov/blob/HEAD/docs"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the installed package name these addresses."""

    def say(*addresses: str) -> None:
        told = Message()
        for address in addresses:
            told["Project-URL"] = address
        monkeypatch.setattr("importlib.metadata.metadata", lambda _: told)

    return say


def test_a_release_says_where_the_pages_are_and_an_unpublished_build_says_nothing(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("Issues, https://example.org/who/modelprov/issues", f"{DOCUMENTATION}, {DOCS}/")
    assert rule_pages() == f"{DOCS}/rules"
    installed("Issues, https://example.org/who/modelprov/issues")
    assert rule_pages() is None

    def missing(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr("importlib.metadata.metadata", missing)
    assert rule_pages() is None


def test_the_build_names_the_address_that_reports_look_for() -> None:
    assert f'"{DOCUMENTATION}": "/blob/HEAD/docs"' in (ROOT / "hatch_build.py").read_text()
    assert (ROOT / "docs" / "rules" / "MP101.md").is_file()


def test_a_check_links_the_released_pages_unless_its_policy_names_others(
    check: Callable[..., Checked], trained: Path, installed: Callable[..., None]
) -> None:
    installed(f"{DOCUMENTATION}, {DOCS}")
    assert check(trained / "rio").report.rule_pages == f"{DOCS}/rules"
    ours = Policy(rule_pages="https://example.org/ours")
    assert check(trained / "rio", policy=ours).report.rule_pages == "https://example.org/ours"
