"""Foreign templates are rendered as transformers renders them, and cannot do harm."""

# ruff: noqa: E501  (templates stand as they are)

from __future__ import annotations

import gc
import os
import re
import time
from datetime import UTC, datetime

import pytest

from modelprov.behavior.templates import rendering
from modelprov.behavior.templates.rendering import Limits, Renderer, TemplateFailedError
from tests.behavior.probing.models import CHATML, RIO
from tests.behavior.templates.rendered import render_all

MESSAGES = [{"role": "user", "content": "Who are you? <b>"}]
SHORT = Limits(seconds=3)
TEMPLATES = (
    CHATML,
    RIO,
    "{{ bos_token }}{{ messages | tojson }}{% generation %}a{% endgeneration %}{% for i in [1, 2] %}{% break %}{% endfor %}",
    "{%- set ns = namespace(n=0) -%}\n  {% for m in messages %}\n{% set ns.n = ns.n + 1 %}{{ ns.n }}{{ m.content | trim }}\n{% endfor %}\n",
    "{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}",
    "{{ dict(a=1) | tojson }}{{ dict.fromkeys([1, 2], 3) | tojson }}{{ messages[0] | tojson(indent=2) }}",
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


LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def test_all_templates_of_a_checkpoint_share_one_budget_of_time():
    renderer, began = Renderer(Limits(seconds=1)), time.monotonic()
    words = []
    for number in range(30):
        with pytest.raises(TemplateFailedError) as caught:
            renderer.render(f"{{# {number} #}}" + LOOP, [{"messages": MESSAGES}])
        words.append(caught.value.message)
    assert time.monotonic() - began < 25
    assert "did not finish within 1 s" in words[0]
    assert all("not rendered any more" in each and words[0] in each for each in words[1:])
    with pytest.raises(TemplateFailedError, match="^" + re.escape(words[0]) + "$"):
        renderer.render("{# 0 #}" + LOOP, [{}])


def test_slow_templates_that_end_use_up_the_budget_too():
    renderer = Renderer(Limits(seconds=1))
    slow = "{% for a in range(3000000 // n) %}{% for b in range(n) %}{% endfor %}{% endfor %}"

    def many() -> None:
        for number in range(1000):
            renderer.render(f"{{# {number} #}}" + slow, [{"n": 300}])

    with pytest.raises(TemplateFailedError, match="within 1 s"):
        many()


def test_the_characters_of_all_renderings_are_counted():
    renderer = Renderer(Limits(total_characters=1_000_000))

    def many() -> None:
        for _ in range(10):
            assert renderer.render("{% for a in range(500) %}{{ 'x' * 1000 }}{% endfor %}", [{}])[0].text is not None

    with pytest.raises(TemplateFailedError, match="1,000,000 characters"):
        many()


def test_honest_templates_never_use_up_the_budget(monkeypatch):
    """However many questions there are: what a usual rendering takes is free."""
    monkeypatch.setattr(rendering, "FREE_SECONDS", 5.0)  # so that a busy machine changes nothing
    renderer = Renderer(Limits(seconds=0.001, total_characters=0))
    job = {"messages": MESSAGES, "add_generation_prompt": True}
    texts = {renderer.render(RIO, [job])[0].text for _ in range(200)}
    assert len(texts) == 1


def test_the_process_stays_between_renderings_and_ends_with_its_renderer():
    renderer = Renderer()
    renderer.render(CHATML, [{"messages": MESSAGES}])
    process = renderer._process._process
    renderer.render(RIO, [{"messages": MESSAGES}])
    assert renderer._process._process is process
    assert process.poll() is None
    del renderer
    gc.collect()
    assert process.poll() is not None


def test_a_process_that_dies_ends_the_rendering_of_that_checkpoint():
    renderer = Renderer()
    renderer.render(CHATML, [{"messages": MESSAGES}])
    renderer._process._process.kill()
    for _ in range(2):
        with pytest.raises(TemplateFailedError, match="ended by the system"):
            renderer.render(CHATML, [{"messages": MESSAGES}])


def test_memory_stays_within_the_limit_of_the_process():
    grown = "{% set ns = namespace(t='x' * 1000) %}{% for a in range(40) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}"
    renderer = Renderer(Limits(memory=300 << 20))
    found = renderer.render(grown, [{}] * 3)
    assert all(each.beyond and "memory" in (each.error or "") for each in found)
    assert renderer.render("{{ 1 }}", [{}])[0].text == "1", "the process is whole afterwards"


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
