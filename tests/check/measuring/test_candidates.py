"""Which models a check opens: by the user's names and the card's, never by a card's paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprov.check.interface import Claims, Declared
from modelprov.check.measuring.candidates import open_candidates, open_controls
from modelprov.check.results import Location
from modelprov.errors import UsageError

AT = Location(file="README.md", line=2)


def claims(*names: str) -> Claims:
    return Claims(card="README.md", base_models=tuple(Declared(name, AT) for name in names))


def opened(folder: Path, said: Claims, *given: str):  # type: ignore[no-untyped-def]
    missing: dict[str, str] = {}
    candidates, places = open_candidates(folder, said, given, missing)
    return candidates, [one.label for one, _ in places], missing


def test_a_candidate_is_declared_whatever_the_letters(trained: Path) -> None:
    (one,), labels, _ = opened(trained / "rio", claims("Org/Qwen"), f"org/qwen={trained / 'qwen'}")
    assert one.declared
    assert one.name == "Org/Qwen"
    assert one.license == "apache-2.0"
    assert len(labels) == 1


def test_a_declared_base_that_is_not_here_says_how_to_name_it(trained: Path) -> None:
    (one,), labels, missing = opened(trained / "rio", claims("nobody/such-model-is-here"))
    assert (one.location, labels) == (None, [])
    assert "--candidates nobody/such-model-is-here=PATH" in missing[one.label]


@pytest.mark.parametrize("name", ["../qwen", "./qwen", "a/../../qwen", "~/qwen"])
def test_a_path_in_a_card_is_not_followed(trained: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(trained / "rio")
    (one,), labels, missing = opened(trained / "rio", claims(name))
    assert (one.location, labels) == (None, [])
    assert "is a path in the card" in missing[one.label]


def test_an_absolute_path_in_a_card_is_not_followed(trained: Path) -> None:
    (one,), labels, _ = opened(trained / "rio", claims(str(trained / "qwen")))
    assert (one.location, labels) == (None, [])


def test_a_folder_below_is_opened_by_the_name_in_the_card(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    (one,), labels, _ = opened(trained / "rio", claims("qwen"))
    assert (one.location, labels) == ("qwen", ["qwen"])


def test_one_name_of_two_places_is_refused_and_given_twice_alike_is_not(trained: Path) -> None:
    first, second = f"a/b={trained / 'qwen'}", f"a/b={trained / 'nex'}"
    with pytest.raises(UsageError, match="a/b is given as"):
        opened(trained / "rio", claims(), first, second)
    assert len(opened(trained / "rio", claims(), first, first)[0]) == 1


def test_names_that_end_alike_get_labels_that_differ(trained: Path) -> None:
    _, labels, _ = opened(trained / "rio", claims(), f"a/x={trained / 'qwen'}", f"b/x={trained / 'nex'}")
    assert labels == ["a/x", "b/x"]


def test_what_the_user_names_has_to_be_there(trained: Path) -> None:
    with pytest.raises(UsageError, match="is not there"):
        opened(trained / "rio", claims(), "org/qwen=/nowhere/at/all")
    with pytest.raises(UsageError, match="control is not there"):
        open_controls(["/nowhere/at/all"], [])


def test_the_folder_itself_is_no_candidate(trained: Path) -> None:
    _, labels, missing = opened(trained / "rio", claims(), f"org/rio={trained / 'rio'}")
    assert labels == []
    assert "the folder that is checked" in missing["rio"]


def test_a_folder_of_the_hub_cache_has_the_name_of_its_repository(trained: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--Org--Qwen" / "snapshots" / ("0" * 40)
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(trained / "qwen")
    (one,), labels, _ = opened(trained / "rio", claims("org/qwen"), str(snapshot))
    assert (one.name, one.declared) == ("org/qwen", True)
    assert len(labels) == 1
    (other,), _, _ = opened(trained / "rio", claims(), str(snapshot))
    assert not other.declared
