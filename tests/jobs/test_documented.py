"""docs/python.md is the reference of the public names: all of them, as they are, with examples that run."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from pathlib import Path

import pytest

import modelprov
from docs import reference

DOCUMENT = Path(__file__).parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEED_LANGUAGE_MODELS = ("modelprov.probe(", "modelprov.evaluate(")
"""Examples of the behaviour: the family that the others run on holds weights without a tokenizer."""


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
    examples = BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))
    run = [example for example in examples if not any(words in example for words in NEED_LANGUAGE_MODELS)]
    assert len(run) == len(examples) - len(NEED_LANGUAGE_MODELS)
    exec("\n".join(run), {})
    assert (tmp_path / "report.html").read_text().startswith("<!")
    said = capsys.readouterr().out
    assert "merge - " in said
    assert "True " in said
    assert "given twice" in said
