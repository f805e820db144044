"""The one noun `Recipe`: what a merge recipe says, as frozen models, and how it is written. Reads and opens nothing.

The keys are mergekit's (`models` or `slices`, `base_model`, `merge_method`, `parameters`, `dtype`, `out_dtype`,
`tokenizer_source`, `chat_template`); what that format cannot say stands under `modelprov`. Whoever makes, finds, claims
or checks a merge says it as this; `reading` turns text into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.errors import UsageError
from modelprov.recipes.experts import MIXTURE, Expert, GateMode, check_experts
from modelprov.recipes.numbers_given import number
from modelprov.recipes.tensor_groups import MOST_LAYERS
from modelprov.records import Frozen

DTYPES = {
    "bfloat16": DType.BF16, "bf16": DType.BF16, "float16": DType.F16, "fp16": DType.F16, "half": DType.F16,
    "float32": DType.F32, "fp32": DType.F32, "float": DType.F32,
}  # fmt: skip
"""Every word for a format that can be merged."""
Location = Annotated[str, Field(max_length=4096)]
"""Where a model lies: no system knows a longer path."""
Number = Annotated[float, BeforeValidator(number)]
Layer = Annotated[int, Field(strict=True, le=MOST_LAYERS)]
Setting = Any
"""A number, text or truth value; a list of numbers (a gradient over layers); or a list of {filter, value}."""


class SourceModel(Frozen):
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


class Slice(Frozen):
    """Consecutive layers of the output, made from one range of layers in each source."""

    sources: tuple[SourceModel, ...] = Field(min_length=1)
    parameters: dict[str, Setting] = Field(default_factory=dict)


class Group(Frozen):
    """Weights, by model, of a group of tensors in words: `layers 0-2, 5; model.norm.weight` (`tensor_groups`)."""

    tensors: str
    weights: dict[str, Number]


class Extension(Frozen):
    """What mergekit's format cannot say.

    `arithmetic` is exact, by name (a preset such as `mergekit-0.1.5`, or what `compare` found); `bit_equal` is what
    `compare` measured, for readers; `reference` the model that differences are taken from; `stored_as` formats of kinds
    of tensors (canonical name without numbers) that `out_dtype` is not true of; `groups` weights that differ by tensor;
    `missing` what to do with a tensor that not every model has: copy it where only the base (or first model) has it
    (the default), copy it from whoever has it, drop it, or stop; `vocabulary` what to do where vocabularies have
    different numbers of rows: stop (the default), leave the rows out that not every model has, or keep them all;
    `threads` those of the preset's program (2), which show in long sums.
    """

    arithmetic: str | None = None
    bit_equal: Number | None = None
    reference: str | None = None
    stored_as: dict[str, str] = Field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    missing: Literal["base", "copy", "drop", "error"] = "base"
    vocabulary: Literal["error", "crop", "pad"] = "error"
    seed: int = Field(default=0, ge=0, lt=1 << 63, strict=True)
    threads: int | None = Field(default=None, ge=1, le=1024, strict=True)


class Recipe(Frozen):
    """A merge on paper; `recipes` are those, by name, that it names as models: the other documents of its file."""

    merge_method: str
    models: tuple[SourceModel, ...] = ()
    slices: tuple[Slice, ...] = ()
    base_model: Location | None = None
    parameters: dict[str, Setting] = Field(default_factory=dict)
    dtype: str | None = None
    out_dtype: str | None = None
    tokenizer_source: str | None = None
    chat_template: str | None = None
    experts: tuple[Expert, ...] = ()
    shared_experts: tuple[Expert, ...] = ()
    gate_mode: GateMode = "hidden"
    experts_per_token: Annotated[int, Field(strict=True)] = 2
    architecture: str | None = None
    name: str | None = None
    recipes: dict[str, Recipe] = Field(default_factory=dict)
    modelprov: Extension = Extension()

    @field_validator("dtype", "out_dtype")
    @classmethod
    def _known_dtype(cls, value: str | None) -> str | None:
        # float64 is what `compare` may have found, and what no merge of ours makes: whoever plans one says so
        if value is not None and value not in (*DTYPES, *(dtype.torch_name for dtype in DType)):
            raise ValueError(f"{value!r} is not a format that can be merged; known: {', '.join(DTYPES)}")
        return value

    @model_validator(mode="after")
    def _one_form(self) -> Recipe:
        if self.merge_method == MIXTURE:
            return self._mixture()
        if self.experts or self.shared_experts or self.architecture:
            raise ValueError(f"experts are of a mixture, merge_method: {MIXTURE}")
        if bool(self.models) == bool(self.slices):
            raise ValueError("give either `models` or `slices`, and at least one of them")
        if any(source.layer_range for source in self.models):
            raise ValueError("layer_range belongs into `slices`; `models` merges whole models")
        if any(source.layer_range is None for one in self.slices for source in one.sources):
            raise ValueError("every source of a slice needs layer_range: [first, last + 1]")
        return self

    def _mixture(self) -> Recipe:
        if self.models or self.slices or not self.experts or self.base_model is None:
            raise ValueError("a mixture takes base_model and `experts`, and neither `models` nor `slices`")
        check_experts(self.experts, self.shared_experts, self.gate_mode, self.experts_per_token)
        return self

    @property
    def locations(self) -> tuple[str, ...]:
        """Every model that is named, once, in order of appearance; the base last if it is named nowhere else.

        Of a mixture the base comes first.
        """
        if self.base_model and self.experts:
            others = [expert.source_model for expert in (*self.experts, *self.shared_experts)]
            return tuple(dict.fromkeys([self.base_model, *others]))
        sources = [*self.models, *(source for one in self.slices for source in one.sources)]
        named = [source.model for source in sources] + ([self.base_model] if self.base_model else [])
        return tuple(dict.fromkeys(named))

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the models lie that all of it is made of: `locations`, with those of a named recipe in its place."""
        found: list[str] = []
        for where in self.locations:
            named = self.recipes.get(where)
            others = {name: each for name, each in self.recipes.items() if name != where}
            found += [where] if named is None else named.model_copy(update={"recipes": others}).sources
        return tuple(dict.fromkeys(found))

    def as_data(self) -> dict[str, Any]:
        """The recipe as plain data, for YAML and JSON, that `from_data` reads back as the same."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def as_yaml(self) -> str:
        """The recipe as text that `parse` reads back as the same."""
        from modelprov.recipes.writing import yaml_of  # whoever compares has no use for YAML

        return yaml_of(self.as_data())


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
