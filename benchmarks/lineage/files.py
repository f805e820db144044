"""Writes a case's models as people publish them: folders of safetensors with a config, GGUF, packed. Makes none."""

from __future__ import annotations

from pathlib import Path

from benchmarks.lineage.labels import Made
from benchmarks.lineage.layouts import config_of
from benchmarks.lineage.peers.interface import Files
from modelprov.demo.writing import Weights, as_stored, fill_checkpoint
from tests.gguf_files import as_gguf
from tests.packing import FORMS, write_form


def written(case: Made, folder: Path) -> Files:
    """The models of a case in a folder of its own: S, P1, P2 ..., in one shard each."""
    plain = []
    for place, model in enumerate(case.models):
        at = folder / (f"P{place}" if place else "S")
        if place or not case.form:
            fill_checkpoint(at, as_stored(model), config_of(model, case.heads), 1)
        else:
            at = _packed(case, folder)
        plain.append(at)
    return Files(folder, plain[0], tuple(plain[1:]), None if case.form else case.models)


def _packed(case: Made, folder: Path) -> Path:
    suspect: Weights = case.models[0]
    if case.form in FORMS:
        made = write_form(folder / "S", suspect, case.form, config_of(suspect, case.heads))
        (made / "packed").touch()
        return made
    fill_checkpoint(folder / "plain", as_stored(suspect), config_of(suspect, case.heads), 1)
    return as_gguf(folder / "plain", folder / f"S-{case.form}.gguf", case.form)
