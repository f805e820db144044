"""Options from the environment and from `modelprov.toml`: words win, and what came from elsewhere is in the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelprov.cli.app import COMMANDS, loaded
from modelprov.cli.defaults import VARIABLE
from modelprov.cli.options import completion
from modelprov.cli.variables import OF_NO_OPTION, options, variable
from tests.cli.conftest import MAIN, Command, program


def settings(folder: Path, text: str) -> Path:
    path = folder / "modelprov.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_words_win_over_the_environment_and_that_over_the_file_and_the_report_records_all(
    compare: Command, models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    control = models / "sibling"
    settings(tmp_path, f'[defaults]\nseed = 5\nthreads = 7\n[defaults.compare]\ncontrol = ["{control.as_posix()}"]\n')
    monkeypatch.setenv("MODELPROV_COMPARE_THREADS", "2")
    monkeypatch.setenv("MODELPROV_COMPARE_SAMPLE", "1")
    said = compare("rio", "nex", "qwen", "--format", "json", "--seed", 9)
    found = json.loads(said.out)
    assert (found["settings"]["threads"], found["settings"]["seed"], found["settings"]["sample"]) == (2, 9, True)
    assert [each["location"] for each in found["settings"]["controls"]] == [str(control)]
    assert found["command"].endswith(f"--control {control} --sample --threads 2")
    assert said.err == f"from the file of defaults and the environment: --control {control} --sample --threads 2\n"


def test_quiet_says_nothing_of_defaults_and_the_report_still_does(compare: Command, here: Path) -> None:
    settings(here, "[defaults]\nthreads = 2\n")
    said = compare("rio", "nex", "qwen", "--quiet", "--json", "r.json")
    assert said.err == said.out == ""
    assert json.loads((here / "r.json").read_text())["command"].endswith("--threads 2")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[defaults]\nthread = 1\n", "Did you mean threads?"),
        ("[defaults.compare]\ncontrols = []\n", "Did you mean control?"),
        ("[defaults.compar]\nseed = 1\n", "Did you mean compare?"),
        ("[default]\nseed = 1\n", "Did you mean defaults?"),
        ("[defaults\n", "is not valid TOML"),
        ("defaults = 3\n", "is a table"),
        ("[defaults]\ncompare = 3\n", "is a table"),
        ("[defaults]\nseed = 1979-05-27\n", "is a word, a number"),
        ("[defaults.library.ad]\nname = 'x'\n", None),
        ("[defaults]\nthreads = 'many'\n", "invalid value for '--threads'"),
    ],
)
def test_what_the_file_cannot_mean_is_refused_before_the_run(
    text: str, says: str | None, modelprov: Command, here: Path
) -> None:
    settings(here, text)
    said = modelprov("compare", "a", "b")
    assert said.code == 2
    assert "Did you mean" not in said.err if says is None else says in " ".join(said.err.split())


def test_a_group_has_tables_for_its_commands(modelprov: Command, here: Path) -> None:
    settings(here, "[defaults.library.ad]\nname = 'x'\n")
    assert "Did you mean add?" in modelprov("library", "list", "--library", "lib").err
    settings(here, "[defaults.library.list]\nlibrary = 'nowhere'\n")
    assert "nowhere" in modelprov("library", "list").err


def test_keys_of_other_commands_are_left_to_them(modelprov: Command, here: Path) -> None:
    settings(here, '[check]\nsample = true\n[rules]\nMP301 = "off"\n[defaults]\nmethod = ["cot"]\n')
    assert "nothing is at" in modelprov("inspect", "no-such-model").err


def test_a_model_does_not_bring_the_settings_that_it_is_judged_by(
    modelprov: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settings(here, "[defaults]\nthread = 1\n")
    (here / "config.json").write_text("{}")
    assert "lies beside a model" in modelprov("inspect", "no-such-model").err
    monkeypatch.setenv(VARIABLE, str(path))
    assert "unknown key thread" in modelprov("inspect", "no-such-model").err


def test_a_variable_that_no_option_has_is_refused(modelprov: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPROV_COMPARE_THREAD", "1")
    said = modelprov("compare", "a", "b")
    assert (said.code, "Did you mean MODELPROV_COMPARE_THREADS?" in said.err) == (2, True)


def test_a_variable_without_a_command_is_of_every_command_that_has_the_option(
    compare: Command, modelprov: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELPROV_SEED", "9")
    monkeypatch.setenv("MODELPROV_THREADS", "3")
    monkeypatch.setenv("MODELPROV_COMPARE_THREADS", "2")
    said = compare("rio", "nex", "qwen", "--format", "json")
    found = json.loads(said.out)
    assert (found["settings"]["threads"], found["settings"]["seed"]) == (2, 9)
    assert said.err == "from the environment: --threads 2 --seed 9\n"
    assert found["command"].endswith("--threads 2 --seed 9")
    assert modelprov("inspect", "no-such-model").err.startswith("error: nothing is at 'no-such-model'")


def test_a_variable_that_means_nothing_is_named_and_others_are_not(
    modelprov: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert VARIABLE in OF_NO_OPTION
    for name in (
        "MODELPROV_SEDE",
        "MODELPROV_COMPRE_SEED",
        "MODELPROV_SEED",
        "MODELPROV_PROBE_SEED",
        *OF_NO_OPTION - {VARIABLE},
    ):
        monkeypatch.setenv(name, "1")
    assert modelprov("inspect", "no-such-model").err.splitlines()[:2] == [
        "the variable MODELPROV_COMPRE_SEED means nothing and was ignored; did you mean MODELPROV_COMPARE_SEED?",
        "the variable MODELPROV_SEDE means nothing and was ignored; did you mean MODELPROV_SEED?",
    ]
    assert "means nothing" not in modelprov("compare", "a", "b", "--quiet").err


def test_no_variable_has_two_meanings() -> None:
    """A shared one is neither what the program reads elsewhere, nor one of a command's own."""
    paths = [([name], loaded(name)) for name in COMMANDS]
    inner = [([*at, name], each) for at, group in paths for name, each in getattr(group, "commands", {}).items()]
    named = [(at, name) for at, each in [*paths, *inner] for name in options(each)]
    shared = {variable([], name) for _, name in named}
    assert "MODELPROV_SEED" in shared
    assert not shared & (OF_NO_OPTION | {variable(at, name) for at, name in named})
    assert not [name for name in shared for at, _ in named if name.startswith(variable(at, ""))]


