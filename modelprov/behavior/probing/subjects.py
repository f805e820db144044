"""Opens what is probed: what a model's files hold (templates, hidden prompts, code) and who answers for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelprov.behavior.probing.hidden_prompts import Examined, examine
from modelprov.behavior.probing.results import ModelProbed, Role, ServedPrompt
from modelprov.behavior.probing.speakers import EndpointSpeaker, LocalSpeaker, Speaker
from modelprov.behavior.probing.template_files import (
    TemplateFile,
    added_tokens,
    code_in,
    read_templates,
    special_tokens,
)  # fmt: skip
from modelprov.behavior.templates.rendering import Renderer
from modelprov.behavior.thinking import opened_by
from modelprov.checkpoints.digests import SAMPLE_COVERS

if TYPE_CHECKING:
    from modelprov.behavior.loading import LocalModel
    from modelprov.behavior.probing.endpoint_sampling import SamplingCheck
    from modelprov.behavior.probing.endpoints import Endpoint


SERVED = "a served model: which weights answer, and what stands before and after them, is the server's word"


@dataclass(frozen=True, eq=False)
class Subject:
    """One model under test: what is known of it, who answers, and its weights where they are at hand."""

    about: ModelProbed
    speaker: Speaker
    examined: Examined | None
    weights: LocalModel | None = None
    dtype: str = ""
    device: str = ""


@dataclass(frozen=True)
class Files:
    """What a folder tells about prompts: every template examined, and the one in use."""

    examined: tuple[Examined, ...]
    used: Examined | None
    template: str | None
    special: dict[str, str]
    notes: tuple[str, ...]


def examine_files(folder: Path, template: str | None = None, renderer: Renderer | None = None) -> Files:
    """Examine every chat template in the folder; `template` is the text in use, or the first default one.

    All of them share one budget, that of `renderer` where it is given.
    """
    renderer = renderer or Renderer()
    found, special, markup = read_templates(folder), special_tokens(folder), added_tokens(folder)
    if template is None:
        template = next((one.text for one in found if one.name == "default"), None)
    if template is not None and template not in [one.text for one in found]:
        found = [TemplateFile("the tokenizer", "default", template), *found]
    texts = [one.text for one in found]
    place = texts.index(template) if template is not None else None
    examined = tuple(
        examine(one, special, markup, used=number == place, renderer=renderer)
        for number, one in enumerate(found)
        if one.text not in texts[:number]
    )
    used = next((one for one in examined if one.seen.used), None)
    defaults = {one.text for one in found if one.name == "default"}
    notes = (
        ("its files hold different chat templates under one name; which one is used depends on the program",)
        if len(defaults) > 1
        else ()
    )
    return Files(examined, used, template, special, notes)


def local_subject(
    model: LocalModel, role: Role, batch_size: int, notes: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
) -> Subject:  # fmt: skip
    """A model on this machine; `say` hears at once where memory runs out."""
    from modelprov.behavior.generation.batching import Batches

    files = examine_files(model.folder, model.template, model.renderer)
    about = ModelProbed(
        label=model.label, role=role, location=model.location, digest=model.digest, digest_covers=SAMPLE_COVERS,
        templates=tuple(one.seen for one in files.examined),
        hidden_prompts=tuple(hidden for one in files.examined for hidden in one.hidden),
        explained_texts=tuple(text for one in files.examined for text in one.explained),
        stripped_template=_stripped_template(files.used),
        code=code_in(model.folder), notes=(*files.notes, *notes),
    )  # fmt: skip
    stripped = files.used.stripped if files.used is not None else None
    speaker = LocalSpeaker(model, files.template, files.special, stripped, Batches(batch_size, say))
    return Subject(
        about, speaker, files.used, model, dtype=str(model.model.dtype).removeprefix("torch."),
        device=str(model.model.device),
    )  # fmt: skip


def endpoint_subject(
    endpoint: Endpoint, address: str, name: str, tokenizer: Path | None, at_once: int, served: ServedPrompt | None,
    sampling: SamplingCheck | None = None, renderer: Renderer | None = None,
) -> Subject:  # fmt: skip
    """A served model; `tokenizer` is a folder with its tokenizer and template, for the stripped arm.

    `sampling` says whether the server samples when asked to; what it says otherwise is a note. `renderer` is that of
    the folder, where it has one already.
    """
    files = examine_files(tokenizer, renderer=renderer) if tokenizer is not None else Files((), None, None, {}, ())
    about = ModelProbed(
        label=name, role="suspect", location=address, templates=tuple(one.seen for one in files.examined),
        hidden_prompts=tuple(hidden for one in files.examined for hidden in one.hidden),
        explained_texts=tuple(text for one in files.examined for text in one.explained),
        stripped_template=_stripped_template(files.used), served=served,
        code=code_in(tokenizer) if tokenizer is not None else (),
        notes=(*files.notes, SERVED, *([sampling.explanation] if sampling and (sampling.extra or not sampling.samples)
                                       else [])),
    )  # fmt: skip
    stripped = files.used.stripped if files.used is not None else None
    if files.used is not None and files.used.shipped is not None and opened_by(files.used.shipped.around("?")):
        endpoint.thinks = True
    return Subject(
        about,
        EndpointSpeaker(
            endpoint, name, address, files.template, files.special, stripped, at_once,
            sampling.extra if sampling else None,
        ),
        files.used,
    )  # fmt: skip


def _stripped_template(used: Examined | None) -> str | None:
    """A template that frames a message without what was added, where anything was."""
    if used is None or used.stripped is None or used.stripped == used.shipped:
        return None
    return used.stripped.as_template()
