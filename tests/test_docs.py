"""The documents say what the program does: commands parse, links resolve, tables name what the code names."""

import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from benchmarks import calibration_tables, disguises, methods
from benchmarks.answering import tables as answering_tables
from benchmarks.trained import tables as trained_tables
from modelprov import __version__
from modelprov.cli import app
from modelprov.cli.compared import exit_code
from modelprov.forensics import thresholds
from modelprov.forensics.results import VerdictClass
from tests.verdict_rules import rules

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAM = typer.main.get_command(app.app)
CALLED = {name: app.loaded(name) for name in app.COMMANDS}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def command_lines(text: str) -> list[list[str]]:
    """The arguments of every `modelprov` command in a fenced shell block, up to a pipe or the next command."""
    found = []
    for language, block in FENCE.findall(text):
        if language not in ("bash", "sh"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            words = re.split(r"\s(?:\||&&|;)\s", f"{line} ")
            parts = [shlex.split(word) for word in words if "modelprov" in word]
            found += [part[1:] for part in parts if Path(part[0]).name == "modelprov"]
    return found


def inline_code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def table_after(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its header."""
    rows = []
    for line in text.split(f"# {heading}\n", 1)[1].splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return rows[2:]


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


COMMANDS = [(name_of(path), line) for path in DOCUMENTS for line in command_lines(text_of(path))]
OPTIONS = {
    option for command in (PROGRAM, *CALLED.values()) for parameter in command.params for option in parameter.opts
} | {"--help"}


def test_the_documents_show_commands():
    shown = {line[0] for name, line in COMMANDS if name == "docs/start.md"}
    assert shown == {"compare", "inspect", "demo", "merge", "verify", "probe", "eval", "check"}
    assert {name for name, _ in COMMANDS} >= {"README.md", "docs/guide.md"}


def test_the_readme_is_short():
    assert len(text_of(ROOT / "README.md").splitlines()) <= 120


@pytest.mark.parametrize(("name", "line"), COMMANDS, ids=[f"{name}: {' '.join(line)}" for name, line in COMMANDS])
def test_every_command_line_parses(name, line):
    assert line[0] in CALLED, f"{name} names a command that does not exist"
    CALLED[line[0]].make_context(line[0], list(line[1:]))


def test_a_command_line_with_an_option_that_does_not_exist_would_be_seen():
    with pytest.raises(Exception, match="--publish"):
        CALLED["compare"].make_context("compare", ["a", "b", "--publish"])


@pytest.mark.parametrize(
    "name",
    ["README.md", *(f"docs/{name}.md" for name in ("start", "compare", "limits", "command-line", "guide", "method"))],
)
def test_options_and_commands_in_running_text_exist(name):
    for code in inline_code(text_of(ROOT / name)):
        words = code.replace(",", " ").split()
        if words[0] == "modelprov" and len(words) > 1 and words[1] != "...":
            assert words[1] in CALLED, code
        if words[0].startswith("--") or words[0] in ("modelprov", *CALLED):
            assert {word for word in words if word.startswith("--")} <= OPTIONS, code


def test_what_is_not_built_is_named_as_such():
    section = text_of(ROOT / "docs" / "limits.md").split("## Not yet\n", 1)[1].split("\n## ", 1)[0]
    for code in inline_code(section):
        assert code.split()[0] not in CALLED, f"`{code}` exists now: docs/limits.md says it does not"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_internal_links_resolve(path):
    for target in LINK.findall(FENCE.sub("", text_of(path))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        where = path.parent / file if file else path
        assert where.exists(), f"{name_of(path)} links to {target}"
        if anchor:
            assert anchor in anchors(text_of(where)), f"{name_of(path)} links to {target}"


def test_the_verdict_table_names_exactly_the_verdicts_and_their_exit_codes():
    rows = table_after(text_of(ROOT / "docs" / "compare.md"), "The seven verdicts")
    assert {row[0].strip("`"): int(row[-1]) for row in rows} == {str(one): exit_code(one) for one in VerdictClass}
    assert len(rows) == len(VerdictClass)


def test_the_thresholds_in_the_method_are_those_of_the_code():
    rows = table_after(text_of(ROOT / "docs" / "method.md"), "Thresholds")
    numbers = {f"`{name}`": float(value) for name, value in vars(thresholds).items() if name.isupper()}
    assert {name: float(value) for name, value, _ in rows} == numbers
    assert len(rows) == len(numbers) > 10


def test_no_other_file_of_the_verdict_has_numbers_of_its_own():
    for file in (ROOT / "modelprov" / "forensics" / "judging").glob("*.py"):
        if file.stem in {"verdict", "wording", "facts", "roles"}:
            numbers = re.findall(r"^[A-Z_, ]+ = -?[\d.]+", text_of(file), re.M)
            assert not set(numbers) - {"ROLES_ELEMENTS = 200"}, file.name


def test_the_tables_of_the_calibration_are_those_of_its_results():
    text = text_of(ROOT / "docs" / "method.md")
    assert calibration_tables.written(text) == text, "run: python -m benchmarks.calibration_tables"


def test_the_table_of_named_methods_is_that_of_its_results():
    text = text_of(ROOT / "docs" / "method.md")
    assert methods.written(text) == text, "run: python -m benchmarks.methods"


def test_the_tables_of_the_trained_families_are_those_of_their_results():
    text = text_of(ROOT / "docs" / "method.md")
    assert trained_tables.written(text) == text, "run: python -m benchmarks.trained.tables"


def test_the_tables_of_answers_are_those_of_their_results():
    text = text_of(ROOT / "docs" / "probe.md")
    assert answering_tables.written(text) == text, "run: python -m benchmarks.answering.tables"


def test_the_tables_of_the_disguises_are_those_of_their_results():
    text = text_of(ROOT / "docs" / "method.md")
    assert disguises.written(text, disguises.results()) == text, "run: python -m benchmarks.disguises --tables"


def test_the_rules_in_the_method_are_those_of_the_verdict():
    written = {row[1].strip("`") for row in table_after(text_of(ROOT / "docs" / "method.md"), "The verdict")}
    assert written == rules()


def test_the_arithmetics_in_the_method_are_those_of_the_code():
    from modelprov.recipes.arithmetics import DESCRIPTIONS

    rows = table_after(text_of(ROOT / "docs" / "method.md"), "Exact recipes and named arithmetics")
    assert [row[0].strip("`") for row in rows] == [one.name for one in DESCRIPTIONS.values()]


def test_the_changelog_has_the_current_version():
    versions = re.findall(r"^## \[([^\]]+)\]", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == __version__


def test_decisions_are_numbered_without_gaps_and_listed():
    files = sorted(path.name for path in (ROOT / "docs" / "adr").glob("0*.md"))
    numbers = [int(name[:4]) for name in files]
    assert numbers[0] == 1
    assert all(b - a == 1 for a, b in pairwise(numbers))
    index = text_of(ROOT / "docs" / "adr" / "README.md")
    assert all(f"({name})" in index for name in files)


def test_the_picture_is_a_small_png():
    picture = (ROOT / "docs" / "images" / "report.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 300_000


def test_the_house_in_the_docs_has_the_rooms_of_the_import_contract():
    contract = tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"][0]
    rooms = {room.strip().removeprefix("modelprov.") for floor in contract["layers"] for room in floor.split("|")}
    walk, picture = text_of(ROOT / "docs" / "architecture.md"), text_of(ROOT / "docs" / "images" / "house.svg")
    places = {path.stem for path in (ROOT / "modelprov").iterdir() if not path.stem.startswith("__")}
    assert rooms == places - {"py"}
    assert not [room for room in rooms if f">{room}<" not in picture], "run: python docs/images/house.py"
    assert not [room for room in rooms - {"demo", "callable_package", "compiled"} if f"`{room}" not in walk]
