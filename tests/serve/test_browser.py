"""The page in headless Chromium: models are named, the run is watched, its report is shown; no script of ours runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelprov.demo.family import TINY, members
from modelprov.demo.writing import as_stored, fill_checkpoint
from tests.reports import chromium
from tests.reports.test_pages_browser import BEYOND
from tests.serve.test_dropped import TEXTS

pytestmark = [
    pytest.mark.skipif(chromium.program() is None, reason="Chromium is not installed (apt-get install chromium)"),
    pytest.mark.xdist_group("chromium"),
]
KEPT = ("layers.3.mlp.experts", "layers.3.self_attn", "layernorm")
NAME = "rio <i>&amp;"
FILL_IN = f"""(() => {{
    const form = document.querySelector('form[action="/run"]');
    form.suspect.value = {NAME!r}; form.parent[0].value = 'nex'; form.parent[1].value = 'qwen';
    form.control.value = 'sibling'; form.querySelector('button').click(); }})()"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page as the command serves it, over a small family."""
    folder = tmp_path_factory.mktemp("models")
    for name, weights in members(7, TINY):
        if name in ("rio", "nex", "qwen", "sibling"):
            kept = {tensor: value for tensor, value in weights.items() if any(part in tensor for part in KEPT)}
            place = folder / (NAME if name == "rio" else name)
            fill_checkpoint(place, as_stored(kept), {"architectures": ["Qwen3_5MoeForCausalLM"]}, 2)
    server = subprocess.Popen(
        [sys.executable, "-m", "modelprov", "serve", "--models", str(folder), "--port", "0", "--threads", "1"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stderr is not None
    try:
        found = re.match(r"http://127\.0\.0\.1:\d+/", server.stderr.readline())
        assert found is not None
        yield found[0]
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Browser]:
    with chromium.browser() as running:
        yield running


def fits(browser: chromium.Browser) -> bool:
    return browser.value(BEYOND) == [] and bool(
        browser.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    )


def test_three_models_are_named_and_the_report_comes(browser: chromium.Browser, address: str) -> None:
    for width in (390, 1280):
        browser.load(address, width)
        assert browser.value("innerWidth") == width
        assert fits(browser)
        assert browser.value("getComputedStyle(document.querySelector('button')).cursor") == "pointer", "no style"
        unlabelled = (
            "[...document.querySelectorAll('select, input:not([type=hidden])')].filter(it => !it.labels.length)"
        )
        assert browser.value(f"{unlabelled}.length") == 0

    browser.value(FILL_IN)
    end, seen = time.monotonic() + 60, set()
    while "/reports/" not in (path := browser.value("location.pathname")):
        assert time.monotonic() < end, seen
        seen.add(path)
        time.sleep(0.1)
    assert "/run" in seen
    heading = "document.querySelector('h1')?.textContent ?? ''"
    while not (said := browser.value(heading)):
        time.sleep(0.05)
    assert said == "rio__i__amp_ is a mix of nex and qwen"
    assert fits(browser)
    assert browser.value("origin") == "null", "a report is not of the page's origin"
    browser.value("document.querySelector('nav a').click()")
    while browser.value("document.querySelectorAll('.plain li').length") != 1:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert browser.value("location.pathname") == "/"


@pytest.mark.parametrize("width", [390, 1280])
def test_a_refused_form_is_still_filled_in_and_says_why(browser: chromium.Browser, address: str, width: int) -> None:
    browser.load(address, width)
    browser.value(FILL_IN.replace("form.control.value = 'sibling'", "form.control.value = 'nex'"))
    end, alert = time.monotonic() + 20, "document.querySelector('#compare [role=alert]')"
    while "named twice" not in browser.value(f"{alert}?.textContent ?? ''"):
        assert time.monotonic() < end
        time.sleep(0.05)
    named = "[...document.querySelectorAll('#compare select')].map(each => each.value)"
    assert browser.value(named) == [NAME, "nex", "qwen", "", "nex"]
    assert browser.value(f"(box => 0 <= box.top && box.bottom <= innerHeight)({alert}.getBoundingClientRect())")
    assert fits(browser)


def test_another_page_in_the_same_browser_starts_nothing(
    browser: chromium.Browser, address: str, tmp_path: Path
) -> None:
    page = tmp_path / "evil.html"
    page.write_text(f'<form method=post action="{address}run"><input name=suspect value=nex><button></form>')
    browser.load(page, 390)
    browser.value("document.querySelector('button').click()")
    end = time.monotonic() + 20
    while "Only a form of this page" not in browser.value("document.body?.textContent ?? ''"):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_report_of_every_command_is_dropped_on_the_page_and_read(browser: chromium.Browser, address: str) -> None:
    for kind, text in TEXTS.items():
        browser.load(address, 1280)
        browser.value(f"""(() => {{
            const files = new DataTransfer();
            files.items.add(new File([{json.dumps(text)}], '{kind}.json', {{type: 'application/json'}}));
            const field = document.querySelector('input[type=file]');
            field.files = files.files;
            field.form.querySelector('button').click(); }})()""")
        end = time.monotonic() + 20
        while "/reports/" not in browser.value("location.pathname"):
            assert time.monotonic() < end, kind
            time.sleep(0.05)
        while not browser.value("document.querySelector('h1')?.textContent ?? ''"):
            assert time.monotonic() < end, kind
            time.sleep(0.05)
        assert browser.value("origin") == "null"
        assert fits(browser), kind
