"""Names that stand before a model's own: which of them may be set aside, and when. Names and shapes only.

A base model is stored without the prefix that a task model puts before it (`bert.encoder...`), and training code wraps
models once more (`module.`, `student.`). A prefix is set aside only where it makes names and shapes of two checkpoints
agree and no other reading does as well: a wrong pair is worse than a missing one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelprov.checkpoints.layouts.naming import canonical_name, squeezed
from modelprov.checkpoints.layouts.roles import Shape
from modelprov.checkpoints.layouts.vocabulary import common_rows

# Every `base_model_prefix` of transformers 5.24, part by part (checked by a test against its classes).
FAMILIES = """
aimv2 albert align altclip audio_encoder audio_model audio_spectrogram_transformer audio_tower
audio_video_encoder backbone beit bert biogpt bit blip bridgetower bros canine chinese_clip clap clip convbert
convnext convnextv2 cpmant cvt dac data2vec_audio data2vec_text data2vec_vision deberta decision_transformer
decoder deit depth_pro detector_model dinat dinov2 dinov2_with_registers distilbert donut dpt edgetam
edgetam_video efficientloftr efficientnet electra encodec encoder encoder_decoder encoder_model ernie esm esmc
fastspeech2_conformer flava fnet focalnet funnel git glpn gpt_neox gpt_neox_japanese groupvit gte hgnetv2 hiera
hubert ibert ijepa internvl_vision language_model layoutlm layoutlmv2 layoutlmv3 led levit lightglue lilt
longformer luke lxmert markuplm metaclip_2 mgp_str mimi mobilebert mobilenet_v1 mobilenet_v2 mobilevit
mobilevitv2 model mpnet mra neucodec nomic_bert nystromformer owlv2 owlvit perceiver pixio
pocket_tts_audio_tokenizer poolformer prophetnet pvt pvt_v2 question_encoder reformer regnet rembert resnet
roberta roberta_prelayernorm roc_bert roformer rwkv sam sam2 sam2_video sam3 sam3_tracker sam3_video sam_hq
seamless_m4t seamless_m4t_v2 segformer sew sew_d siglip siglip2 speech_encoder_decoder speecht5 splinter
swiftformer swin swin2sr swinv2 switch_transformers tapas text_model textnet timesformer timm_model
tracker_model transformer unispeech unispeech_sat vibevoice_acoustic_tokenizer video_encoder video_model
videomae vilt vision_encoder vision_encoder_decoder vision_model vision_text_dual_encoder visual_bert vit vitdet
vits vivit vjepa2 vlm wav2vec2 wav2vec2_bert wav2vec2_conformer wavlm x_clip xcodec xcodec2 yoso
"""


# Words that programs for training and for models of several parts put before a model.
WRAPPERS = """
actor base_model core ema_model generator gpt inner inner_model language_backbone lm llm llama mllm model_ema module
net network online orig policy pretrained_model qwen state_dict student teacher text_encoder text_backbone thinker
wrapped wrapped_model
"""


WORDS = frozenset((FAMILIES + WRAPPERS).split())
DEEPEST = 3
MOST_PATHS = 200  # shallowest first, that are tried as rivals
ENOUGH = 0.5  # of the smaller side has to agree, and a rival may have no more than that share of the best

Names = Mapping[str, Shape]


@dataclass(frozen=True)
class _Reading:
    """One way to read two checkpoints: what is set aside on either side, and which names then meet.

    `elements` meet in one shape, `against` in another.
    """

    aside: tuple[str, str]
    pairs: Mapping[str, str]
    elements: int
    against: int

    @property
    def depth(self) -> int:
        """How many words are set aside."""
        return sum(prefix.count(".") for prefix in self.aside)


def respelled(name: str, prefix: str) -> str:
    """A canonical name without the prefix that is set aside."""
    return canonical_name(name[len(prefix) :]) if prefix and name.startswith(prefix) else name


def prefixes_aside(checkpoints: Sequence[Names]) -> tuple[str, ...]:
    """For each checkpoint, by canonical names and shapes, the prefix to set aside so that names agree; mostly "".

    Each is read with the first. Where several readings are as good, none is taken.
    """
    aside = [""] * len(checkpoints)
    names: list[Names] = list(checkpoints)
    for _ in range(DEEPEST):
        before = tuple(aside)
        for number in range(1, len(names)):
            for which, prefix in zip((0, number), _pair(names[0], names[number]), strict=True):
                if prefix and not aside[which]:
                    aside[which] = prefix
                    names[which] = {respelled(name, prefix): shape for name, shape in names[which].items()}
        if before == tuple(aside):
            break
    return tuple(aside)


def _pair(first: Names, second: Names) -> tuple[str, str]:
    """What to set aside in two checkpoints."""
    if first == second:
        return "", ""
    plain = _read(first, second, ("", ""), dict(zip(first, first, strict=True)), dict(zip(second, second, strict=True)))
    if plain.elements == min(sum(map(math.prod, names.values())) for names in (first, second)):
        return "", ""
    owns, others = (
        [(prefix, found) for prefix in _candidates(names) if (found := _respelled(names, prefix)) is not None]
        for names in (first, second)
    )
    readings = [_read(first, second, (p, q), own, other) for p, own in owns for q, other in others]
    readings = [reading for reading in readings if reading.elements >= reading.against]
    best = max(readings, key=lambda reading: (reading.elements, -reading.depth), default=plain)
    held = min(_behind(names, prefix) for names, prefix in zip((first, second), best.aside, strict=True))
    if best.elements <= plain.elements or best.elements < ENOUGH * held:
        return "", ""
    rivals = (one for one in readings if one.elements > ENOUGH * best.elements and one.depth <= best.depth)
    if any(_contradict(best.pairs, one.pairs) for one in rivals) or _elsewhere_too(first, second, best):
        return "", ""
    return best.aside


def _elsewhere_too(first: Names, second: Names, best: _Reading) -> bool:
    """Whether names and shapes agree as well behind another path, of whatever words: the other half of a pair, say.

    Which half is meant nobody can tell by names, and the wrong one shares nothing.
    """
    for wrapped, (own, other) in enumerate(((first, second), (second, first))):
        bare = {respelled(name, best.aside[1 - wrapped]): name for name in other}
        paths = _paths(own, DEEPEST + 1, lambda word: not word.isdigit()) - {best.aside[wrapped]}
        for path in sorted(paths, key=lambda path: path.count("."))[:MOST_PATHS]:
            behind = {respelled(name, path): name for name in own if name.startswith(path)}
            names = (bare, behind) if wrapped else (behind, bare)
            found = _read(first, second, ("", ""), *names)
            if found.elements > ENOUGH * best.elements and _contradict(best.pairs, found.pairs):
                return True
    return False


def _paths(names: Names, deepest: int, begins: Callable[[str], bool]) -> set[str]:
    """Every path of at most `deepest` words, each of which `begins` a path, that tensors stand behind."""
    found = set()
    for name in names:
        parts = name.split(".")
        for depth in range(1, min(deepest, len(parts) - 1) + 1):
            if not begins(parts[depth - 1]):
                break
            found.add(".".join(parts[:depth]) + ".")
    return found


def _behind(names: Names, prefix: str) -> int:
    """Elements of the tensors whose names begin so."""
    return sum(math.prod(shape) for name, shape in names.items() if name.startswith(prefix))


def _contradict(best: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether another reading gives a tensor of either side another partner."""
    back = {theirs: own for own, theirs in best.items()}
    return any(best.get(own, theirs) != theirs or back.get(theirs, own) != own for own, theirs in other.items())


def _candidates(names: Names) -> list[str]:
    """Nothing, and every path of known words that tensors stand behind."""
    return sorted({""} | _paths(names, DEEPEST, WORDS.__contains__))


def _read(
    first: Names, second: Names, aside: tuple[str, str], own: Mapping[str, str], other: Mapping[str, str]
) -> _Reading:
    """How two checkpoints agree when this is set aside; `own` and `other` are their names by what is left of them."""
    pairs, elements, against = {}, 0, 0
    counts = {shape: math.prod(shape) for shape in set(second.values())}
    for name, stored in other.items():
        if name in own:
            mine, theirs = first[own[name]], second[stored]
            count = counts[theirs]
            if mine == theirs or squeezed(mine) == squeezed(theirs):
                pairs[stored] = own[name]
                elements += count
            elif rows := common_rows((mine, theirs)):
                elements += rows * theirs[1]
            else:
                against += count
    return _Reading(aside, pairs, elements, against)


def _respelled(names: Names, prefix: str) -> dict[str, str] | None:
    """Names by what they are without the prefix; None where two would become one."""
    found = {respelled(name, prefix): name for name in names}
    return found if len(found) == len(names) else None
