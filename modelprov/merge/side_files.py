"""The files beside the weights: config, tokenizer, chat template, generation config. Copies; runs nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from modelprov.checkpoints.header import read_small_file
from modelprov.checkpoints.local import LocalFiles
from modelprov.checkpoints.opening import read_json_object
from modelprov.checkpoints.types import Checkpoint
from modelprov.checkpoints.writing import write_json
from modelprov.errors import UsageError
from modelprov.merge.config import merged_config
from modelprov.merge.plan import MergePlan

TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tekken.json",
    "tiktoken.model", "chat_template.jinja", "chat_template.json",
)  # fmt: skip
OTHERS = (
    "generation_config.json", "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json",
    "image_processor.json",
)  # fmt: skip
TEMPLATE = "chat_template.jinja"
MAX_BYTES = 100_000_000


def check_side_files(plan: MergePlan) -> None:
    """Raise `UsageError` for a tokenizer_source or chat_template that cannot be followed."""
    _tokenizer_model(plan)
    _template(plan)


def write_side_files(plan: MergePlan, folder: Path) -> list[str]:
    """Write all of them into `folder`; the sentences say what a user has to know. Raises `OSError`."""
    notes: list[str] = []
    config = merged_config(plan)
    if config is None:
        notes.append(f"{plan.checkpoints[plan.layout].label} has no config.json, so the merge has none")
    else:
        write_json(folder / "config.json", config)
    tokenizer, layout = _home(_tokenizer_model(plan)), _home(plan.checkpoints[plan.layout])
    copied = [*_copy(tokenizer, TOKENIZER, folder), *_copy(layout, OTHERS, folder)]
    if not any(name in copied for name in TOKENIZER):
        notes.append("no tokenizer files were found to copy")
    notes += _other_vocabularies(plan, tokenizer)
    template = _template(plan)
    if template is not None:
        (folder / TEMPLATE).write_text(template, encoding="utf-8")
        settings = folder / "tokenizer_config.json"
        if settings.exists():
            write_json(settings, {**read_json_object(settings), "chat_template": template})
    code = sorted(path.name for path in layout.glob("*.py")) if layout is not None else []
    if code:
        notes.append(f"code was not copied: {', '.join(code)} (config.json may ask for it)")
    return notes


def _home(checkpoint: Checkpoint) -> Path | None:
    """The folder of a checkpoint that is on disk, links not followed (a cache keeps side files beside its links)."""
    if not isinstance(checkpoint.source, LocalFiles) or not checkpoint.shards:
        return None
    return checkpoint.shards[0].path.parent


def _tokenizer_model(plan: MergePlan) -> Checkpoint:
    source = plan.recipe.tokenizer_source
    if source in (None, "base"):
        return plan.checkpoints[plan.layout]
    if source == "union":
        raise UsageError(
            "tokenizer_source: union is not built", "Give the models one tokenizer first; or name one model, or `base`."
        )
    if source in plan.recipe.locations:
        return plan.checkpoints[plan.recipe.locations.index(source)]
    raise UsageError(
        f"tokenizer_source {source!r} is not a model of the recipe",
        f"Known: base, {', '.join(plan.recipe.locations)}.",
    )


def _template(plan: MergePlan) -> str | None:
    """The chat template that the recipe asks for; None where the tokenizer's own stays."""
    wanted = plan.recipe.chat_template
    if wanted is None or wanted == "auto":
        return None
    if "{{" in wanted or "{%" in wanted:
        return wanted
    if Path(wanted).is_file():
        return read_small_file(Path(wanted), MAX_BYTES).decode("utf-8")
    raise UsageError(
        f"chat_template {wanted!r} is neither a template nor a file",
        "Known: auto (the tokenizer's own), a Jinja text, the path of a .jinja file.",
    )


def _copy(home: Path | None, names: tuple[str, ...], folder: Path) -> list[str]:
    found = [name for name in names if home is not None and (home / name).is_file()]
    for name in found:
        shutil.copyfile(home / name, folder / name)  # type: ignore[operator]
    return found


def _other_vocabularies(plan: MergePlan, chosen: Path | None) -> list[str]:
    """Models whose tokenizer.json is not the chosen one: row i of their embeddings may mean another token."""
    if chosen is None or not (chosen / "tokenizer.json").is_file() or plan.recipe.tokenizer_source is not None:
        return []
    vocabulary = _vocabulary(chosen)
    others = []
    for checkpoint in plan.checkpoints:
        home = _home(checkpoint)
        if (
            home is not None
            and home != chosen
            and (home / "tokenizer.json").is_file()
            and _vocabulary(home) != vocabulary
        ):
            others.append(checkpoint.label)
    return [f"the tokenizer of {', '.join(others)} has another vocabulary than the one copied"] if others else []


def _vocabulary(home: Path) -> object:
    document = read_json_object(home / "tokenizer.json")
    model = document.get("model")
    return (model.get("vocab") if isinstance(model, dict) else None, document.get("added_tokens"))
