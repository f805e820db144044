"""Reads benchmark scores: tables of a card, and the front matter's `model-index`. Pure; compares nothing.

A table's models are its column headings, or its rows where the first heading says so. What is the card's own model is
told by its name, by "ours", or by the one heading in bold; every other column keeps its heading. A cell that is not
one plain number (a range, two numbers, "12k") is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it.token import Token

from modelprov.check.html_tables import Row, html_tables
from modelprov.check.interface import Score
from modelprov.check.markdown_text import plain
from modelprov.check.prose import Names
from modelprov.check.results import Location
from modelprov.check.yaml_text import place
from modelprov.foreign.yaml_text import Value

MOST_SCORES = 5_000
MAX_NAME = 120
OURS = re.compile(r"\bours?\b|\bthis model\b|\bour model\b|\bnosso\b|\beste modelo\b|本模型|我们", re.IGNORECASE)
OWN_SCORE = re.compile(
    r"(?:score|scores|result|results|accuracy|acc|value|performance|avg|average|pass@\d+|pontua[çc][ãa]o|resultado|得分|分数"
    r"|准确率)(?:\s*[(\[]?(?:%|↑|acc|accuracy|0-100)?[)\]]?)?\Z",
    re.IGNORECASE,
)
BENCHMARK = re.compile(
    r"(?:benchmarks?|tasks?|datasets?|evals?|evaluations?|tests?|metrics?|suite|tarefa|conjunto|基准|评测|任务|数据集)\b",
    re.IGNORECASE,
)
MODEL = re.compile(r"(?:models?|modelos?|模型|system|method|llm|checkpoint|name)s?\Z", re.IGNORECASE)
NO_MODEL = re.compile(
    r"(?:|#|n-?shots?|shots?|few-?shot|version|filter|metrics?|std ?err(?:or)?|±|category|domain|capability|area|type"
    r"|language|split|setting|settings|setup|notes?|comments?|source|link|date|delta|Δ|diff(?:erence)?|gain|change"
    r"|improvement|size|params|parameters|context|samples?|n|count|rank|↑|↓|max|min|unit|description|\d+[kKMB]?|categoria|类别|领域)\Z",
    re.IGNORECASE,
)
NOT_SCORES = re.compile(
    r"(?:hyper-?)?param|argument|setting|config|property|attribute|feature|field|option|file|quant|hardware|gpu|memory"
    r"|speed|latency|throughput|epoch|step|training|layer|bits|tensor|token|license|requirement|licen[çc]a|hiper",
    re.IGNORECASE,
)
NOTES = re.compile(r"<sup>.*?</sup>|\[\^[^\]]*\]|\^\S{1,4}\^?|[†‡§¹²³⁴⁵⁶⁷⁸⁹⁰*]+\s*\Z", re.IGNORECASE | re.DOTALL)
UNCERTAIN = re.compile(r"\s*(?:±|\+/-|\+-)\s*[\d.,]+\s*%?\s*\Z")
IN_BRACKETS = re.compile(r"\s*\([^()]*\)\s*\Z")
NUMBER = re.compile(r"[-−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-−]?\d{1,9}(?:[.,]\d{1,8})?")
BOLD = re.compile(r"\s*(?:\*\*.+\*\*|__.+__|<(b|strong)>.+</\1>)\s*\Z", re.DOTALL)
EMPHASIS = re.compile(r"[*_`~]|</?(?:b|strong|i|em|u|sub|span|mark)\b[^<>]*>")


def table_scores(tokens: Sequence[Token], first_line: int, file: str, names: Names) -> tuple[Score, ...]:
    """The scores of all benchmark tables among block tokens whose text begins on line `first_line` of `file`."""
    found: list[Score] = []
    for header, rows in _tables(tokens, first_line):
        found += _scores(header, rows, file, names)
        if len(found) >= MOST_SCORES:
            break
    return tuple(found[:MOST_SCORES])


def index_scores(index: Value | None, file: str, names: Names) -> tuple[Score, ...]:
    """The scores of `model-index`; a benchmark is its dataset's name, with the metric's where it has several."""
    entries = index.items if index is not None else ()
    found: list[Score] = []
    for entry in entries:
        name = _text(entry.entries.get("name"))
        own = len(entries) == 1 or bool(name and _is_own(name, names))
        results = entry.entries.get("results")
        for result in results.items if results is not None else ():
            dataset = result.entries.get("dataset")
            named = dataset.entries if dataset is not None else {}
            benchmark = _text(named.get("name")) or _text(named.get("type"))
            metrics = result.entries.get("metrics")
            measured = metrics.items if metrics is not None else ()
            for metric in measured:
                value = metric.entries.get("value")
                number = _number(str(value.data)) if value is not None and _is_number(value.data) else None
                if value is None or number is None or not benchmark:
                    continue
                kind = _text(metric.entries.get("name")) or _text(metric.entries.get("type"))
                title = f"{benchmark} ({kind})" if len(measured) > 1 and kind else benchmark
                found.append(Score(title[:MAX_NAME], None if own else name or "unnamed", number, place(value, file)))
    return tuple(found[:MOST_SCORES])


def _tables(tokens: Sequence[Token], first_line: int) -> Iterator[tuple[Row, list[Row]]]:
    rows: list[Row] = []
    cells: list[str] = []
    line = first_line
    in_cell = False
    for token in tokens:
        if token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            cells, line = [], first_line + (token.map[0] if token.map else 0)
        elif token.type in {"th_open", "td_open"}:
            in_cell = True
        elif token.type == "inline" and in_cell:
            cells.append(token.content)
            in_cell = False
        elif token.type == "tr_close":
            rows.append(Row(tuple(cells), line))
        elif token.type == "table_close" and rows:
            yield rows[0], rows[1:]
    for table in html_tables(tokens, first_line):
        yield table[0], table[1:]


def _scores(header: Row, rows: Sequence[Row], file: str, names: Names) -> Iterator[Score]:
    headings = [_heading(cell) for cell in header.cells]
    if len(headings) < 2 or NOT_SCORES.match(headings[0]):
        return
    if MODEL.match(headings[0]) or _rows_are_named(header, headings, rows, names):
        yield from _rows_are_models(headings, rows, file, names)
        return
    label = next((at for at, heading in enumerate(headings) if BENCHMARK.match(heading)), 0)
    columns = [at for at, heading in enumerate(headings) if at != label and not NO_MODEL.match(heading)]
    lone = [at for at in columns if OWN_SCORE.match(headings[at])]
    own = set(lone) if lone else _own_columns(headings, header.cells, names, columns)
    if not own and len(columns) == 1 and not BENCHMARK.match(headings[label]):
        return  # two columns that name neither a benchmark nor a model: any list of properties
    for row in rows:
        benchmark = _heading(row.cells[label]) if label < len(row.cells) else ""
        if not benchmark:
            continue
        for at in columns:
            number = _number(row.cells[at]) if at < len(row.cells) else None
            if number is not None and headings[at]:
                model = None if at in own else headings[at]
                yield Score(benchmark, model, number, Location(file=file, line=row.line))


def _rows_are_named(header: Row, headings: Sequence[str], rows: Sequence[Row], names: Names) -> bool:
    """Whether this model is a row, not a column, though the first heading names neither."""
    if BENCHMARK.match(headings[0]) or _own_columns(headings, header.cells, names):
        return False
    titles = [_heading(row.cells[0]) for row in rows if row.cells]
    return bool(_own_columns(titles, titles, names))


def _rows_are_models(headings: Sequence[str], rows: Sequence[Row], file: str, names: Names) -> Iterator[Score]:
    titles = [_heading(row.cells[0]) if row.cells else "" for row in rows]
    own = _own_columns(titles, [row.cells[0] if row.cells else "" for row in rows], names)
    for at, row in enumerate(rows):
        for benchmark, cell in zip(headings[1:], row.cells[1:], strict=False):
            number = _number(cell)
            if number is None or not titles[at] or NO_MODEL.match(benchmark) or NOT_SCORES.match(benchmark):
                continue
            yield Score(benchmark, None if at in own else titles[at], number, Location(file=file, line=row.line))


def _own_columns(
    headings: Sequence[str], cells: Sequence[str], names: Names, among: Sequence[int] | None = None
) -> set[int]:
    """Which headings mean this model: its name, else "ours", else a beginning of its name, else the only bold one."""
    places = list(range(len(headings))) if among is None else list(among)
    for test in (
        lambda at: _is_own(headings[at], names),
        lambda at: OURS.search(headings[at]),
        lambda at: _begins_own(headings[at], names),
        lambda at: len(places) > 1 and BOLD.match(cells[at]) and not _is_base(headings[at], names),
    ):
        found = {at for at in places if test(at)}
        if len(found) == 1:
            return found
    return set()


def _is_own(heading: str, names: Names) -> bool:
    own = {_bare(one) for name in names.own for one in (name, name.split("/")[-1])}
    return _bare(heading) in own - {""}


def _begins_own(heading: str, names: Names) -> bool:
    bare = _bare(heading)
    return len(bare) >= 3 and not _is_base(heading, names) and any(_bare(name).startswith(bare) for name in names.own)


def _is_base(heading: str, names: Names) -> bool:
    """Whether a heading may mean a declared base model: its name or the beginning of it."""
    bare = _bare(heading)
    shorts = [_bare(name.split("/")[-1]) for name in names.bases]
    return bool(bare) and (any(one.startswith(bare) for one in shorts) or bare in map(_bare, names.bases))


def _heading(cell: str) -> str:
    text = NOTES.sub("", EMPHASIS.sub(lambda found: found.group() if found.group() == "_" else "", cell))
    return " ".join(plain(text).replace("\0", " ").split())[:MAX_NAME]


def _number(cell: str) -> float | None:
    """The one number of a cell: `70.8`, `**70.8%**`, `70,8`, `1,533`, `70.8 ± 0.3`, `70.8 (5-shot)`, `70.8[^1]`."""
    if len(cell) > 200:
        return None
    text = EMPHASIS.sub("", NOTES.sub("", cell)).strip()
    text = NOTES.sub("", UNCERTAIN.sub("", IN_BRACKETS.sub("", text))).strip().lstrip("~≈").strip()
    text = text.removesuffix("%").strip()
    if not NUMBER.fullmatch(text):
        return None
    text = text.replace("−", "-")
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        return float(text.replace(",", ""))
    return float(text.replace(",", "."))


def _is_number(data: object) -> bool:
    return isinstance(data, int | float | str) and not isinstance(data, bool)


def _text(value: Value | None) -> str:
    return " ".join(str(value.data).split())[:MAX_NAME] if value is not None and isinstance(value.data, str) else ""


def _bare(text: str) -> str:
    return re.sub(r"[^0-9a-z一-鿿à-ÿ]", "", text.lower())
