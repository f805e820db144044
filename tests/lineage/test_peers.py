"""Adapters lose nothing by our fault: every statistic fires where it must and is still where it must be."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import coordinates
from benchmarks.cases.decoders import Decoder, decoder_family
from benchmarks.lineage.files import written
from benchmarks.lineage.labels import KIN, OPEN, Answer, Label, Made
from benchmarks.lineage.peers import driver, statistics
from benchmarks.lineage.peers.interface import Files, Peer
from benchmarks.lineage.peers.ours import Ours
from benchmarks.lineage.peers.programs import Cisco, ModelDna, Program, dna_answer, kit_answer, said
from benchmarks.lineage.peers.statistics import Awm, LeastSquares, ModelTracing, Sionic
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights, as_stored, fill_checkpoint
from tests.generated import merge

SHAPE = Decoder(layers=2, hidden=64, width=96, vocabulary=160, heads=8, groups=4)
STATISTICS = (LeastSquares(), Sionic(), Awm(), ModelTracing())
NOWHERE = Path("/nowhere")


@pytest.fixture(scope="module")
def family() -> tuple[Weights, Weights, Weights, Weights]:
    """Two finetunes, their base, and a finetune of another base."""
    rng = np.random.default_rng(7)
    first, second, base = decoder_family(rng, SHAPE, 2, DType.BF16, 5e-4)
    return first, second, base, decoder_family(rng, SHAPE, 1, DType.BF16)[0]


def asked(peer: Peer, *models: Weights) -> Answer:
    return peer.ask(Files(NOWHERE, NOWHERE, (), models))[0]


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "bytes_of", lambda _: 0)


@pytest.mark.parametrize("peer", STATISTICS, ids=lambda peer: peer.name)
def test_a_statistic_fires_at_a_copy_a_finetune_and_a_merge_and_not_at_a_stranger(peer: Peer, family) -> None:
    first, second, base, stranger = family
    assert asked(peer, first, first).related is True
    assert asked(peer, first, base).related is True
    assert asked(peer, merge([first, second], [0.6, 0.4]), first, second).related is True
    assert asked(peer, stranger, first, base).related is False


@pytest.mark.parametrize("peer", [Awm(), ModelTracing()], ids=lambda peer: peer.name)
def test_those_that_pair_dimensions_or_units_see_through_another_order(peer: Peer, family) -> None:
    first, _, base, stranger = family
    rng = np.random.default_rng(1)
    steps = (coordinates.permute_units, coordinates.permute_residual_with_signs)
    assert asked(peer, coordinates.disguised(first, SHAPE, rng, steps), base).related is True
    assert asked(peer, coordinates.disguised(stranger, SHAPE, rng, steps), base).related is False


def test_model_tracing_sees_through_a_rotation_and_a_missing_layer(family) -> None:
    first, _, base, stranger = family
    rng = np.random.default_rng(2)
    turned = coordinates.disguised(first, SHAPE, rng, (coordinates.rotate_residual, coordinates.permute_units))
    assert asked(ModelTracing(), turned, base).related is True
    for model, related in ((first, True), (stranger, False)):
        shorter = {name: held for name, held in model.items() if ".layers.1." not in name}
        assert asked(ModelTracing(), shorter, base).related is related


def test_unbiased_cka_is_near_nothing_for_independent_matrices_and_whole_for_a_turned_one() -> None:
    rng = np.random.default_rng(3)
    own, other = rng.standard_normal((2, 32, 64))
    turn, _ = np.linalg.qr(rng.standard_normal((32, 32)))
    assert abs(statistics.unbiased_cka(own, other)) < 0.1
    assert statistics.unbiased_cka(own, turn @ own) == pytest.approx(1)


def test_least_squares_gives_the_shares_of_a_merge_and_no_merge_of_siblings(family) -> None:
    first, second, base, _ = family
    found = asked(LeastSquares(), merge([first, second], [0.6, 0.4]), first, second, base)
    assert found.relation == "merge"
    assert found.shares is not None
    assert found.shares[1] == pytest.approx(0.6, abs=0.01)
    assert found.shares[3] == pytest.approx(0, abs=0.01)
    assert asked(LeastSquares(), first, second, base).relation == "same-origin"
    assert asked(LeastSquares(), first, first, base).relation == "copy"


def test_packed_files_are_refused_by_those_that_read_none() -> None:
    for peer in STATISTICS:
        assert peer.ask(Files(NOWHERE, NOWHERE, (), None))[0].refused


def test_ours_says_what_the_verdict_says_and_tells_what_it_read(tmp_path: Path, family) -> None:
    first, second, base, stranger = family
    models = {"S": merge([first, second], [0.6, 0.4]), "P1": first, "P2": second, "P3": base, "X": stranger}
    for name, model in models.items():
        fill_checkpoint(tmp_path / name, as_stored(model), {}, 1)
    files = Files(tmp_path, tmp_path / "S", tuple(tmp_path / f"P{n}" for n in (1, 2, 3)), None)
    found, cost = Ours("by sample").ask(files)
    assert (found.related, found.relation, found.method, found.trained) == (True, "merge", "linear", False)
    assert found.shares == pytest.approx({1: 0.6, 2: 0.4, 3: 0.0})
    assert cost.bytes is not None
    assert 0 < cost.bytes < 4 * sum(values.size * 2 for values, _ in first.values())
    apart, _ = Ours("by fingerprint").ask(Files(tmp_path, tmp_path / "X", (tmp_path / "P1",), None))
    assert (apart.related, apart.relation) == (False, "stranger")
    refused, _ = Ours().ask(Files(tmp_path, tmp_path / "none", (tmp_path / "P1",), None))
    assert refused.refused


def test_ours_tells_the_shares_of_a_packed_merge_and_kinship_of_a_part(tmp_path: Path, family) -> None:
    """The verdict is open in both; the report has an interval of the shares, and says what the part alone would be."""
    first, second, base, _ = family
    packed = Made((merge([first, second], [0.6, 0.4]), first, second, base), Label(True, OPEN), form="Q8_0")
    found, _ = Ours().ask(written(packed, tmp_path))
    assert found.relation is None
    assert found.shares == pytest.approx({1: 0.6, 2: 0.4, 3: 0.0}, abs=0.01)
    (tmp_path / "tower").mkdir()
    tower = {"visual.blocks.0.weight": (np.zeros((1024, 1024), np.float32), DType.BF16)}
    found, _ = Ours().ask(written(Made((first | tower, second, base), Label(True, KIN)), tmp_path / "tower"))
    assert (found.related, found.relation, found.shares) == (True, None, None)


FILES = Files(NOWHERE, NOWHERE / "S", (NOWHERE / "P1", NOWHERE / "P2"), None)


def verdict(name: str, probability: float | None = 0.9) -> dict[str, object]:
    return {"verdict": name, "probability": probability}


@pytest.mark.parametrize(
    ("names", "summary", "related", "relation"),
    [
        (["EXACT_COPY", "FINE_TUNE"], "MERGE", True, "copy"),
        (["FINE_TUNE", "FINE_TUNE"], "MERGE", True, "merge"),
        (["FINE_TUNE", "NO_MATCH"], "SINGLE_PARENT", True, "same-origin"),
        (["NO_MATCH", "NO_MATCH"], "UNEXPLAINED", False, "stranger"),
        (["SAME_FAMILY_UNRESOLVED", "NO_MATCH"], None, None, None),
        (["INSUFFICIENT"], None, None, None),
    ],
)
def test_the_words_of_modeldna_are_taken_as_they_are(names, summary, related, relation) -> None:
    mixed = summary and {"summary": summary, "alphas": {str(NOWHERE / "P1"): 0.6, str(NOWHERE / "P2"): 0.4}}
    found = dna_answer([verdict(name, None if name == "INSUFFICIENT" else 0.9) for name in names], mixed, FILES)
    assert (found.related, found.relation) == (related, relation)
    assert found.shares == ({1: 0.6, 2: 0.4} if relation == "merge" else None)


@pytest.mark.parametrize(
    ("decision", "related"),
    [("Confirmed Match", True), ("High-Confidence Match", True), ("Weak Match", None), ("Not Matched", False)],
)
def test_the_decisions_of_the_kit_are_taken_as_they_are(decision: str, related: bool | None) -> None:
    found = kit_answer([{"scores": {"pipeline_score": 0.9, "decision": decision}}])
    assert found.related is related
    assert decision in found.words


def test_a_program_that_is_not_here_is_skipped_and_says_so(tmp_path: Path) -> None:
    for peer in (ModelDna(tmp_path / "bin" / "python", tmp_path), Cisco(tmp_path / "bin" / "python", tmp_path)):
        assert "README" in peer.absent


def test_the_driver_answers_a_line_for_a_line_whatever_the_command_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        match sys.argv[1]:
            case "fails":
                raise ValueError("no such model")
            case "leaves":
                sys.exit(4)
        print(json.dumps({"said": sys.argv[1:]}))

    monkeypatch.setattr(driver, "command", command, raising=False)
    monkeypatch.setattr(sys, "argv", ["driver", f"{driver.__name__}:command"])
    monkeypatch.setattr(sys, "stdin", io.StringIO('["a", "b"]\n["fails"]\n["leaves"]\n'))
    driver.main()
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["code"] for each in told] == [0, 70, 4]
    assert said(told[0]) == {"said": ["a", "b"]}
    assert "no such model" in told[1]["out"]
    assert said(told[1]) is None
    assert all(each["seconds"] >= 0 and each["memory"] > 0 for each in told)


def test_a_program_runs_in_its_own_python_with_an_empty_home(tmp_path: Path) -> None:
    program = Program(Path(sys.executable), "platform:node", tmp_path)
    assert program.call()["code"] == 0
    assert program.call("again")["code"] == 0
    program.process.kill()
    program.process.wait()
