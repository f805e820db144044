"""The routers of a mixture made of experts: one row for each expert in every layer, made from prompts. A source.

As in mergekit-moe: a row is what the base makes of an expert's prompts, less what it makes of those that are not to
reach it, in unit length. `cheap_embed` takes the embeddings of the prompts' tokens, the same for every layer; `hidden`
what goes into each layer, which takes a forward pass with transformers. What is drawn is drawn from the recipe's seed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, decode
from modelprov.checkpoints.homes import json_in
from modelprov.checkpoints.layouts.side_files import TOKENIZER_SETTINGS, VOCABULARY
from modelprov.checkpoints.sources.interface import Piece, Range, one_after_another
from modelprov.checkpoints.types import Checkpoint, TensorRef
from modelprov.errors import MergeError, UsageError
from modelprov.recipes.experts import DRAWN, Expert, GateMode

Float32 = npt.NDArray[np.float32]
EXTRA = "pip install 'modelprov[behavior]'"
MAX_TOKENIZER = 1_000_000_000
LEAST_LENGTH = 1e-8


class RouterSource:
    """Rows of routers as float32, [layers, experts, width], in one shard that is computed when it is first read."""

    def __init__(self, make: Callable[[], Float32], size: int) -> None:
        self._make, self._size = make, size
        self._lock = threading.Lock()
        self._made: memoryview | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What the shard is."""
        return ("routers",)

    def place(self, _shard: int) -> str:
        """The same: it lies nowhere."""
        return "routers"

    def size(self, _shard: int) -> int:
        """Its bytes."""
        return self._size

    def versions(self) -> Sequence[str]:
        """None: they hang on the recipe and the models alone."""
        return ()

    def check_unchanged(self) -> None:
        """Nothing is stored."""

    def close(self) -> None:
        """Nothing is open."""

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`."""
        return one_after_another(self.read_into, ranges)

    def read_into(self, _shard: int, start: int, out: memoryview) -> None:
        """See `Source`."""
        with self._lock:
            if self._made is None:
                self._made = memoryview(self._make().astype("<f4").tobytes())
        view = out.cast("B")
        view[:] = self._made[start : start + len(view)]


def routers(
    base: Checkpoint, embeddings: TensorRef, layers: int, experts: Sequence[Expert], mode: GateMode, seed: int
) -> RouterSource:
    """The rows of all layers; raises `UsageError` or `MergeError` for what making them will lack."""
    width = embeddings.shape[1]
    shape = (layers, len(experts), width)
    if mode in DRAWN:
        return RouterSource(lambda: _drawn(mode, shape, seed), 4 * int(np.prod(shape)))
    needed = ("tokenizers",) if mode == "cheap_embed" else ("torch", "transformers")
    missing = next((name for name in needed if find_spec(name) is None), None)
    if missing is not None:
        what = "reads prompts" if mode == "cheap_embed" else "is a forward pass of the base"
        raise UsageError(f"gate_mode {mode} {what}, which takes {missing}", f"{EXTRA}, or say `gate_mode: random`.")
    home = base.files
    if home is None or not home.has(VOCABULARY):
        raise MergeError(f"{base.label} has no tokenizer.json to read the prompts with", "Say `gate_mode: random`.")
    if mode == "cheap_embed":
        return RouterSource(
            lambda: np.repeat(_of_embeddings(base, embeddings, experts)[None], layers, 0), 4 * int(np.prod(shape))
        )
    if home.folder is None:
        raise MergeError(f"gate_mode {mode} is a forward pass, and {base.location} is in no folder", "Download it.")
    folder = str(home.folder)
    return RouterSource(lambda: _of_states(folder, experts, mode), 4 * int(np.prod(shape)))


def _drawn(mode: GateMode, shape: tuple[int, ...], seed: int) -> Float32:
    rng = np.random.default_rng([seed, 0x6D6F65])
    if mode == "random":
        return rng.standard_normal(shape, np.float32)
    side = np.float32(1 / np.sqrt(shape[-1]))  # as a new linear layer begins
    return np.asarray(rng.random(shape, np.float32) * 2 * side - side, np.float32)


def _unit(row: Float32) -> Float32:
    length = np.sqrt((row * row).sum(dtype=np.float32))
    return np.asarray(row / np.maximum(length, np.float32(LEAST_LENGTH)), np.float32)


def _of_embeddings(base: Checkpoint, embeddings: TensorRef, experts: Sequence[Expert]) -> Float32:
    """The sums of the prompts' embeddings, [experts, width]."""
    from tokenizers import Tokenizer

    home = base.files
    assert home is not None
    tokenizer = Tokenizer.from_str(home.read(VOCABULARY, MAX_TOKENIZER).decode())
    begin = json_in(home, TOKENIZER_SETTINGS).get("bos_token") if home.has(TOKENIZER_SETTINGS) else None
    begin = begin.get("content") if isinstance(begin, dict) else begin

    def embedded(prompts: Sequence[str]) -> Float32:
        total = np.zeros(embeddings.shape[1], np.float32)
        for prompt in prompts:
            ids = tokenizer.encode(f"{begin or ''}{prompt}", add_special_tokens=False).ids
            rows = [_row(base, embeddings, token) for token in ids]
            total = total + np.sum(rows, 0, dtype=np.float32) if rows else total
        return _unit(total)

    made = []
    for expert in experts:
        row = embedded(expert.positive_prompts)
        made.append(_unit(row - embedded(expert.negative_prompts)) if expert.negative_prompts else _unit(row))
    return np.stack(made)


def _row(base: Checkpoint, embeddings: TensorRef, token: int) -> Float32:
    size = embeddings.shape[1] * embeddings.dtype.size
    raw = np.empty(size, np.uint8)
    base.source.read_into(embeddings.shard, embeddings.start + token * size, raw.data)
    return decode(raw, embeddings.dtype).astype(np.float32)


def _of_states(folder: str, experts: Sequence[Expert], mode: GateMode) -> Float32:
    """What goes into each layer after the prompts, in bfloat16, [layers, experts, width]; loads the base whole."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, padding_side="left")
    tokenizer.pad_token = tokenizer.bos_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.bfloat16)

    def states(prompts: Sequence[str]) -> torch.Tensor:
        texts = [f"{tokenizer.bos_token or ''}{prompt}" for prompt in prompts]
        tokens = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.no_grad():
            found = model(**tokens, output_hidden_states=True, return_dict=True).hidden_states[:-1]
        held = torch.stack(found)  # layers, prompts, tokens, width
        each = held.sum(dim=2) / held.shape[2] if mode == "hidden_avg" else held[:, :, -1, :]
        return each.sum(dim=1) / each.shape[1]

    made = []
    for expert in experts:
        row = states(expert.positive_prompts)
        row = row - states(expert.negative_prompts) if expert.negative_prompts else row
        made.append(row / row.norm(p=2, dim=-1, keepdim=True).clamp(min=LEAST_LENGTH))
    stacked: Float32 = torch.stack(made, 1).float().numpy()
    return stacked


def router_tensors(shape: tuple[int, int, int]) -> list[TensorRef]:
    """The rows of each layer as a tensor of the source's shard."""
    layers, experts, width = shape
    size = experts * width * 4
    return [TensorRef(f"router {n}", DType.F32, (experts, width), 0, n * size, (n + 1) * size) for n in range(layers)]
