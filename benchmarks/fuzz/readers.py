"""The readers that a stranger's files reach, each with a folder for its input and the functions that take it up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.fuzz import answers, documents, seeds
from modelprov.errors import ModelprovError

if TYPE_CHECKING:
    from modelprov.checkpoints.types import Checkpoint

Form = Literal["safetensors", "signed", "gguf", "zip", "json", "jsonl", "yaml", "toml", "card", "answer"]


@dataclass(frozen=True)
class Reader:
    """`read` gets a folder that holds what `prepare` made and the input as `file`; `seeds` are valid inputs."""

    file: str
    form: Form
    read: Callable[[Path], object]
    seeds: Callable[[], Sequence[bytes]]
    prepare: Callable[[Path], None] = lambda _: None

    def ready(self, folder: Path) -> None:
        """Prepare a folder, and read each seed: what is imported and started once is so before any is watched."""
        self.prepare(folder)
        for content in self.seeds():
            self.put(folder, content)
            with suppress(ModelprovError):
                self.read(folder)

    def put(self, folder: Path, content: bytes) -> None:
        """Write an input to where it is read."""
        (folder / self.file).write_bytes(content)


def _model(folder: Path) -> Checkpoint:
    from modelprov.checkpoints.digests import weights_digest
    from modelprov.checkpoints.inspection import inspect_checkpoint
    from modelprov.checkpoints.layouts.alignment import align
    from modelprov.checkpoints.layouts.quantised import quantisation
    from modelprov.checkpoints.opening import open_checkpoint
    from modelprov.checkpoints.stated import stated
    from modelprov.reports.inspecting.telling import tell

    opened = open_checkpoint(str(folder))
    stated(opened)
    quantisation(opened)
    tell(inspect_checkpoint(opened))
    align((opened, opened))
    if sum(shard.size for shard in opened.shards) < 1 << 22:
        weights_digest(opened)
    return opened


def _decoded(folder: Path) -> None:
    """A model, and every number of its small tensors as it is decoded."""
    opened = _model(folder)
    for ref in opened.tensors.values():
        if ref.stop - ref.start < 1 << 16:
            opened.source.read_into(ref.shard, ref.start, memoryview(bytearray(ref.stop - ref.start)))


def _torch(folder: Path) -> None:
    """What the child says of a file, as its parent takes it; here both are one process, without limits."""
    from modelprov.checkpoints import torch_files, torch_files_child
    from modelprov.checkpoints.sources.local import LocalFiles

    source, storage = LocalFiles(folder, ("pytorch_model.bin",)), torch_files_child.torch.UntypedStorage
    torch_files._check_beginning(source, 0)
    mapped = storage.from_file
    try:
        torch_files_child.note_where_files_begin()
        answer = torch_files_child.answered(str(folder / "pytorch_model.bin"))
    finally:
        storage.from_file = mapped
    torch_files._header(source, 0, json.loads(json.dumps(answer)), [])


def _tokenizer(folder: Path) -> None:
    from modelprov.behavior.probing.template_files import added_tokens, code_in, read_templates, special_tokens
    from modelprov.check.measuring.config import config_problems, tokenizer_problems
    from modelprov.checkpoints.layouts.tokens import shared_tokens
    from modelprov.checkpoints.opening import open_checkpoint
    from modelprov.merge.tokenizers import Tokenizer, tokenizer_of, union_of, within_rows

    opened = open_checkpoint(str(folder))
    for asked in (read_templates, special_tokens, added_tokens, code_in):
        asked(folder)
    tuple(config_problems(opened))
    tuple(tokenizer_problems(folder, opened))
    shared_tokens(opened, opened, (8, 8))
    if (own := tokenizer_of(opened)) is not None:
        other = Tokenizer({"a": 0, "z": 1}, {"model": {"type": "WordLevel", "vocab": {"a": 0, "z": 1}}})
        for base, more in ((other, own), (own, other)):
            union_of(base, [within_rows(more, len(more.rows), "rio")])


def _adapter(folder: Path) -> None:
    from modelprov.checkpoints.inspection import inspect_checkpoint
    from modelprov.checkpoints.opening import open_adapter, open_checkpoint

    inspect_checkpoint(open_adapter(str(folder / "adapter")))
    inspect_checkpoint(open_checkpoint(f"{folder / 'base'}+{folder / 'adapter'}"))


def _recipe(folder: Path) -> None:
    from modelprov.recipes.reading import load

    load(folder / "recipe.yml")


def _card(folder: Path) -> None:
    from modelprov.check.read_claims import read_claims

    read_claims(folder)


def _fingerprint(folder: Path) -> None:
    from modelprov.checkpoints.inspection import inspect_checkpoint
    from modelprov.checkpoints.opening import open_checkpoint
    from modelprov.reports.inspecting.telling import tell

    tell(inspect_checkpoint(open_checkpoint(str(folder / "rio.mpf"))))


def _sums(folder: Path) -> None:
    from modelprov.forensics.sums.sums_file import read_sums

    read_sums(folder / "part.mpsums")


def _alignment(folder: Path) -> None:
    from modelprov.checkpoints.layouts.alignment_file import read_alignment

    read_alignment(folder / "alignment.safetensors")


def _report(folder: Path) -> None:
    from modelprov.jobs.recorded import parse_report
    from modelprov.reports.comparison.as_json import render_json
    from modelprov.reports.comparison.telling import tell
    from modelprov.reports.evidence.attestation_consistency import contradictions

    report = parse_report((folder / "report.json").read_bytes(), "report.json")
    if not tuple(contradictions(report)):
        tell(report)
    render_json(report)


def _other_reports(folder: Path) -> None:
    from modelprov.errors import UsageError
    from modelprov.reports import as_json

    text = (folder / "report.json").read_bytes().decode("utf-8", "replace")
    for load in (as_json.load_probe, as_json.load_check, as_json.load_evaluation):
        with suppress(UsageError):
            as_json.render_json(load(text))


def _dropped(folder: Path) -> None:
    """A report of any command, as `serve` takes it and tells it."""
    from modelprov.reports.saving import told_from_file
    from modelprov.serve.dropped import Dropped, read

    told_from_file(read(Dropped("report.json", (folder / "report.json").read_bytes())))


def _task(folder: Path) -> None:
    from modelprov.behavior.evaluation.tasks import load_task

    load_task(str(folder / "task.jsonl"))


def _answers(folder: Path) -> None:
    """The answers that a probe left, taken up again."""
    from modelprov.behavior.probing.answer_log import AnswerLog

    with AnswerLog(folder / "answers.jsonl"):
        pass


def _statement(folder: Path) -> None:
    from modelprov.errors import UsageError
    from modelprov.foreign.json_text import JsonError, parse_json
    from modelprov.reports.evidence.attestation_envelope import is_envelope, open_envelope
    from modelprov.reports.evidence.statements import load_statement

    content = (folder / "statement.json").read_bytes()
    try:
        told: Any = parse_json(content, unique=True)
    except JsonError as error:
        raise UsageError("statement.json is not JSON") from error
    payload, _ = open_envelope(told) if is_envelope(told) else (content, [])
    load_statement(payload.decode("utf-8", "replace"))


def _library(folder: Path) -> None:
    from modelprov.checkpoints.library_folder import path_in, read_library

    for entry in read_library(folder).entries:
        path_in(folder, entry)


@cache
def _commands() -> dict[str, Any]:
    from modelprov.cli.app import loaded

    return {name: loaded(name) for name in ("compare", "report")}


def _policy(folder: Path) -> None:
    from modelprov.check.policy import load_policy

    load_policy(folder / "modelprov.toml", {"MP101": "origin", "MP102": "base"})


def _defaults(folder: Path) -> None:
    from modelprov.cli.defaults import read_for

    every = _commands()
    for name in every:
        read_for(name, every, folder / "modelprov.toml")


def _baseline(folder: Path) -> None:
    from modelprov.check.baseline import as_text, load_baseline

    as_text(load_baseline(folder / "baseline.json"))


READERS: dict[str, Reader] = {
    "safetensors": Reader("model.safetensors", "safetensors", _model, seeds.safetensors, seeds.config_beside),
    "packed": Reader("model.safetensors", "safetensors", _decoded, seeds.packed, seeds.packed_beside),
    "index": Reader("model.safetensors.index.json", "json", _model, seeds.index, seeds.two_shards),
    "gguf": Reader("model.gguf", "gguf", _decoded, seeds.gguf),
    "torch": Reader("pytorch_model.bin", "zip", _torch, seeds.torch_files),
    "config": Reader("config.json", "json", _model, seeds.config, seeds.weights_beside),
    "quantisation": Reader("config.json", "json", _decoded, seeds.quantisation, seeds.packed_weights),
    "tokenizer": Reader("tokenizer.json", "json", _tokenizer, seeds.tokenizer, seeds.model_beside),
    "tokenizer-config": Reader(
        "tokenizer_config.json", "json", _tokenizer, seeds.tokenizer_config, seeds.tokenizer_beside
    ),
    "adapter": Reader("adapter/adapter_config.json", "json", _adapter, seeds.adapter_config, seeds.adapter_beside),
    "adapter-weights": Reader(
        "adapter/adapter_model.safetensors", "safetensors", _adapter, seeds.adapter_weights, seeds.adapter_beside
    ),
    "recipe": Reader("recipe.yml", "yaml", _recipe, documents.recipes),
    "card": Reader("README.md", "card", _card, documents.cards),
    "recipe-claimed": Reader("mergekit_config.yml", "yaml", _card, documents.recipes),
    "fingerprint": Reader("rio.mpf", "signed", _fingerprint, seeds.fingerprints),
    "sums": Reader("part.mpsums", "signed", _sums, seeds.sums),
    "alignment": Reader("alignment.safetensors", "signed", _alignment, seeds.alignments),
    "report": Reader("report.json", "json", _report, documents.reports),
    "other-reports": Reader("report.json", "json", _other_reports, documents.other_reports),
    "statement": Reader("statement.json", "json", _statement, documents.statements),
    "dropped": Reader("report.json", "json", _dropped, documents.any_report),
    "task": Reader("task.jsonl", "jsonl", _task, documents.tasks),
    "answers": Reader("answers.jsonl", "jsonl", _answers, documents.answers),
    "library": Reader("library.json", "json", _library, documents.libraries),
    "policy": Reader("modelprov.toml", "toml", _policy, documents.settings),
    "defaults": Reader("modelprov.toml", "toml", _defaults, documents.settings),
    "baseline": Reader("baseline.json", "json", _baseline, documents.baselines),
    "served": Reader("answer", "answer", answers.served, documents.served),
    "endpoint": Reader("answer", "json", answers.endpoint, documents.endpoint),
}
"""By the name that `--reader` takes."""
