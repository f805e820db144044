"""Benchmark tables as cards write them: which column is whose, which cells are numbers, which tables are none."""

import json
from pathlib import Path

import pytest

from modelprov.check.markdown_text import parse
from modelprov.check.prose import Names
from modelprov.check.read_claims import read_claims
from modelprov.check.scores import index_scores, table_scores
from modelprov.check.yaml_text import read_yaml

NAMES = Names(own=("Rio-3.5-Open-397B",), bases=("Qwen/Qwen3.5-397B-A17B",))
RULE = "|---|---|---|---|"


def scores(text, names=NAMES):
    return [(one.benchmark, one.model, one.value) for one in table_scores(parse(text), 1, "README.md", names)]


def test_the_models_own_column_has_no_name_and_the_others_keep_theirs_and_lines():
    text = "Text.\n\n| Benchmark | Rio 3.5 Open 397B | Qwen3.5-397B-A17B |\n|---|---|---|\n"
    text += "| HLE | 36.5 | 28.7 |\n| Apex | 29.2 | 9.4 |\n"
    found = table_scores(parse(text), 11, "README.md", NAMES)
    assert [(one.benchmark, one.model, one.value, one.location.line) for one in found] == [
        ("HLE", None, 36.5, 15),
        ("HLE", "Qwen3.5-397B-A17B", 28.7, 15),
        ("Apex", None, 29.2, 16),
        ("Apex", "Qwen3.5-397B-A17B", 9.4, 16),
    ]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("70.8", 70.8), ("**70.8**", 70.8), ("70.8%", 70.8), ("**70.8%**", 70.8), ("70,8", 70.8), ("1,533", 1533.0),
        ("12,345.5", 12345.5), ("1533", 1533.0), ("70.8 ± 0.3", 70.8), ("70.8 (5-shot)", 70.8), ("70.8[^1]", 70.8),
        ("70.8<sup>1</sup>", 70.8), ("70.8*", 70.8), ("70.8†", 70.8), ("70.8¹", 70.8), ("<b>70.8</b>", 70.8),
        ("~70.8", 70.8), ("-3.2", -3.2), ("`70.8`", 70.8), ("__70.8__", 70.8), ("*70.8*", 70.8), ("70.8 %", 70.8),
    ],
)  # fmt: skip
def test_a_number_is_read_however_it_is_dressed(cell, value):
    assert scores(f"| Benchmark | Rio-3.5-Open-397B |\n|---|---|\n| HLE | {cell} |") == [("HLE", None, value)]


@pytest.mark.parametrize(
    "cell", ["--", "N/A", "", "70.8 / 71.2", "70-75", "12k", "1.5B", "yes", "70.8.1", "9" * 500, "nan"]
)
def test_what_is_not_one_number_is_left_out(cell):
    assert scores(f"| Benchmark | Rio-3.5-Open-397B |\n|---|---|\n| HLE | {cell} |") == []


def header(*headings):
    line = "|" + "|".join(headings) + "|\n" + "|---" * len(headings) + "|\n"
    return line + "| HLE |" + "|".join(str(number) for number in range(1, len(headings))) + "|\n"


@pytest.mark.parametrize(
    ("headings", "own"),
    [
        (("Benchmark", "Qwen", "Rio-3.5-Open-397B"), 2.0),
        (("Benchmark", "Qwen", "Ours"), 2.0),
        (("Benchmark", "Rio 3.5 Open", "Qwen"), 1.0),
        (("Benchmark", "**Something**", "Qwen"), 1.0),
        (("", "Qwen", "Rio 3.5 Open 397B"), 2.0),
        (("Benchmark", "Score"), 1.0),
        (("Task", "Accuracy (%)"), 1.0),
    ],
)
def test_the_own_column_is_told_by_name_ours_beginning_bold_or_being_the_only_score(headings, own):
    assert [value for _, model, value in scores(header(*headings)) if model is None] == [own]


def test_no_column_is_taken_for_the_models_own_by_chance():
    assert all(model is not None for _, model, _ in scores(header("Benchmark", "Alpha", "Beta")))
    assert all(model is not None for _, model, _ in scores(header("Benchmark", "**Alpha**", "**Beta**")))
    names = Names(own=("Qwen3.5-397B-A17B-Rio",), bases=("Qwen/Qwen3.5-397B-A17B",))
    assert all(model is not None for _, model, _ in scores(header("Benchmark", "Qwen3.5-397B-A17B", "Beta"), names))


def test_rows_can_be_the_models():
    text = "| Model | MMLU | Size |\n|---|---|---|\n| Llama-3 | 60 | 8 |\n| **Rio-3.5-Open-397B** | 88 | 397 |\n"
    assert scores(text) == [("MMLU", "Llama-3", 60.0), ("MMLU", None, 88.0)]


def test_columns_that_are_no_model_and_rows_that_are_headings_are_left_out():
    text = f"| Category | Benchmark | Shots | Rio-3.5-Open-397B |\n{RULE}\n| **Code** | | | |\n| | HLE | 5 | 36.5 |\n"
    assert scores(text) == [("HLE", None, 36.5)]


