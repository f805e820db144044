"""Foreign templates are rendered as transformers renders them, and cannot do harm."""

# ruff: noqa: E501  (templates stand as they are)

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from modelprov.behavior.probing import rendering
from modelprov.behavior.probing.rendering import Limits, TemplateFailedError, render_all
from tests.behavior.probing.models import CHATML, RIO

MESSAGES = [{"role": "user", "content": "Who are you? <b>"}]
SHORT = Limits(seconds=3)
TEMPLATES = (
    CHATML,
    RIO,
    "{{ bos_token }}{{ messages | tojson }}{% generation %}a{% endgeneration %}{% for i in [1, 2] %}{% break %}{% endfor %}",
    "{%- set ns = namespace(n=0) -%}\n  {% for m in messages %}\n{% set ns.n = ns.n + 1 %}{{ ns.n }}{{ m.content | trim }}\n{% endfor %}\n",
)  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_gives_what_transformers_makes_of_it(template):
    from transformers.utils.chat_template_utils import render_jinja_template

    special = {"bos_token": "<s>"}
    expected, _ = render_jinja_template([MESSAGES], chat_template=template, add_generation_prompt=True, **special)
    job = {"messages": MESSAGES, "add_generation_prompt": True}
    assert render_all(template, [job], special)[0].text == expected[0]


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro f(x) %}{{ f(x) }}{{ f(x) }}{% endmacro %}{{ f(1) }}",
        "{{ 'x' * 10 ** 10 }}",
        "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
        "{% set ns = namespace(t='xxxxxxxxxx') %}{% for a in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
        "{{ 2 ** (10 ** 10) }}",
    ],
    ids=["loops", "calls itself", "one huge text", "many texts", "doubling", "a huge number"],
)  # fmt: skip
def test_a_template_that_does_not_end_or_grows_without_end_is_an_error_in_words(template):
    def rendered() -> None:
        found = render_all(template, [{"messages": MESSAGES}], limits=SHORT)[0]
        raise TemplateFailedError(found.error or "", "in the job")

    with pytest.raises(TemplateFailedError, match=r"\w+ \w+") as raised:
        rendered()
    assert raised.value.advice


def test_the_time_of_a_template_that_does_not_end_is_paid_once(monkeypatch):
    template = "{% for a in range(99999) %}{% for b in range(99999) %}{# once #}{% endfor %}{% endfor %}"
    with pytest.raises(TemplateFailedError) as first:
        render_all(template, [{"messages": MESSAGES}], limits=Limits(seconds=1))

    def started(*_, **__):
        raise AssertionError("rendered again")

    monkeypatch.setattr(rendering.subprocess, "run", started)
    with pytest.raises(TemplateFailedError) as second:
        render_all(template, [{}, {}], limits=Limits(seconds=1))
    assert second.value.message == first.value.message


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.system('touch /tmp/x') }}",
        "{% include '/etc/passwd' %}",
        "{% if %}",
        "{{ raise_exception('no system please') }}",
    ],
)
def test_what_the_sandbox_forbids_and_what_a_template_refuses_is_an_error_of_that_job(template):
    found = render_all(template, [{"messages": MESSAGES}] * 2)
    assert [one.text for one in found] in ([None, None], ["", ""])
    assert all(one.error or one.text == "" for one in found)


def test_the_child_knows_nothing_of_our_environment(monkeypatch):
    monkeypatch.setitem(os.environ, "SECRET_TOKEN", "abc")
    found = render_all("{{ SECRET_TOKEN }}{{ environ }}", [{}])
    assert found[0].text == ""


def test_templates_are_told_a_fixed_time_so_that_results_do_not_depend_on_today():
    template = "{{ strftime_now('%Y-%m-%d') }}"
    assert render_all(template, [{}])[0].text == "2031-05-17"
    assert render_all(template, [{}], now=datetime(2020, 1, 2, tzinfo=UTC))[0].text == "2020-01-02"


def test_one_job_that_fails_leaves_the_others():
    template = "{% if n == 1 %}{{ raise_exception('x') }}{% endif %}{{ n }}"
    assert [one.text for one in render_all(template, [{"n": 0}, {"n": 1}, {"n": 2}])] == ["0", None, "2"]
