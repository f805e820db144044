"""Valid weights, and the files beside them, for each reader: small, by what writes them (we, or the libraries)."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelprov.checkpoints.writing import Held, header

ROOT = Path(__file__).parents[2]
PACKED = ROOT / "tests" / "data" / "packed"
LAYER = "model.layers.0."
SHAPES = {
    "model.embed_tokens.weight": (8, 4), f"{LAYER}self_attn.q_proj.weight": (4, 4),
    f"{LAYER}self_attn.k_proj.weight": (4, 4), f"{LAYER}mlp.experts.0.up_proj.weight": (4, 4),
    f"{LAYER}input_layernorm.weight": (4,), "model.norm.weight": (4,), "lm_head.weight": (8, 4),
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 4, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 2, "intermediate_size": 4, "vocab_size": 8,
    "tie_word_embeddings": False, "rope_theta": 1e6, "torch_dtype": "bfloat16", "num_experts": 1,
}  # fmt: skip
LORA = {
    "peft_type": "LORA",
    "r": 2,
    "lora_alpha": 4,
    "base_model_name_or_path": "../base",
    "target_modules": ["q_proj"],
}


def file_of(shapes: Mapping[str, Sequence[int]], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file of bf16 numbers."""
    held = [Held(name, "BF16", tuple(s), b"\x80\x3f" * int(np.prod(s))) for name, s in shapes.items()]
    return header(held, metadata) + b"".join(each.data for each in held)


def text(value: Any) -> bytes:
    """Plain data as JSON."""
    return json.dumps(value).encode()


def safetensors() -> list[bytes]:
    """A small model, with and without metadata."""
    return [file_of(SHAPES, {"format": "pt"}), file_of({"a": (0,), "b": (2, 0, 3), "c": ()})]


def config_beside(folder: Path) -> None:
    """The config of that model."""
    (folder / "config.json").write_bytes(text(CONFIG))


def weights_beside(folder: Path) -> None:
    """That model, for a config."""
    (folder / "model.safetensors").write_bytes(safetensors()[0])


def model_beside(folder: Path) -> None:
    """That model, with its config, for a tokenizer's files."""
    config_beside(folder)
    weights_beside(folder)


def config() -> list[bytes]:
    """Configs, plain and inside a composite's."""
    return [text(CONFIG), text({"model_type": "qwen3_5", "text_config": CONFIG, "vision_config": {"depth": 1}})]


def packed() -> list[bytes]:
    """A matrix in each packed form that is read."""
    return [path.read_bytes() for path in sorted(PACKED.glob("*.safetensors")) if ".numbers" not in path.name]


def packed_beside(folder: Path) -> None:
    """A config that names no method: the forms are known by their tensors."""
    (folder / "config.json").write_bytes(text({"quantization_config": {"group_size": 32, "bits": 4}}))


def packed_weights(folder: Path) -> None:
    """One of them, for a config."""
    (folder / "model.safetensors").write_bytes((PACKED / "gptq-4.safetensors").read_bytes())


