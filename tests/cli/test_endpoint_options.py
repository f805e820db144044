"""`probe` and `eval` take the same options for a served model, to the letter of their help."""

from __future__ import annotations

import inspect
from typing import get_type_hints

import pytest

from modelprov.cli.eval import evaluate
from modelprov.cli.options import endpoint
from modelprov.cli.probe import probe

SHARED = ("Endpoint", "Served", "Timeout", "Thinking", "ExtraBody")


@pytest.mark.parametrize("command", [probe, evaluate])
@pytest.mark.parametrize("name", SHARED)
def test_an_option_for_a_served_model_comes_from_its_one_home(command, name):
    hints = get_type_hints(command, include_extras=True).values()
    assert any(hint == getattr(endpoint, name) for hint in hints)


def test_their_defaults_are_the_same():
    defaults = [inspect.signature(command).parameters["timeout"].default for command in (probe, evaluate)]
    assert defaults == [endpoint.TIMEOUT] * 2


def test_eval_waits_as_long_as_it_is_told(modelprov, monkeypatch):
    from modelprov.behavior.probing import endpoints
    from modelprov.errors import EndpointError

    waited = []

    def exchange(*given):
        waited.append(given[-1])
        raise EndpointError("too slow", "Wait longer.")

    monkeypatch.setattr(endpoints, "exchange", exchange)
    address = ("--endpoint", "http://127.0.0.1:1/v1", "--model", "tiny")
    assert modelprov("eval", *address, "--task", "sums", "--limit", 1, "--timeout", 7).code == 2
    assert set(waited) == {7.0}
