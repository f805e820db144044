"""What a merge recipe says: mergekit's YAML and our extension of it, as frozen models. Opens no checkpoint.

The keys are mergekit's (`models` or `slices`, `base_model`, `merge_method`, `parameters`, `dtype`, `out_dtype`,
`tokenizer_source`, `chat_template`); what that format cannot say stands under `modelprov`. A key that is not known is
an error that lists those that are: nothing in a recipe is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from modelprov.checkpoints.files import read_small_file
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.errors import UsageError
from modelprov.foreign.shown import shortened
from modelprov.foreign.yaml_text import read_yaml
from modelprov.merge.numbers_given import number

SUFFIXES = (".yml", ".yaml")
MAX_BYTES = 10_000_000
DTYPES = {
    "bfloat16": DType.BF16, "bf16": DType.BF16, "float16": DType.F16, "fp16": DType.F16, "half": DType.F16,
    "float32": DType.F32, "fp32": DType.F32, "float": DType.F32,
}  # fmt: skip
NOT_BUILT = {
    "tokenizer": "use `tokenizer_source: base` or a model's location",
    "modules": "merge the text model of each checkpoint as a whole",
    "lora": "merge adapters into their base first",
}
SHOWN = 200  # characters of a recipe's own words in a message
MOST_LAYERS = 1_000_000
Location = Annotated[str, Field(max_length=4096)]
"""Where a model lies: no system knows a longer path."""
Number = Annotated[float, BeforeValidator(number)]
Layer = Annotated[int, Field(strict=True, le=MOST_LAYERS)]
Setting = Any
"""A number, text or truth value; a list of numbers (a gradient over layers); or a list of {filter, value}."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class SourceModel(_Strict):
    """One model of a merge, or of a slice: where it lies, which of its layers [from, to) and its own parameters."""

    model: Location
    layer_range: tuple[Layer, Layer] | None = None
    parameters: dict[str, Setting] = Field(default_factory=dict)

    @field_validator("layer_range")
    @classmethod
    def _not_empty(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 0 <= value[0] < value[1]:
            raise ValueError(f"layer_range {list(value)} is empty; it is [first, last + 1]")
        return value


class Slice(_Strict):
    """Consecutive layers of the output, made from one range of layers in each source."""

    sources: tuple[SourceModel, ...] = Field(min_length=1)
    parameters: dict[str, Setting] = Field(default_factory=dict)


class Group(_Strict):
    """Weights, by model, of the tensors that `compare` describes so: `layers 0-2, 5; model.norm.weight`."""

    tensors: str
    weights: dict[str, Number]


class Extension(_Strict):
    """What mergekit's format cannot say.

    `arithmetic` is exact, by name (a preset such as `mergekit-0.1.5`, or what `compare` found); `reference` the model
    that differences are taken from; `groups` weights that differ by tensor; `stored_as` formats of kinds of tensors
    (canonical name without numbers) that `out_dtype` is not true of; `missing` what to do with a tensor that not every
    model has: copy it where only the base (or first model) has it (the default), copy it from whoever has it, drop it,
    or stop. `bit_equal` is what `compare` measured, for readers.
    """

    arithmetic: str | None = None
    reference: str | None = None
    bit_equal: Number | None = None
    groups: tuple[Group, ...] = ()
    stored_as: dict[str, str] = Field(default_factory=dict)
    missing: Literal["base", "copy", "drop", "error"] = "base"
    seed: int = Field(default=0, ge=0, lt=1 << 63, strict=True)


class Recipe(_Strict):
    """A merge on paper."""

    merge_method: str
    models: tuple[SourceModel, ...] = ()
    slices: tuple[Slice, ...] = ()
    base_model: Location | None = None
    parameters: dict[str, Setting] = Field(default_factory=dict)
    dtype: str | None = None
    out_dtype: str | None = None
    tokenizer_source: str | None = None
    chat_template: str | None = None
    name: str | None = None
    modelprov: Extension = Extension()

    @field_validator("dtype", "out_dtype")
    @classmethod
    def _known_dtype(cls, value: str | None) -> str | None:
        if value is not None and value not in DTYPES:
            raise ValueError(f"{value!r} is not a format that can be merged; known: {', '.join(DTYPES)}")
        return value

    @model_validator(mode="after")
    def _one_form(self) -> Recipe:
        if bool(self.models) == bool(self.slices):
            raise ValueError("give either `models` or `slices`, and at least one of them")
        if any(source.layer_range for source in self.models):
            raise ValueError("layer_range belongs into `slices`; `models` merges whole models")
        if any(source.layer_range is None for one in self.slices for source in one.sources):
            raise ValueError("every source of a slice needs layer_range: [first, last + 1]")
        return self

    @property
    def locations(self) -> tuple[str, ...]:
        """Every model that is named, once, in order of appearance; the base last if it is named nowhere else."""
        sources = [*self.models, *(source for one in self.slices for source in one.sources)]
        named = [source.model for source in sources] + ([self.base_model] if self.base_model else [])
        return tuple(dict.fromkeys(named))

    def as_yaml(self) -> str:
        """The recipe as text that `parse` reads back as the same."""
        return yaml.safe_dump(self.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True)


def is_recipe(location: str) -> bool:
    """Whether a location means a recipe file."""
    return location.lower().endswith(SUFFIXES)


def load(path: Path) -> Recipe:
    """The recipe in a file; raises `UnreadableFileError` or `UsageError`."""
    return parse(read_small_file(path, MAX_BYTES).decode("utf-8", "replace"), str(path))


def parse(text: str, where: str = "the recipe") -> Recipe:
    """The recipe in a text; raises `UsageError` that says what is wrong, where, and what is known."""
    value, mistakes = read_yaml(text, merge_keys=True)
    if mistakes:
        first = mistakes[0]
        said = "" if first.about == "not YAML" else "not a recipe that can be read: "
        raise UsageError(f"{where}, line {first.line}: {said}{first.message}", "See docs/merge.md for examples.")
    return from_data(None if value is None else value.data, where)


def from_data(document: object, where: str = "the recipe") -> Recipe:
    """The recipe in plain data, as YAML or JSON hold it; raises as `parse` does."""
    if not isinstance(document, dict):
        raise UsageError(f"{where} is not a merge recipe", "It needs merge_method and models; see docs/merge.md.")
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise UsageError(f"{where}: {_in_words(error)}", "See docs/merge.md for what a recipe may say.") from error


def linear(weights: Mapping[str, float], arithmetic: str | None = None, out_dtype: str | None = None) -> Recipe:
    """The recipe of the short form: a weighted mean of models by location, in this order.

    Without an `arithmetic` it is plain float32: each product and each sum rounded, one final rounding.
    """
    for location, weight in weights.items():
        try:
            number(weight)
        except ValueError as error:
            raise UsageError(f"the weight of {location} {error}", "Write it like NEX=0.6.") from error
    models = tuple(SourceModel(model=where, parameters={"weight": weight}) for where, weight in weights.items())
    return Recipe(
        merge_method="linear",
        models=models,
        out_dtype=out_dtype,
        modelprov=Extension(arithmetic=arithmetic or "float32"),
    )


def _in_words(error: ValidationError) -> str:
    """The first thing that is wrong, with the place and the keys that are known there."""
    first = error.errors(include_url=False)[0]
    place = shortened(".".join(str(part) for part in first["loc"]), SHOWN) or "the document"
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"][:-1])
        key = str(first["loc"][-1])
        hint = f" ({NOT_BUILT[key]})" if key in NOT_BUILT else ""
        return f"unknown key {place!r}{hint}; known here: {', '.join(known)}"
    if first["type"] == "missing":
        return f"{place} is missing"
    said = first["msg"].removeprefix("Value error, ")
    return shortened(f"{place} {said}" if said.startswith("is ") else f"{place}: {said}", 2 * SHOWN)


def _known_keys(place: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys of the model at a place in the document."""
    names = [part for part in place if isinstance(part, str)]
    kinds: dict[str, type[BaseModel]] = {
        "models": SourceModel, "slices": Slice, "sources": SourceModel, "modelprov": Extension, "groups": Group,
    }  # fmt: skip
    return tuple((kinds[names[-1]] if names else Recipe).model_fields)