@pytest.mark.parametrize(
    "headings",
    [("Hyperparameter", "Value"), ("Quantization", "Size", "Bits"), ("Property", "Value"), ("Layer", "Alpha")],
)
def test_tables_about_something_else_hold_no_scores(headings):
    assert scores(header(*headings)) == []


def test_a_table_in_code_or_with_escaped_bars_is_what_markdown_says():
    assert scores("```\n" + header("Benchmark", "Score") + "```\n") == []
    assert scores("| Benchmark | Score |\n|---|---|\n| a \\| b | 1 |\n") == [("a | b", None, 1.0)]


HTML = """# Rio

<div>
<table>
<tr><th></th><th>GPT</th><th><b>Rio-3.5-Open-397B</b></th></tr>

<tr><td colspan="3">Knowledge</td></tr>
<tr><td>MMLU-Pro</td><td>87.4</td>
<td>89.5<sup>1</sup></td></tr>
<tr>
<td>SuperGPQA
</td><td>67.9<td>70.6
</tr>
<!-- <tr><td>HLE</td><td>1</td><td>2</td></tr> -->
</table>
</div>
"""


def test_a_table_in_html_is_read_with_the_lines_of_its_rows():
    found = table_scores(parse(HTML), 1, "README.md", NAMES)
    assert [(one.benchmark, one.model, one.value, one.location.line) for one in found] == [
        ("MMLU-Pro", "GPT", 87.4, 8), ("MMLU-Pro", None, 89.5, 8), ("SuperGPQA", "GPT", 67.9, 10),
        ("SuperGPQA", None, 70.6, 10),
    ]  # fmt: skip


def test_cells_over_several_rows_and_columns_keep_the_others_in_their_columns():
    text = (
        "<table><tr><th>Area</th><th>Benchmark</th><th>Ours</th></tr>"
        "<tr><td rowspan=2>Code</td><td>A</td><td>1</td></tr><tr><td>B</td><td>2</td></tr>"
        "<tr><td rowspan='3'>Math</td><td>C</td><td>3</td></tr>"
        "<tr><td>D</td><td>4</td></tr><tr><td>E</td><td>5</td></tr>"
        "<tr><td>X</td><td colspan=2>6</td></tr></table>"
    )
    assert scores(text) == [(name, None, float(n)) for n, name in enumerate("ABCDE", 1)] + [("6", None, 6.0)]


def test_hostile_html_tables_are_bounded():
    text = "<table>" + "<tr><td colspan=999 rowspan=999>1" * 5_000
    assert len(scores(text)) == 0
    assert len(table_scores(parse("<table><tr><td>Task<td>Score" + "<tr><td>a<td>1" * 9_000), 1, "f", NAMES)) == 5_000


INDEX = """
- name: Rio
  results:
  - task: {type: text-generation}
    dataset: {name: HLE, type: hle}
    metrics:
    - type: acc
      value: 36.5
  - dataset: {type: gsm8k}
    metrics:
    - {type: strict, value: "80.1"}
    - {type: flexible, value: 81}
    - {type: broken, value: [1]}
"""


def test_a_model_index_is_read_with_lines_and_metrics_where_there_are_several():
    index, _ = read_yaml(INDEX, "README.md")
    found = index_scores(index, "README.md", NAMES)
    assert [(one.benchmark, one.model, one.value, one.location.line) for one in found] == [
        ("HLE", None, 36.5, 8), ("gsm8k (strict)", None, 80.1, 11), ("gsm8k (flexible)", None, 81.0, 12),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "index", ["3", "[1, 2]", "[{results: 5}]", "[{results: [{metrics: {a: 1}}]}]", "{a: b}", "null"]
)
def test_a_model_index_of_the_wrong_shape_holds_no_scores(index):
    value, _ = read_yaml(index, "README.md")
    assert index_scores(value, "README.md", NAMES) == ()


def test_the_published_table_comes_back_whole(tmp_path):
    """The scores of the published case, written as its card wrote them (`tests/check/published_scores.json`)."""
    published = json.loads((Path(__file__).parent / "published_scores.json").read_text())
    rows = [f"| {name} | **{one['suspect']}** | {one['base']} |" for name, one in published.items()]
    folder = tmp_path / "Rio-3.5-Open-397B"
    folder.mkdir()
    table = "| Benchmark | **Rio 3.5 Open** | Qwen3.5-397B-A17B |\n|:---|:---:|:---:|\n" + "\n".join(rows)
    (folder / "README.md").write_text(f"---\nbase_model: Qwen/Qwen3.5-397B-A17B\n---\n# Rio 3.5 Open\n\n{table}\n")
    found = read_claims(folder).scores
    own = {one.benchmark: one.value for one in found if one.model is None}
    base = {one.benchmark: one.value for one in found if one.model == "Qwen3.5-397B-A17B"}
    assert own == {name: one["suspect"] for name, one in published.items()}
    assert base == {name: one["base"] for name, one in published.items()}