def quantisation() -> list[bytes]:
    """What configs say of quantisation."""
    from tests.packing import CONFIG as EVERY

    groups = {"g": {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 32, "strategy": "group"}}}
    return [
        text(EVERY),
        text({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": True}}),
        text({"quantization_config": {"quant_method": "compressed-tensors", "config_groups": groups, "ignore": []}}),
        text({"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}, "quantization": {}}),
    ]


def index() -> list[bytes]:
    """The index of two shards."""
    places = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(SHAPES)}
    return [text({"metadata": {"total_size": 232}, "weight_map": places})]


def two_shards(folder: Path) -> None:
    """These two."""
    config_beside(folder)
    for number in range(2):
        part = dict(list(SHAPES.items())[number::2])
        (folder / f"model-0000{number + 1}-of-00002.safetensors").write_bytes(file_of(part))


def gguf() -> list[bytes]:
    """The model by the library `gguf`, in floats, in blocks and with keys of every type."""
    from tests.gguf_files import gguf_name, write_gguf

    keys: dict[str, int | str] = {"embedding_length": 4, "block_count": 1, "general.name": "rio"}
    made = []
    for kind, wide, words in (("F32", 1, {}), ("Q4_0", 8, keys), ("Q4_K", 64, keys)):
        tensors = {
            gguf_name(name): np.ones((s[0], s[1] * wide) if len(s) == 2 else s, np.float32)
            for name, s in SHAPES.items() if "experts" not in name
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            made.append(write_gguf(Path(folder) / "m.gguf", tensors, kind, keys=words).read_bytes())
    return made


def torch_files() -> list[bytes]:
    """State dicts by torch.save."""
    import torch

    table = {name: torch.ones(s, dtype=torch.bfloat16) for name, s in list(SHAPES.items())[:3]}
    made = []
    for whole in (table, {"model": table, "optimizer": {"step": 3}, "args": [1, "x", None]}):
        buffer = io.BytesIO()
        torch.save(whole, buffer)
        made.append(buffer.getvalue())
    return made


def tokenizer() -> list[bytes]:
    """A vocabulary in both ways that it is written."""
    words = {token: row for row, token in enumerate("abcdefg")}
    added = [{"id": 7, "content": "<s>", "special": True, "lstrip": False}]
    merges = {"merges": ["a b", ["c", "d"]]}
    return [
        text({"version": "1.0", "added_tokens": added, "model": {"type": "BPE", "vocab": words, **merges}}),
        text({"added_tokens": added, "model": {"type": "Unigram", "vocab": [["a", -1.5], ["b", -2]], "unk_id": 0}}),
    ]


def tokenizer_beside(folder: Path) -> None:
    """That model with its vocabulary, for a tokenizer's config."""
    model_beside(folder)
    (folder / "tokenizer.json").write_bytes(tokenizer()[0])


def tokenizer_config() -> list[bytes]:
    """Special tokens and templates in each way that they are written."""
    listed = [{"name": "default", "template": "{{ messages }}"}, {"name": "tool_use", "template": "x"}]
    more = {"bos_token": {"content": "<s>"}, "eos_token": "</s>", "auto_map": {"AutoTokenizer": ["a.b", None]}}
    decoder = {"added_tokens_decoder": {"7": {"content": "<s>", "special": True}}}
    return [
        text({"chat_template": "{{ 'hi' }}", **more, **decoder}),
        text({"chat_template": listed, "eos_token": None}),
    ]


def adapter_config() -> list[bytes]:
    """LoRA and (IA)3."""
    patterns = {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {".*k_proj": 8}, "use_rslora": True}
    ia3 = {"peft_type": "IA3", "base_model_name_or_path": "../base", "feedforward_modules": []}
    return [text(LORA), text({**LORA, **patterns}), text(ia3)]


def adapter_weights() -> list[bytes]:
    """A LoRA on one matrix."""
    name = f"base_model.model.{LAYER}self_attn.q_proj.lora_"
    return [file_of({f"{name}A.weight": (2, 4), f"{name}B.weight": (4, 2)})]


def adapter_beside(folder: Path) -> None:
    """The base, and an adapter that is whole but for what is fuzzed."""
    for name in ("base", "adapter"):
        (folder / name).mkdir(exist_ok=True)
    model_beside(folder / "base")
    (folder / "adapter" / "adapter_config.json").write_bytes(text(LORA))
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(adapter_weights()[0])


def fingerprints() -> list[bytes]:
    """The fingerprint of the small model, without a vocabulary and with one."""
    from modelprov.jobs.fingerprint import fingerprint

    made = []
    for beside in (model_beside, tokenizer_beside):
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "rio"
            model.mkdir()
            beside(model)
            fingerprint(model, Path(folder) / "rio.mpf", name="org/rio")
            made.append((Path(folder) / "rio.mpf").read_bytes())
    return made


def sums() -> list[bytes]:
    """Half a run's partial sums of two models."""
    from modelprov.forensics.sums.moments import Moments, layout
    from modelprov.forensics.sums.partial import Part, Partial
    from modelprov.forensics.sums.sums_file import Sums, sums_bytes

    columns = layout(2)
    moments = Moments(2, np.ones((2, columns.counts), np.int64), np.ones((2, columns.sums)))
    held = Partial("rio", "k", (("rio", "d1"), ("qwen", "d2")), 4, np.array([0, 2]), moments)
    return [sums_bytes(Sums([held], "a processor", Part(1, 2), {"seed": 3}))]


def alignments() -> list[bytes]:
    """An order of rows, with signs and with a basis."""
    from modelprov.checkpoints.layouts.alignment_file import alignment_bytes
    from modelprov.checkpoints.layouts.realignment import Axis, PairedTensor, Realignment

    turned = Axis(np.array([0, 1, 2, 3]), np.array([3, 2, 1, 0]), np.array([1.0, -1.0, 1.0, 2.0]))
    based = Axis(np.arange(4), np.arange(4), basis=np.eye(4, dtype=np.float32))
    pair = PairedTensor("a", "b", "turned", "based", ("n", "m"))
    return [alignment_bytes(Realignment({"turned": turned, "based": based}, (pair,), {0: 1}), "rio", "qwen")]
