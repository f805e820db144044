"""What strangers wrote, through every command: it is shown as text, steers no terminal, and crashes nothing."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Command, Outcome
from tests.factories import Tensor, write_checkpoint

EVIL = "[/oops][red]x\x1b[31m\x1b]0;own\x07\u202e\u2066evil\u200b\x9b\r\n[link=file:///etc]error: forged"
FOLDER = EVIL.replace("/", "").replace("=", "")
NAMES = ("model.layers.0.[/oops].mlp.up_proj.weight", "model.layers.1.[red].self_attn.q_proj.weight", "[link=x].weight")
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
ROOT = Path(__file__).parents[2] / "modelprov"


def steering(text: str) -> set[str]:
    """The characters of a text that show nothing themselves, but line feeds."""
    return {hex(ord(one)) for one in text if one not in "\n\t" and unicodedata.category(one) in HIDDEN}


def fine(outcome: Outcome, *codes: int) -> Outcome:
    assert outcome.code in codes, outcome.err
    for said in (outcome.out, outcome.err):
        assert not steering(said)
        assert "Traceback" not in said
    assert not re.search(r"^\[link", outcome.err, re.MULTILINE)  # a line feed of theirs began no line of ours
    return outcome


def clean_files(folder: Path) -> None:
    """Every report in the folder is there, and steers nothing."""
    found = [path for path in folder.iterdir() if path.is_file()]
    assert found
    for path in found:
        assert not steering(path.read_text(encoding="utf-8")), path.name


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, their mean, one that is nobody's, in folders and with configs that try everything."""
    home = tmp_path_factory.mktemp("strangers") / FOLDER
    random = np.random.default_rng(5)
    first = {name: random.standard_normal((64, 64)).astype(np.float32) for name in NAMES}
    second = {name: value + random.standard_normal((64, 64)).astype(np.float32) * 0.01 for name, value in first.items()}
    other = {name: value * 0.5 for name, value in first.items()}
    config = {
        "architectures": [EVIL], "model_type": EVIL, "auto_map": {EVIL: EVIL}, "chat_template": EVIL, EVIL: [EVIL],
    }  # fmt: skip
    for label, weights in (("a", first), ("b", second), ("other", other)):
        tensors: dict[str, Tensor] = {name: (value, "BF16") for name, value in weights.items()}
        if label == "a":  # merges say by name what they copy
            tensors["model.[/oops].alone.weight"] = np.ones((8, 8), np.float32), "BF16"
        folder = write_checkpoint(home / f"{label}{FOLDER}", tensors, config=config)
        (folder / f"{FOLDER}.py").write_text("")
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": f"You are {EVIL}.", "x": EVIL}))
        (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": 5, "model": {"vocab": {EVIL: 99}}}))
        card = f"---\nbase_model: ['{EVIL_LINE}', a/b]\nlicense: '{EVIL_LINE}'\ntags: [{{}}, 5]\n---\n# {EVIL}\n"
        (folder / "README.md").write_text(f"{card}\n{EVIL_LINE} was trained from scratch by {EVIL_LINE}.\n")
    return home


EVIL_LINE = "".join(one for one in EVIL if one.isprintable() or one == "\u202e").replace("'", "")


def place(family: Path, label: str) -> str:
    return str(family / f"{label}{FOLDER}")


def recipe(family: Path, path: Path, weights: tuple[float, float] = (0.5, 0.5)) -> Path:
    models = [
        {"model": place(family, label), "parameters": {"weight": weight}}
        for label, weight in zip("ab", weights, strict=True)
    ]
    path.write_text(
        json.dumps({"merge_method": "linear", "models": models, "name": EVIL, "modelprov": {"missing": "copy"}})
    )
    return path


@pytest.fixture
def merged(family: Path, modelprov: Command, tmp_path: Path) -> str:
    out = tmp_path / f"merged{FOLDER}"
    fine(modelprov("merge", recipe(family, tmp_path / "recipe.yml"), out), 0)
    return str(out)


FORMS = ("--json", "--markdown", "--html")


def outputs(folder: Path, *forms: str) -> Iterator[str]:
    folder.mkdir(exist_ok=True)
    for form in forms:
        yield from (form, str(folder / f"report{form}"))


def test_inspect_shows_foreign_text_as_text(family: Path, modelprov: Command, tmp_path: Path) -> None:
    said = fine(modelprov("inspect", place(family, "a"), "--digest"), 0)
    assert "\\x1b" in said.out
    assert "[red]" in said.out.replace("\n", "").replace(" ", "")
    fine(modelprov("inspect", place(family, "a"), "--json", "-"), 0)
    fine(modelprov("inspect", recipe(family, tmp_path / "r.yml")), 0)


def test_merge_and_verify_show_foreign_text_as_text(
    family: Path, modelprov: Command, merged: str, tmp_path: Path
) -> None:
    whole = recipe(family, tmp_path / "recipe.yml")
    other = recipe(family, tmp_path / "other.yml", (0.25, 0.75))
    fine(modelprov("merge", whole, tmp_path / "x", "--dry-run"), 0)
    linear = (f"{place(family, label)}=0.5" for label in "ab")
    fine(modelprov("merge", "--linear", *linear, tmp_path / f"linear{FOLDER}"), 0)
    fine(modelprov("verify", merged, "--recipe", whole, *outputs(tmp_path / "v", "--json")), 0)
    differs = fine(modelprov("verify", merged, "--recipe", other, "--tables"), 1)
    assert "[/oops]" in differs.out
    clean_files(tmp_path / "v")


def test_compare_and_what_follows_show_foreign_text_as_text(
    family: Path, modelprov: Command, merged: str, tmp_path: Path
) -> None:
    reports = tmp_path / "reports"
    parents = [place(family, "a"), place(family, "b")]
    fine(modelprov("compare", merged, *parents, *outputs(reports, *FORMS)), 0, 1, 3)
    fine(modelprov("compare", merged, parents[0], place(family, "other"), "--control", parents[1]), 0, 1, 3)
    told = reports / "report--json"
    fine(modelprov("report", "verify", told, *outputs(reports / "again", "--json")), 0)
    combined = ("--html", reports / "case.html", "--markdown", reports / "case.md")
    fine(modelprov("report", "combine", "--compare", told, *combined), 0)
    for form in ("in-toto", "cyclonedx", "spdx"):
        fine(modelprov("attest", told, "--format", form, "--out", reports / form), 0)
    clean_files(reports)
    clean_files(reports / "again")


def test_check_shows_foreign_text_as_text(family: Path, modelprov: Command, merged: str, tmp_path: Path) -> None:
    (Path(merged) / "mergekit_config.yml").write_text("- " * 40_000)
    (Path(merged) / "recipe.yml").write_text(f"merge_method: '{EVIL_LINE}'\nmodels: 5\n")
    for folder in (place(family, "a"), merged):
        reports = tmp_path / f"reports of {Path(folder).name[0]}"
        candidates = ("-c", f"{EVIL_LINE.replace('=', '')}={place(family, 'b')}", "-c", place(family, "other"))
        files = list(outputs(reports, *FORMS, "--sarif", "--junit"))
        fine(modelprov("check", folder, *candidates, *files), 0, 1, 3)
        baseline = ("--baseline", reports / "baseline.json", "--update-baseline", EVIL_LINE)
        fine(modelprov("check", folder, *candidates, *baseline), 0, 1, 3)
        fine(modelprov("check", folder, *candidates, *baseline[:2], *files), 0, 1, 3)
        clean_files(reports)


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", EVIL),
        ("compare", EVIL, "a", "b"),
        ("merge", f"{EVIL}.yml", "out"),
        ("merge", "--linear", f"{EVIL}=1e400", "b=1", "out"),
        ("merge", "--linear", f"{EVIL}=1", f"{EVIL}=1", "out"),
        ("verify", EVIL, "--recipe", f"{EVIL}.yml"),
        ("check", EVIL),
        ("report", "verify", EVIL),
        ("report", "combine", "--compare", EVIL, "--html", "x.html"),
        ("attest", EVIL),
        ("attest", "x", "--format", EVIL),
        ("probe", EVIL, "--name", EVIL),
        ("eval", EVIL, "--task", EVIL),
        ("compare", "a", "b", "--device", EVIL),
        ("compare", "a", "b", "--json", f"{EVIL}/x.json"),
        ("compare", "a", "b", "--threads", EVIL),
        (EVIL,),
    ],
)
def test_errors_show_foreign_text_as_text(
    words: tuple[str, ...], modelprov: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fine(modelprov(*words), 2, 3)


@pytest.mark.parametrize("file", ["config.json", "model-00001-of-00001.safetensors", "recipe.yml"])
@pytest.mark.parametrize("content", [EVIL, json.dumps({EVIL: EVIL}), json.dumps([EVIL])])
def test_files_that_hold_nothing_else_are_refused_in_clean_words(
    file: str, content: str, modelprov: Command, tmp_path: Path
) -> None:
    folder = write_checkpoint(tmp_path / FOLDER, {"a": (np.ones((2, 2)), "BF16")}, config={})
    data = content.encode()
    (folder / file).write_bytes(len(data).to_bytes(8, "little") + data if file.endswith("tensors") else data)
    for command in (("inspect", folder), ("check", folder), ("merge", folder / file, tmp_path / "out")):
        fine(modelprov(*command), 0, 1, 2, 3)


def test_nothing_reaches_the_terminal_by_another_way() -> None:
    """Only `terminal` makes consoles and echoes, so that no new message can be forgotten."""
    for path in ROOT.rglob("*.py"):
        if path.name != "terminal.py" or path.parent.name != "cli":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"(?<!\w)(?<!error_)Console\(|markup=True|rich\.markup", text), path
            echoed = re.findall(r"typer\.echo\((.*)\)", text)
            assert all(one == 'f"modelprov {__version__}"' for one in echoed), path
