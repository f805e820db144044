"""Where an answer holds a declared name."""

from __future__ import annotations

import pytest

from modelprov.behavior.probing.names import DECOY, mentions, parse_names
from modelprov.errors import UsageError

NAMES = parse_names(["Rio=!Rio de Janeiro", 'Nex=Nex-AGI,"Nex AGI"', "Qwen=通义千问", "Kimi"])


def mentioned(text, names):
    return {found.name for found in mentions(text, names)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I am Nex.", {"Nex"}),
        ("I am NEX-AGI's model", {"Nex"}),
        ("nex agi", {"Nex"}),
        ("the next one", set()),
        ("annexed", set()),
        ("**Nex**", {"Nex"}),
        ("Qwen2.5", {"Qwen"}),
        ("Qwen_Qwen3", {"Qwen"}),
        ("myQwen", set()),
        ("Ｑｗｅｎ", {"Qwen"}),
        ("我是Nex模型", {"Nex"}),
        ("我是通义千问，由阿里云开发", {"Qwen"}),
        ("我是Next模型", set()),
        ("Sou o Rio, de Niterói", {"Rio"}),
        ("Fui feito no Rio de Janeiro", set()),
        ("Sou o Rio, feito no Rio de Janeiro", {"Rio"}),
        ("criolo, Río, riot", set()),
        ("Je suis Néx", set()),
        ("I am Rio, based on Nex", {"Rio", "Nex"}),
        ("Zorb", {DECOY}),
        ("", set()),
    ],
)
def test_names_are_found_at_the_boundaries_of_words(text, found):
    assert mentioned(text, NAMES) == found


def test_of_overlapping_names_the_longest_counts():
    names = parse_names(["Nex", "Nex-AGI"])
    assert mentioned("I was made by Nex-AGI.", names) == {"Nex-AGI"}
    assert mentioned("I am Nex, made by Nex AGI.", names) == {"Nex", "Nex-AGI"}


def test_the_decoy_is_added_unless_it_is_declared():
    assert [one.name for one in parse_names(["A1"])] == ["A1", DECOY]
    assert [one.decoy for one in parse_names(["zorb", "A1"])] == [True, False]


@pytest.mark.parametrize(
    "options", [["=x"], ["Nex=,"], ["Nex=a,,b"], [" "], ["Nex", "nex"], ["A=x", "B=X"], ["N", "N=y"], ["??"]]
)
def test_a_declaration_that_cannot_be_meant_is_refused(options):
    with pytest.raises(UsageError):
        parse_names(options)
