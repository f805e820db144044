"""Labels are short and distinct."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.labels import MAX_LABEL, default_label, unique_labels


@pytest.mark.parametrize(
    ("location", "label"),
    [
        ("/models/Nex-N1", "Nex-N1"),
        ("/models/Nex-N1/", "Nex-N1"),
        ("weights/model.safetensors", "model"),
        ("org/name", "name"),
        ("org/name@0123abc", "name"),
        ("/c/hub/models--org--name/snapshots/0123456789abcdef0123456789abcdef01234567", "name"),
        ("model with\x1b[31m colour", "model_with__31m_colour"),
    ],
)
def test_the_default_is_the_last_part_that_means_something(location: str, label: str) -> None:
    assert default_label(location) == label


def test_the_default_of_the_current_folder_is_its_name() -> None:
    assert default_label(".") not in {"", "."}


def test_paths_that_end_alike_are_told_apart_by_their_parents() -> None:
    assert unique_labels(["/m/a/model", "/m/b/model", "/m/c"]) == ("a/model", "b/model", "c")


def test_the_same_place_twice_gets_a_number() -> None:
    assert unique_labels(["/m/a", "/m/a"]) == ("a", "a (2)")


def test_given_labels_are_kept() -> None:
    assert unique_labels(["/m/a", "/n/a", "/m/b"], ["suspect", None]) == ("suspect", "a", "b")


@given(st.lists(st.text("ab/.@ ", min_size=1, max_size=60), max_size=6))
def test_labels_are_always_distinct_short_and_not_empty(locations: list[str]) -> None:
    labels = unique_labels(locations)
    assert len(set(labels)) == len(locations)
    assert all(0 < len(label) <= MAX_LABEL + 4 for label in labels)
