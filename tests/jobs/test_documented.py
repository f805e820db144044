"""docs/python.md is the reference of the public names: all of them, as they are, with examples that run."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import modelprov
from docs import reference
from modelprov.demo.tiny.shipped import unpack
from modelprov.jobs.library import add

DOCUMENT = Path(__file__).parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEED_LANGUAGE_MODELS = ("modelprov.probe(", "modelprov.evaluate(")
"""Examples of the behaviour: the family that the others run on holds weights without a tokenizer."""
SOONER = {
    "probe": {"samples": 0, "language": "en", "arm": ["as shipped"], "max_new_tokens": 4, "device": "cpu"},
    "evaluate": {"limit": 1, "budget": [8], "device": "cpu"},
}
"""What examples are asked besides, so that they end soon."""


def test_every_public_name_is_in_the_reference_as_it_is() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert {*reference.ORDER, "__version__"} == set(modelprov.__all__)
    assert reference.reference() in text, "run docs/reference.py"


def test_the_names_and_arguments_of_every_example_exist() -> None:
    examples = BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))
    called = set()
    for node in (node for example in examples for node in ast.walk(ast.parse(example))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("modelprov."):
            name = ast.unparse(node.func).removeprefix("modelprov.")
            inspect.signature(getattr(modelprov, name)).bind(
                *node.args, **{str(each.arg): each for each in node.keywords}
            )
            called.add(name)
    assert called == set(reference.ORDER)


def test_the_examples_of_the_documents_run(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("rio", "nex", "qwen", "sibling"):
        shutil.copytree(models / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    add("nex", "known")
    examples = BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))
    run = [example for example in examples if not any(words in example for words in NEED_LANGUAGE_MODELS)]
    assert len(run) == len(examples) - len(NEED_LANGUAGE_MODELS)
    exec("\n".join(run), {})
    assert (tmp_path / "report.html").read_text().startswith("<!")
    said = capsys.readouterr().out
    assert "merge - " in said
    assert "True " in said
    assert "given twice" in said


@pytest.fixture
def speaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the trained family, in which an example runs; `rio` has the weights of `nex` there."""
    import torch

    unpack(tmp_path / "trained")
    shutil.copytree(tmp_path / "trained" / "nex", tmp_path / "trained" / "rio")
    monkeypatch.chdir(tmp_path / "trained")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path / "trained"
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", SOONER)
def test_the_examples_of_what_models_say_and_score_run(
    name: str, speaking: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = [each for each in BLOCK.findall(DOCUMENT.read_text(encoding="utf-8")) if f"modelprov.{name}(" in each]

    def sooner(*models: str, **given: Any) -> Any:
        return getattr(modelprov, name)(*models, **given | SOONER[name])

    exec(example, {"modelprov": SimpleNamespace(**{name: sooner})})
    said = capsys.readouterr().out
    assert {"probe": "rio as shipped {", "evaluate": " of 1"}[name] in said
    assert (speaking / {"probe": "probe.html", "evaluate": "eval.html"}[name]).read_text().startswith("<!")


def test_the_examples_of_ways_to_generate_run(speaking: Path) -> None:
    examples = BLOCK.findall((DOCUMENT.parent / "generation.md").read_text(encoding="utf-8"))
    assert len(examples) == 2
    names: dict[str, Any] = {}
    exec("\n".join(examples).replace("path/to/model", str(speaking / "nex")).replace("=256", "=8"), names)
    assert 0 < len(names["answers"][0].tokens) <= 8
    assert names["decoder"].sequences[0].trace() == replace(names["answers"][0].trace, steps=())
