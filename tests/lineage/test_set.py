"""The lineage set: cases from their numbers, labels that hold, digests that anyone gets; small cases only."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.lineage import sets
from benchmarks.lineage.files import written
from benchmarks.lineage.labels import OPEN, QUESTIONS, Label
from benchmarks.lineage.layouts import config_of
from benchmarks.lineage.sorts import SEED, SORTS, VERSION, Identity, cases, digest, made

sets.use(None)
MANIFEST = {row["case"]: row for row in sets.known()["cases"]}


@pytest.mark.parametrize("name", ["two parents 3", "experts 1", "siblings: independent siblings 0"])
def test_a_case_has_the_bits_of_the_manifest_and_the_same_again(name: str) -> None:
    sort, _, number = name.rpartition(" ")
    found = made(Identity(sort, int(number)))
    assert digest(found) == digest(made(Identity(sort, int(number)))) == MANIFEST[name]["sha256"]
    assert digest(made(Identity(sort, int(number) + 1))) != digest(found)


def test_a_digest_changes_with_one_bit_a_format_and_a_packing() -> None:
    case = made(Identity("a copy", 0))
    name, (values, dtype) = next(iter(case.models[0].items()))
    changed = values.copy()
    changed.flat[0] = np.nextafter(changed.flat[0], np.float32(1))
    other = type(case)(({**case.models[0], name: (changed, dtype)}, *case.models[1:]), case.label)
    packed = type(case)(case.models, case.label, form="NF4")
    assert len({digest(case), digest(other), digest(packed)}) == 3


def test_the_manifest_is_of_this_seed_and_names_every_case_of_the_small_set() -> None:
    told = sets.known()
    assert (told["seed"], told["version"], told["size"]) == (SEED, VERSION, "small")
    assert {str(case) for case in cases("small")} <= MANIFEST.keys()
    assert sets.MANIFEST.read_text(encoding="utf-8") == sets.as_text(json.loads(sets.as_text(told)))


def test_the_large_set_has_five_thousand_negatives_and_every_group() -> None:
    groups = {sort.group for sort in SORTS.values()}
    large = sum(sort.large for sort in SORTS.values() if sort.group in NEGATIVE_GROUPS)
    assert large >= 5_000
    assert groups >= NEGATIVE_GROUPS | {"linear merges", "other methods", "hidden parents", "layouts", "copies"}


NEGATIVE_GROUPS = {"siblings and stages", "frame-ups", "strangers", "sweeps, averages, adapters"}


@pytest.mark.parametrize("name", [name for name, row in MANIFEST.items() if row["label"].get("shares")][:4])
def test_shares_of_a_label_are_those_that_least_squares_finds(name: str) -> None:
    sort, _, number = name.rpartition(" ")
    case = made(Identity(sort, int(number)))
    stacked = [np.concatenate([model[key][0].ravel() for key in case.models[0]]) for model in case.models]
    told = [(case.label.shares or {}).get(place, 0.0) for place in range(1, len(stacked))]
    left = stacked[0] - sum(share * model for share, model in zip(told, stacked[1:], strict=True))
    apart = stacked[1] - stacked[2]
    assert np.sqrt(np.mean(left**2)) < 0.2 * np.sqrt(np.mean(apart**2))


def test_a_label_tells_what_cannot_be_decided_and_no_innocent_is_labelled_with_an_act() -> None:
    for name, row in MANIFEST.items():
        told = row["label"]
        open_ = {each for each in QUESTIONS if told.get(each) == OPEN}
        doubted = set(told.get("undecidable", [])) - open_
        assert open_ <= set(told.get("undecidable", [])), name
        assert doubted <= {"related", "relation", "shares"}, name
        assert "related" not in doubted or "relation" in doubted, name
        if row["group"] in NEGATIVE_GROUPS and sets.is_negative(told):
            assert not {"shares", "method", "trained", "merged"} & told.keys(), name
    assert sum(sets.is_negative(row["label"]) for row in MANIFEST.values()) > len(MANIFEST) / 3
    assert Label(True, OPEN, trained=OPEN).told()["undecidable"] == ["relation", "trained"]


def test_files_are_what_people_publish_and_a_packed_suspect_shows_no_weights_to_statistics(tmp_path) -> None:
    (tmp_path / "plain").mkdir()
    plain = written(made(Identity("experts", 0)), tmp_path / "plain")
    config = json.loads((plain.suspect / "config.json").read_text())
    assert config["num_experts"] == 4
    assert [path.name for path in plain.all] == ["S", "P1", "P2", "P3"]
    assert plain.weights is not None
    (tmp_path / "packed").mkdir()
    packed = written(made(Identity("a packed copy", 0)), tmp_path / "packed")
    assert packed.suspect.suffix == ".gguf"
    assert packed.weights is None


def test_a_config_says_what_names_and_shapes_give_away() -> None:
    told = config_of(made(Identity("multimodal", 0)).models[0], (8, 4))
    assert (told["hidden_size"], told["num_hidden_layers"], told["intermediate_size"]) == (64, 2, 128)
    assert (told["num_attention_heads"], told["num_key_value_heads"], told["torch_dtype"]) == (8, 4, "bfloat16")


def test_the_large_set_has_a_digest_for_every_sort_that_does_not_hang_on_a_training() -> None:
    told = sets.known_digests()
    assert (told["seed"], told["version"]) == (SEED, VERSION)
    generated = {name: sort.large for name, sort in SORTS.items() if sort.group != "really trained" and sort.large}
    assert {name: row["cases"] for name, row in told["sorts"].items()} == generated
    assert sets.DIGESTS.read_text(encoding="utf-8") == sets.digests_as_text(json.loads(sets.digests_as_text(told)))


def test_the_digest_of_a_sort_is_anyones(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told = sets.known_digests()["sorts"]
    shortest = min(told, key=lambda name: told[name]["cases"])
    arguments = ["sets", "--size", "large", "--verify", "--sorts", shortest]
    monkeypatch.setattr("sys.argv", arguments)
    sets.main()
    assert "1 sorts have the same bits, 0 others" in capsys.readouterr().out
    other = {shortest: told[shortest] | {"cases": told[shortest]["cases"] - 1}}
    monkeypatch.setattr(sets, "known_digests", lambda: {"sorts": other})
    sets.main()
    assert f"0 sorts have the same bits, 1 others: {shortest}" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", [*arguments[:-1], "no such"])
    with pytest.raises(SystemExit):
        sets.main()
    assert "there is no sort 'no such'" in capsys.readouterr().err