def test_variables_are_named_after_options_as_they_are_typed() -> None:
    assert variable(["compare"], "sample-size") == "MODELPROV_COMPARE_SAMPLE_SIZE"
    assert variable([], "sample-size") == "MODELPROV_SAMPLE_SIZE"
    assert variable(["library", "add"], "name") == "MODELPROV_LIBRARY_ADD_NAME"
    assert {"json", "open", "library", "verbose"} <= set(options(loaded("identify")))


def test_a_form_on_standard_output_goes_beside_files_and_not_beside_another(compare: Command, here: Path) -> None:
    said = compare("rio", "nex", "qwen", "--format", "md", "--json", "r.json")
    assert said.out.startswith("## Merge: rio")
    assert (here / "r.json").is_file()
    assert compare("rio", "nex", "qwen", "--format", "json", "--html", "-").code == 2
    assert "--format is text, json, md or html" in compare("rio", "nex", "qwen", "--format", "sarif").err
    assert compare("rio", "nex", "qwen", "--format", "text").out.startswith("╭─")


def test_verbose_says_each_step_with_its_time_on_standard_error(models: Path) -> None:
    running = program(
        MAIN, "compare", models / "rio", models / "nex", models / "qwen", "-v", "--device", "cpu", "--format", "json"
    )
    out, err = running.communicate(timeout=100)
    assert json.loads(out)
    for said in ("step 1 of 7: opening checkpoints", "opened rio: ", "computes: processor"):
        assert f"s  info     {said}" in err


def test_values_are_completed_from_where_they_are_known() -> None:
    assert completion.among(("auto", "cpu"))("c") == ["cpu"]
    assert "swir" in completion.methods("s")
    assert "float32" in completion.arithmetics("")


@pytest.mark.parametrize(
    ("words", "wrong", "advice"),
    [
        (["identify", "x"], "identify: missing option '--library'", "identify ./suspect --library ./known (more: "),
        (["compare", "a", "b", "--formt", "json"], "no such option: --formt", "For example: modelprov compare ./rio"),
        (
            ["library", "add"],
            "library add: missing argument 'CKPT'",
            "modelprov library add org/name --library ./known",
        ),
        (["demo", "x"], "demo: got unexpected extra argument", "modelprov demo --help"),
    ],
)
def test_words_that_a_command_cannot_take_are_answered_with_an_example(
    modelprov: Command, words: list[str], wrong: str, advice: str
) -> None:
    said = modelprov(*words)
    assert (said.code, said.out) == (2, "")
    assert wrong in said.err
    assert advice in said.err
