"""Peers that are programs: modelDNA and Cisco's kit, each as it is, in an environment of its own; absent ones say so.

Install: `python -m benchmarks.lineage.peers.programs DIR` makes DIR/modeldna and DIR/cisco from the package index (the
kit asks for Python 3.12 or newer and brings torch). An environment that is already there, at any commit, is taken as
it is. Their best settings by their own documents: complete tensors (`--full`) for modelDNA, no cache for the kit.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.lineage.labels import Answer
from benchmarks.lineage.peers.interface import Cost, Files, bytes_of

PACKAGES = {"modeldna": ("modeldna==0.1.0", (3, 10)), "cisco": ("cisco-ai-provenance-kit==1.0.0", (3, 12))}
DRIVER = Path(__file__).with_name("driver.py")
SECONDS = 600
DERIVED = {"EXACT_COPY": "copy", "QUANTIZED_COPY": "copy", "FINE_TUNE": "same-origin", "SAME_LINEAGE": "same-origin",
           "LIKELY_MERGE": "merge"}  # fmt: skip
COPIES = ("EXACT_COPY", "QUANTIZED_COPY")
TOKENS = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
          "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None}  # fmt: skip


@dataclass
class Program:
    """A peer's entry point in its own Python, started once and asked a line at a time."""

    python: Path
    entry: str
    home: Path

    @cached_property
    def process(self) -> subprocess.Popen[str]:
        """The running driver; its home is empty, so that nothing is known beforehand and nothing is left behind."""
        kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
        return subprocess.Popen(
            [str(self.python), str(DRIVER), self.entry],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=kept | {"HOME": str(self.home), "HF_HUB_OFFLINE": "1", "COLUMNS": "4000", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def call(self, *arguments: str) -> dict[str, Any]:
        """What it printed, its exit code and its seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.entry} ended")
        return dict(json.loads(line))


def said(told: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON object in what it printed."""
    text = told["out"]
    if told["code"] or "{" not in text:
        return None
    try:
        return dict(json.JSONDecoder().raw_decode(text[text.index("{") :])[0])
    except ValueError:
        return None


@dataclass
class ModelDna:
    """`compare` with every parent, and `decompose` into all, with the reference as base where there are three."""

    python: Path
    home: Path
    name: str = "modelDNA 0.1"
    _program: Program = field(init=False)

    def __post_init__(self) -> None:
        self._program = Program(self.python, "modeldna.cli:app", self.home)

    @property
    def absent(self) -> str:
        """Why it is skipped."""
        return "" if self.python.exists() else f"no {self.python}; see benchmarks/lineage/README.md"

    def ask(self, files: Files) -> tuple[Answer, Cost]:
        """A merge where its decomposition says so, else the most certain of its comparisons."""
        if files.suspect.is_file():  # a GGUF model is read as a folder
            (files.folder / "gguf").mkdir()
            files.suspect.rename(files.folder / "gguf" / files.suspect.name)
            files = Files(files.folder, files.folder / "gguf", files.parents, None)
        told = [
            self._program.call("compare", str(files.suspect), str(each), "--full", "--json") for each in files.parents
        ]
        answers = [found["verdict"] for each in told if (found := said(each)) is not None]
        mixed, seconds = None, sum(each["seconds"] for each in told)
        if len(files.parents) > 1:
            *named, base = map(str, files.parents)
            based = (*named, "--base", base) if len(named) > 1 else (*named, base)
            each = self._program.call("decompose", str(files.suspect), *based, "--full", "--json")
            mixed, seconds = said(each), seconds + each["seconds"]
        cost = Cost(bytes_of(files.all), seconds)
        if not answers:
            return Answer(refused=True, words=told[0]["out"].strip()[:200]), cost
        return dna_answer(answers, mixed, files), cost


def dna_answer(verdicts: list[dict[str, Any]], mixed: dict[str, Any] | None, files: Files) -> Answer:
    """Its words in the set's: INSUFFICIENT and the like leave open, FINE_TUNE says that the suspect came later."""
    words = ", ".join(f"{each['verdict']} {each['probability'] or 0:.2f}" for each in verdicts)
    names = [each["verdict"] for each in verdicts]
    copy = next((name for name in names if name in COPIES), None)
    if mixed is not None and mixed["summary"] == "MERGE" and copy is None:
        shares = {place: float(mixed["alphas"].get(str(path), 0.0)) for place, path in enumerate(files.parents, 1)}
        return Answer(True, "merge", shares, direction="suspect", words=f"{words}; decompose MERGE")
    words += f"; decompose {mixed['summary']}" if mixed is not None else ""
    kin = copy or next((name for name in names if name in DERIVED), None)
    if kin is not None:
        direction = "suspect" if kin in ("FINE_TUNE", "SAME_LINEAGE") else None
        return Answer(True, DERIVED[kin], direction=direction, words=words)
    if all(name == "NO_MATCH" for name in names):
        return Answer(False, "stranger", words=words)
    return Answer(words=words)


@dataclass
class Cisco:
    """`provenancekit compare` with every parent; all are given one tokenizer, without which the kit reads no model."""

    python: Path
    home: Path
    name: str = "Cisco's kit 1.0"
    _program: Program = field(init=False)

    def __post_init__(self) -> None:
        self._program = Program(self.python, "provenancekit.cli:main", self.home)

    @property
    def absent(self) -> str:
        """Why it is skipped."""
        return "" if self.python.exists() else f"no {self.python}; see benchmarks/lineage/README.md"

    def ask(self, files: Files) -> tuple[Answer, Cost]:
        """Related at a confirmed or high-confidence match of any; a weak match leaves open."""
        if files.suspect.is_file():
            return Answer(refused=True, words="reads no GGUF"), Cost()
        for path in files.all:
            _with_tokenizer(path)
        told = [
            self._program.call("compare", str(files.suspect), str(each), "--json", "--no-cache")
            for each in files.parents
        ]
        cost = Cost(bytes_of(files.all), sum(each["seconds"] for each in told))
        found = [each for line in told if (each := said(line)) is not None]
        if not found:
            return Answer(refused=True, words=told[0]["out"].strip()[:200]), cost
        return kit_answer(found), cost


def kit_answer(found: list[dict[str, Any]]) -> Answer:
    """Its decisions in the set's words."""
    told = [str(_within(each, "decision", "verdict", "interpretation", "label") or "") for each in found]
    scores = [_within(each, "pipeline_score") for each in found]
    words = ", ".join(f"{text} {score}" for text, score in zip(told, scores, strict=True))
    if any("confirmed" in text.lower() or "high" in text.lower() for text in told):
        return Answer(True, words=words)
    if all("not" in text.lower() for text in told):
        return Answer(False, words=words)
    return Answer(words=words)


def _within(found: Any, *names: str) -> Any:
    """The first value under one of these names, at any depth."""
    if isinstance(found, dict):
        for name in names:
            if isinstance(found.get(name), str | int | float):
                return found[name]
        return next((value for each in found.values() if (value := _within(each, *names)) is not None), None)
    return None


def _with_tokenizer(folder: Path) -> None:
    if (folder / "tokenizer.json").exists():
        return
    count = int(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("vocab_size") or 1)
    words = {f"w{number}": number for number in range(count)}
    model = {"type": "WordLevel", "vocab": words, "unk_token": "w0"}
    (folder / "tokenizer.json").write_text(json.dumps({**TOKENS, "model": model}), encoding="utf-8")
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "w0"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told), encoding="utf-8")


def main() -> None:
    """Install what is not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=tuple(PACKAGES))
    given = parser.parse_args()
    for name, (package, least) in PACKAGES.items():
        place = given.folder / name
        if (given.only and name != given.only) or place.exists():
            continue
        python = sys.executable if sys.version_info >= least else shutil.which(f"python3.{least[1]}")
        if python is None:
            print(f"{package} needs Python {'.'.join(map(str, least))} or newer, which is not here: left out")
            continue
        subprocess.run([python, "-m", "venv", str(place)], check=True)
        subprocess.run([str(place / "bin" / "python"), "-m", "pip", "install", "-q", package], check=True)
        print(f"{package} is in {place}")


if __name__ == "__main__":
    main()
