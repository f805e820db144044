"""Models in layouts of several families are seen in one: against programs that compute with the weights as stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.layouts import common_layout
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.layouts.common_layout import in_common_layout, in_usual_layout
from modelprov.checkpoints.layouts.naming import canonical_name
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Alignment, Checkpoint

transformers = pytest.importorskip("transformers")

Tensors = dict[str, torch.Tensor]
HIDDEN, HEADS, GROUPS, WIDTH, UNITS, LAYERS, WORDS = 64, 8, 2, 8, 96, 2, 100
TORCH = {DType.BF16: torch.bfloat16, DType.F32: torch.float32, DType.F16: torch.float16}


def llama(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=WORDS, hidden_size=HIDDEN, intermediate_size=UNITS, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=GROUPS, tie_word_embeddings=False, rope_theta=10000.0,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def saved(folder: Path, tensors: Mapping[str, torch.Tensor], config: Mapping[str, Any] | None = None,
          params: Mapping[str, Any] | None = None, name: str = "model.safetensors") -> Path:  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / name)
    for file, said in (("config.json", config), ("params.json", params)):
        if said is not None:
            (folder / file).write_text(json.dumps(said))
    return folder


def in_hf(folder: Path, seed: int = 0) -> tuple[Path, Tensors]:
    model = llama(seed).to(torch.bfloat16)
    model.save_pretrained(folder)
    return folder, load_file(folder / "model.safetensors")


def opened(*folders: Path) -> tuple[Checkpoint, ...]:
    return in_common_layout([open_checkpoint(str(folder)) for folder in folders])


def values(checkpoint: Checkpoint, name: str, first: int = 0, count: int | None = None) -> torch.Tensor:
    ref = checkpoint.tensors[name]
    count = ref.count - first if count is None else count
    raw = bytearray(count * ref.dtype.size)
    checkpoint.source.read_into(ref.shard, ref.start + first * ref.dtype.size, memoryview(raw))
    return torch.frombuffer(raw, dtype=TORCH[ref.dtype])


def of_view(alignment: Alignment, number: int, row: int) -> bytes:
    view = alignment.tensors[row].views[number]
    raw = bytearray(view.count * view.ref.dtype.size)
    alignment.checkpoints[number].source.read_into(view.ref.shard, view.start, memoryview(raw))
    return bytes(raw)


def all_alike(first: Path, second: Path) -> bool:
    """Whether every tensor is found in both, with the same bits."""
    found = align(opened(first, second))
    assert found.share(0) == 1.0, found.unaligned[:3]
    assert found.share(1) == 1.0, found.unaligned[:3]
    return all(of_view(found, 0, row) == of_view(found, 1, row) for row in range(len(found.tensors)))


PARAMS = {"dim": HIDDEN, "n_layers": LAYERS, "head_dim": WIDTH, "hidden_dim": UNITS, "n_heads": HEADS,
          "n_kv_heads": GROUPS, "norm_eps": 1e-6, "vocab_size": WORDS}  # fmt: skip


def makers_own(seed: int = 0) -> Tensors:
    """A model as Meta and Mistral name and store it."""
    drawn = torch.Generator().manual_seed(seed)

    def of(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=drawn) / 8

    made = {
        "tok_embeddings.weight": of(WORDS, HIDDEN),
        "output.weight": of(WORDS, HIDDEN),
        "norm.weight": 1 + of(HIDDEN),
    }
    for layer in range(LAYERS):
        before = f"layers.{layer}."
        for word, rows in (("wq", HEADS), ("wk", GROUPS), ("wv", GROUPS)):
            made[f"{before}attention.{word}.weight"] = of(rows * WIDTH, HIDDEN)
        made[f"{before}attention.wo.weight"] = of(HIDDEN, HEADS * WIDTH)
        for word, shape in (("w1", (UNITS, HIDDEN)), ("w2", (HIDDEN, UNITS)), ("w3", (UNITS, HIDDEN))):
            made[f"{before}feed_forward.{word}.weight"] = of(*shape)
        made |= {f"{before}{word}_norm.weight": 1 + of(HIDDEN) for word in ("attention", "ffn")}
    return made


def as_the_makers_compute(model: Tensors, tokens: torch.Tensor) -> torch.Tensor:
    """Logits by the arithmetic of Meta's and Mistral's own programs: neighbouring rows are one complex number."""

    def normed(x: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * gains

    def turned(x: torch.Tensor) -> torch.Tensor:
        speeds = 1.0 / 10000.0 ** (torch.arange(0, WIDTH, 2)[: WIDTH // 2].float() / WIDTH)
        angles = torch.outer(torch.arange(x.shape[0]).float(), speeds)
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)[:, None]).flatten(2)

    x = model["tok_embeddings.weight"][tokens]
    for layer in range(LAYERS):
        own = {name.removeprefix(f"layers.{layer}."): tensor for name, tensor in model.items()}
        h = normed(x, own["attention_norm.weight"])
        q, k, v = ((h @ own[f"attention.{word}.weight"].T).view(len(tokens), -1, WIDTH) for word in ("wq", "wk", "wv"))
        q, k = turned(q), turned(k)
        k, v = (each.repeat_interleave(HEADS // GROUPS, 1) for each in (k, v))
        scores = torch.einsum("ihd,jhd->hij", q, k) / WIDTH**0.5
        scores = scores.masked_fill(torch.ones(len(tokens), len(tokens)).triu(1).bool(), -torch.inf)
        mixed = torch.einsum("hij,jhd->ihd", scores.softmax(-1), v).flatten(1)
        x = x + mixed @ own["attention.wo.weight"].T
        h = normed(x, own["ffn_norm.weight"])
        gate = torch.nn.functional.silu(h @ own["feed_forward.w1.weight"].T)
        x = x + (gate * (h @ own["feed_forward.w3.weight"].T)) @ own["feed_forward.w2.weight"].T
    return normed(x, model["norm.weight"]) @ model["output.weight"].T


def to_makers(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """What `consolidated.safetensors` of a Llama has, from transformers' own tensors."""
    words = {
        "model.embed_tokens": "tok_embeddings", "lm_head": "output", "model.norm": "norm",
        "self_attn.q_proj": "attention.wq",
        "self_attn.k_proj": "attention.wk", "self_attn.v_proj": "attention.wv", "self_attn.o_proj": "attention.wo",
        "mlp.gate_proj": "feed_forward.w1", "mlp.down_proj": "feed_forward.w2", "mlp.up_proj": "feed_forward.w3",
        "input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm", "model.layers": "layers",
    }  # fmt: skip
    made = {}
    for name, tensor in tensors.items():
        renamed = name
        for own, theirs in words.items():
            renamed = renamed.replace(own, theirs)
        if renamed.endswith((".wq.weight", ".wk.weight")):
            made[renamed] = tensor.view(-1, 2, WIDTH // 2, HIDDEN).transpose(1, 2).reshape(tensor.shape)
        else:
            made[renamed] = tensor
    return made


def test_a_makers_model_read_in_the_usual_layout_computes_what_it_computed(tmp_path: Path) -> None:
    stored = makers_own()
    own = saved(tmp_path / "own", stored, params=PARAMS, name="consolidated.safetensors")
    usual, _ = in_hf(tmp_path / "usual", seed=5)
    seen, _ = opened(own, usual)
    model = llama()
    with torch.no_grad():
        model.load_state_dict(
            {canonical_name(name): values(seen, name).view(ref.shape) for name, ref in seen.tensors.items()}
        )
        tokens = torch.arange(20) * 7 % WORDS
        theirs = model(tokens[None]).logits[0]
        assert torch.allclose(theirs, as_the_makers_compute(stored, tokens), atol=1e-4)
        scrambled = dict(model.state_dict())
        name = "model.layers.0.self_attn.q_proj.weight"
        scrambled[name] = stored["layers.0.attention.wq.weight"]
        model.load_state_dict(scrambled)
        assert not torch.allclose(theirs, model(tokens[None]).logits[0], atol=1e-2)  # the test can tell


@pytest.mark.parametrize("said", ["params", "config", "rope", "the other model"])
def test_a_copy_in_the_makers_layout_has_every_bit(tmp_path: Path, said: str) -> None:
    usual, tensors = in_hf(tmp_path / "usual")
    more = {"rope.freqs": torch.ones(WIDTH // 2)} if said == "rope" else {}
    own = saved(
        tmp_path / "own", to_makers(tensors) | more, params=PARAMS if said == "params" else None,
        config={"hidden_size": HIDDEN, "num_attention_heads": HEADS} if said == "config" else None,
        name="consolidated.safetensors",
    )  # fmt: skip
    if said == "rope":
        return _but_for_a_table(own, usual)
    assert all_alike(own, usual)
    assert all_alike(usual, own)
    return None


def _but_for_a_table(own: Path, usual: Path) -> None:
    found = align(opened(own, usual))
    assert [each.name for each in found.unaligned] == ["rope.freqs"]
    assert all(of_view(found, 0, row) == of_view(found, 1, row) for row in range(len(found.tensors)))


def test_two_models_of_one_layout_stay_as_they_are(tmp_path: Path) -> None:
    first, second = (saved(tmp_path / str(seed), makers_own(seed), params=PARAMS) for seed in (0, 1))
    before = [open_checkpoint(str(folder)) for folder in (first, second)]
    assert in_common_layout(before) == tuple(before)


def test_alone_a_makers_model_is_in_the_usual_layout_and_any_other_in_its_own(tmp_path: Path) -> None:
    usual, tensors = in_hf(tmp_path / "usual")
    own = open_checkpoint(str(saved(tmp_path / "own", to_makers(tensors), params=PARAMS)))
    seen = in_usual_layout(own)
    assert {canonical_name(name): ref.shape for name, ref in seen.tensors.items()} == {
        name: tuple(tensor.shape) for name, tensor in tensors.items()
    }
    name = "model.layers.1.self_attn.k_proj.weight"
    assert torch.equal(values(seen, name), tensors[name].flatten())
    plain = open_checkpoint(str(usual))
    assert in_usual_layout(plain) is plain


def test_nothing_is_worked_out_for_models_of_usual_layouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common_layout, "canonical_columns", None)
    _, tensors = in_hf(tmp_path / "usual")
    fewer = {name: tensor for name, tensor in tensors.items() if "layers.1" not in name}
    before = [open_checkpoint(str(folder)) for folder in (tmp_path / "usual", saved(tmp_path / "fewer", fewer))]
    assert in_common_layout(before) == tuple(before)


def test_a_mixture_of_experts_in_mistrals_own_layout_is_the_one_in_transformers(tmp_path: Path) -> None:
    config = transformers.MixtralConfig(
        vocab_size=WORDS, hidden_size=HIDDEN, intermediate_size=UNITS, num_hidden_layers=1, num_attention_heads=HEADS,
        num_key_value_heads=GROUPS, num_local_experts=4,
    )  # fmt: skip
    transformers.MixtralForCausalLM(config).to(torch.bfloat16).save_pretrained(tmp_path / "usual")
    stored = load_file(tmp_path / "usual" / "model.safetensors")
    own = {name.replace("block_sparse_moe", "feed_forward"): tensor for name, tensor in to_makers(stored).items()}
    assert "layers.0.feed_forward.experts.3.w2.weight" in own
    assert all_alike(saved(tmp_path / "own", own, params=PARAMS), tmp_path / "usual")


def test_what_sees_is_put_in_order_as_transformers_own_conversion_does(tmp_path: Path) -> None:
    loading = pytest.importorskip("transformers.core_model_loading")
    usual, tensors = in_hf(tmp_path / "usual")
    drawn = torch.Generator().manual_seed(3)
    seeing, told = {}, {"hidden_size": 48, "num_attention_heads": 3}
    for word in ("q", "k", "v", "o"):
        name = f"transformer.layers.0.attention.w{word}.weight"
        seeing[f"vision_encoder.{name}"] = torch.randn(48, 48, generator=drawn)
    seeing["vision_encoder.transformer.layers.0.feed_forward.w1.weight"] = torch.randn(80, 48, generator=drawn)
    seeing["vision_language_adapter.w_in.weight"] = torch.randn(HIDDEN, 48, generator=drawn)
    config = transformers.PretrainedConfig(**told)
    theirs = {}
    for name, tensor in seeing.items():
        new = name.replace("vision_encoder", "model.vision_tower").replace("feed_forward.w1", "feed_forward.gate_proj")
        new = new.replace("vision_language_adapter.w_in", "model.multi_modal_projector.linear_1")
        for word in "qkvo":
            new = new.replace(f"attention.w{word}", f"attention.{word}_proj")
        turns = loading.PermuteForRope()._permute_for_rope if new.endswith(("q_proj.weight", "k_proj.weight")) else None
        theirs[new] = tensor if turns is None else turns(tensor, config)
    hf = saved(tmp_path / "hf", tensors | theirs, config=json.loads((usual / "config.json").read_text()))
    own = saved(tmp_path / "own", to_makers(tensors) | seeing, params=PARAMS | {"vision_encoder": told})
    assert all_alike(own, hf)
    silent = saved(tmp_path / "silent", to_makers(tensors) | seeing, params=PARAMS)
    left = {each.name for each in align(opened(silent, hf)).unaligned if each.checkpoint == 0}
    assert left == {f"vision_encoder.transformer.layers.0.attention.w{word}.weight" for word in "qk"}


def test_q_without_k_and_v_of_its_own_is_not_taken_for_pairs(tmp_path: Path) -> None:
    usual, tensors = in_hf(tmp_path / "usual")
    latent = {name.replace("attention.wk", "attention.wkv_a"): tensor for name, tensor in to_makers(tensors).items()}
    found = align(opened(saved(tmp_path / "own", latent, params=PARAMS), usual))
    assert any("attention.wq" in each.name for each in found.unaligned)
    assert not any("q_proj" in tensor.name for tensor in found.tensors)


def test_heads_that_nobody_states_or_two_state_differently_are_left_unaligned_and_said(tmp_path: Path) -> None:
    usual, tensors = in_hf(tmp_path / "usual")
    other = saved(tmp_path / "other", to_makers(tensors), params=PARAMS | {"head_dim": 16})
    (usual / "config.json").rename(tmp_path / "config.json")
    silent = saved(tmp_path / "silent", to_makers(tensors))
    (tmp_path / "config.json").rename(usual / "config.json")
    for own, why, config in ((other, "heads of 8 and of 16", True), (silent, "how many heads", False)):
        if not config:
            (usual / "config.json").unlink()
        seen = opened(own, usual)
        found = align(seen)
        left = {each.name.rpartition(".")[0].rpartition(".")[2] for each in found.unaligned}
        assert left == {"wq", "wk", "q_proj", "k_proj"}
        assert why in " ".join(seen[0].notes)
        assert not any(tensor.guessed for tensor in found.tensors)


def internlm2(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """The same model as InternLM2's files have it (einops: `(h gs d)`, of each group its q's, then k, then v)."""
    made = {}
    for name, tensor in to_makers(tensors).items():
        if not name.endswith((".wq.weight", ".wk.weight", ".wv.weight")):
            made[name if name.startswith("output") else f"model.{name}"] = tensor
    for layer in range(LAYERS):
        before = f"model.layers.{layer}."
        q, k, v = (tensors[f"{before}self_attn.{word}_proj.weight"].view(GROUPS, -1, WIDTH, HIDDEN) for word in "qkv")
        made[f"{before}attention.wqkv.weight"] = torch.cat([q, k, v], 1).reshape(-1, HIDDEN)
    return made


INTERNLM = {
    "model_type": "internlm2",
    "hidden_size": HIDDEN,
    "num_attention_heads": HEADS,
    "num_key_value_heads": GROUPS,
}


def test_internlm2_and_a_llama_made_of_it_are_the_same(tmp_path: Path) -> None:
    usual, tensors = in_hf(tmp_path / "usual")
    own = saved(tmp_path / "own", internlm2(tensors), config=INTERNLM)
    assert all_alike(own, usual)
    assert all_alike(usual, own)


def test_two_layouts_beside_which_nobody_has_the_usual_one_meet_in_it(tmp_path: Path) -> None:
    _, tensors = in_hf(tmp_path / "usual")
    first = saved(tmp_path / "first", internlm2(tensors), config=INTERNLM)
    assert all_alike(first, saved(tmp_path / "second", to_makers(tensors), params=PARAMS))


def test_fused_q_k_and_v_of_gpt_neox_are_those_with_which_it_computes(tmp_path: Path) -> None:
    config = transformers.GPTNeoXConfig(
        vocab_size=WORDS, hidden_size=HIDDEN, intermediate_size=UNITS, num_hidden_layers=1, num_attention_heads=HEADS
    )
    model = transformers.GPTNeoXForCausalLM(config)
    model.save_pretrained(tmp_path / "own")
    attention = model.gpt_neox.layers[0].attention
    given, heard = torch.randn(1, 1, HIDDEN), []
    kept = attention.dense.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    with torch.no_grad():  # a single token attends to itself alone: what is mixed is v
        model.gpt_neox.layers[0].input_layernorm = torch.nn.Identity()
        attention(given, None, position_embeddings=(torch.ones(1, 1, 2), torch.zeros(1, 1, 2)))
    kept.remove()
    stored = load_file(tmp_path / "own" / "model.safetensors")
    fused = stored["gpt_neox.layers.0.attention.query_key_value.weight"].view(HEADS, 3, WIDTH, HIDDEN)
    split = {name: tensor for name, tensor in stored.items() if "query_key_value" not in name}
    for number, word in enumerate("qkv"):
        split[f"gpt_neox.layers.0.attention.{word}_proj.weight"] = fused[:, number].reshape(HIDDEN, HIDDEN)
        bias = stored["gpt_neox.layers.0.attention.query_key_value.bias"].view(HEADS, 3, WIDTH)[:, number]
        split[f"gpt_neox.layers.0.attention.{word}_proj.bias"] = bias.reshape(HIDDEN)
    other = saved(tmp_path / "other", split, config=json.loads((tmp_path / "own" / "config.json").read_text()))
    assert all_alike(tmp_path / "own", other)
    seen, _ = opened(tmp_path / "own", other)
    weight = values(seen, "gpt_neox.layers.0.attention.v_proj.weight").view(HIDDEN, HIDDEN)
    bias = values(seen, "gpt_neox.layers.0.attention.v_proj.bias")
    assert torch.allclose(heard[0].flatten(), (given @ weight.T + bias).flatten(), atol=1e-6)


def test_fused_q_k_and_v_of_codegen_lie_in_quarters(tmp_path: Path) -> None:
    config = transformers.CodeGenConfig(vocab_size=WORDS, n_embd=HIDDEN, n_head=HEADS, n_layer=1, rotary_dim=2)
    model = transformers.CodeGenForCausalLM(config)
    model.save_pretrained(tmp_path / "own")
    heard: list[torch.Tensor] = []
    for part in (model.transformer.h[0].attn.qkv_proj, model.transformer.h[0].attn.out_proj):
        part.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    with torch.no_grad():  # a single token attends to itself alone: what is mixed is v
        model(torch.tensor([[3]]))
    stored = load_file(tmp_path / "own" / "model.safetensors")
    fused = stored.pop("transformer.h.0.attn.qkv_proj.weight").view(4, 3, -1, HIDDEN)
    for number, word in enumerate("qvk"):
        stored[f"transformer.h.0.attn.{word}_proj.weight"] = fused[:, number].reshape(HIDDEN, HIDDEN)
    other = saved(tmp_path / "other", stored, config={"model_type": "gptj"})
    assert all_alike(tmp_path / "own", other)
    seen, _ = opened(tmp_path / "own", other)
    weight = values(seen, "transformer.h.0.attn.v_proj.weight").view(HIDDEN, HIDDEN)
    assert torch.allclose(heard[1].flatten(), (heard[0] @ weight.T).flatten(), atol=1e-6)


@pytest.mark.parametrize("single", [True, False])
def test_gpt_bigcode_has_all_of_q_first_where_there_is_a_single_head_of_k_and_v(tmp_path: Path, single: bool) -> None:
    groups = 1 if single else HEADS
    rows, before = HIDDEN + 2 * groups * WIDTH, "transformer.h.0.attn."
    fused = torch.randn(rows, HIDDEN)
    embeddings = {"transformer.wte.weight": torch.randn(WORDS, HIDDEN)}
    config = {"model_type": "gpt_bigcode", "n_embd": HIDDEN, "n_head": HEADS, "multi_query": single}
    own = saved(tmp_path / "own", {**embeddings, f"{before}c_attn.weight": fused}, config=config)
    if single:
        split = torch.split(fused, [HIDDEN, WIDTH, WIDTH])
    else:
        split = tuple(each.reshape(-1, HIDDEN) for each in fused.view(HEADS, 3, WIDTH, HIDDEN).unbind(1))
    named = {f"{before}{word}_proj.weight": each.clone() for word, each in zip("qkv", split, strict=True)}
    assert all_alike(own, saved(tmp_path / "other", {**embeddings, **named}, config={"model_type": "something"}))
    wrong = {**named, f"{before}k_proj.weight": named[f"{before}v_proj.weight"].clone()}
    assert not all_alike(own, saved(tmp_path / "wrong", {**embeddings, **wrong}, config={"model_type": "something"}))


def test_fused_rows_of_a_family_that_is_not_known_are_not_compared(tmp_path: Path) -> None:
    usual, tensors = in_hf(tmp_path / "usual")
    fused = {
        name: tensor
        for name, tensor in tensors.items()
        if not name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight"))
    }
    for layer in range(LAYERS):
        before = f"model.layers.{layer}.self_attn."
        fused[f"{before}query_key_value.weight"] = torch.cat([tensors[f"{before}{word}_proj.weight"] for word in "qkv"])
    own = saved(tmp_path / "own", fused, config={"model_type": "something", "hidden_size": HIDDEN})
    seen = opened(own, usual)
    found = align(seen)
    assert "head by head is not known" in " ".join(seen[0].notes)
    assert {each.name.rpartition(".")[0].rpartition("_")[2] for each in found.unaligned} == {"value", "proj"}


@pytest.mark.parametrize("groups", [1, 2])
def test_a_new_word_for_fused_rows_is_read_where_both_orders_are_the_same(tmp_path: Path, groups: int) -> None:
    drawn = torch.Generator().manual_seed(7)
    before = "model.layers.0.self_attn."
    rows = {"q": HEADS * WIDTH, "k": groups * WIDTH, "v": groups * WIDTH}
    single = {f"{before}{word}_proj.weight": torch.randn(rows[word], HIDDEN, generator=drawn) for word in "qkv"}
    fused = {f"{before}to_qkv.weight": torch.cat(list(single.values()))}
    config = {"model_type": "falcon_of_tomorrow", "hidden_size": HIDDEN, "num_attention_heads": HEADS}
    own, other = saved(tmp_path / "own", fused, config=config), saved(tmp_path / "other", single, config=config)
    if groups == 1:
        assert all_alike(own, other)
        assert all_alike(other, own)
        return
    seen = opened(own, other)
    assert "head by head is not known" in " ".join(seen[0].notes)
    assert not align(seen).tensors


def test_gpt2s_conv1d_and_linear_are_the_same_squares_too(tmp_path: Path) -> None:
    config = transformers.GPT2Config(vocab_size=WORDS, n_positions=32, n_embd=HIDDEN, n_layer=2, n_head=4)
    transformers.GPT2LMHeadModel(config).to(torch.bfloat16).save_pretrained(tmp_path / "own")
    stored = load_file(tmp_path / "own" / "model.safetensors")
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    linear = {name: tensor.T if name.endswith(turned) else tensor for name, tensor in stored.items()}
    other = saved(tmp_path / "linear", linear)
    assert all_alike(tmp_path / "own", other)
    split = {name: tensor for name, tensor in linear.items() if ".attn.c_attn." not in name}
    for layer in range(2):
        for kind in ("weight", "bias"):
            before = f"transformer.h.{layer}.attn."
            for word, part in zip("qkv", linear[f"{before}c_attn.{kind}"].chunk(3), strict=True):
                split[f"{before}{word}_proj.{kind}"] = part
    assert all_alike(tmp_path / "own", saved(tmp_path / "split", split))


def mixtures(kind: str) -> tuple[Tensors, Tensors, dict[str, Any]]:
    """A layer of experts as its family stores it, and one expert after the other as it computes with them."""
    drawn, experts, units = torch.Generator().manual_seed(1), 4, 48
    gates, ups = (torch.randn(experts, units, HIDDEN, generator=drawn) for _ in range(2))
    downs = torch.randn(experts, HIDDEN, units, generator=drawn)
    embeddings = torch.randn(WORDS, HIDDEN, generator=drawn)
    word = "feed_forward" if kind == "llama4_text" else "mlp"
    block = f"model.layers.0.{word}."
    single: Tensors = {"model.embed_tokens.weight": embeddings}
    for expert in range(experts):
        for what, own in (("gate", gates), ("up", ups), ("down", downs)):
            single[f"{block}experts.{expert}.{what}_proj.weight"] = own[expert].clone()
    both = torch.cat([gates, ups], 1)
    if kind == "gpt_oss":
        both = torch.stack([gates, ups], 2).reshape(experts, 2 * units, HIDDEN)
        biases = torch.randn(experts, 2 * units, generator=drawn)
        down_biases = torch.randn(experts, HIDDEN, generator=drawn)
        for expert in range(experts):
            single[f"{block}experts.{expert}.gate_proj.bias"] = biases[expert, ::2].clone()
            single[f"{block}experts.{expert}.up_proj.bias"] = biases[expert, 1::2].clone()
            single[f"{block}experts.{expert}.down_proj.bias"] = down_biases[expert].clone()
    stacked = {
        "model.embed_tokens.weight": embeddings, f"{block}experts.gate_up_proj": both.transpose(1, 2),
        f"{block}experts.down_proj": downs.transpose(1, 2),
    }  # fmt: skip
    if kind == "gpt_oss":
        stacked |= {f"{block}experts.gate_up_proj_bias": biases, f"{block}experts.down_proj_bias": down_biases}
    return stacked, single, {"model_type": kind, "hidden_size": HIDDEN}


@pytest.mark.parametrize("kind", ["llama4_text", "gpt_oss", "qwen3_vl_moe_text"])
def test_transposed_stacks_are_the_experts_that_they_are_of(tmp_path: Path, kind: str) -> None:
    stacked, single, config = mixtures(kind)
    own, other = saved(tmp_path / "own", stacked, config=config), saved(tmp_path / "other", single, config=config)
    assert all_alike(own, other)
    assert all_alike(other, own)


def test_a_transposed_stack_is_one_in_the_usual_order(tmp_path: Path) -> None:
    stacked, _, config = mixtures("qwen3_vl_moe_text")
    own = saved(tmp_path / "own", stacked, config=config)
    usual = {name: tensor.transpose(1, 2) if "experts" in name else tensor for name, tensor in stacked.items()}
    assert all_alike(own, saved(tmp_path / "usual", usual, config=config))


def test_stacks_of_an_unknown_family_are_not_compared_as_halves(tmp_path: Path) -> None:
    stacked, single, config = mixtures("qwen3_vl_moe_text")
    config["model_type"] = "something"
    seen = opened(saved(tmp_path / "own", stacked, config=config), saved(tmp_path / "other", single, config=config))
    assert "whether gates and ups alternate is not known" in " ".join(seen[0].notes)
    assert not any("gate" in tensor.name for tensor in align(seen).tensors)


def test_gates_and_ups_of_gpt_oss_alternate_as_its_own_module_reads_them() -> None:
    modeling = pytest.importorskip("transformers.models.gpt_oss.modeling_gpt_oss")
    experts = modeling.GptOssExperts(
        transformers.GptOssConfig(hidden_size=HIDDEN, intermediate_size=48, num_local_experts=4)
    )
    both = torch.randn(5, 96, generator=torch.Generator().manual_seed(2))
    gate, up = both[:, ::2].clamp(max=experts.limit), both[:, 1::2].clamp(-experts.limit, experts.limit)
    assert torch.allclose(experts._apply_gate(both), (up + 1) * gate * torch.sigmoid(gate * experts.alpha))
    assert experts.gate_up_proj.shape == (4, HIDDEN, 96)


def test_any_part_of_a_relaid_tensor_is_the_same_as_in_the_whole(tmp_path: Path) -> None:
    usual, tensors = in_hf(tmp_path / "usual")
    stacked, single, config = mixtures("gpt_oss")
    relaid = (
        opened(saved(tmp_path / "own", internlm2(tensors), config=INTERNLM), usual)[0],
        opened(saved(tmp_path / "a", to_makers(tensors), params=PARAMS), usual)[0],
        opened(saved(tmp_path / "b", stacked, config=config), saved(tmp_path / "c", single, config=config))[0],
    )
    drawn = np.random.default_rng(0)
    for checkpoint in relaid:
        for name, ref in checkpoint.tensors.items():
            whole = values(checkpoint, name)
            for first in drawn.integers(0, ref.count, 5).tolist():
                count = int(drawn.integers(1, ref.count - first + 1))
                assert torch.equal(values(checkpoint, name, first, count), whole[first : first + count])
