"""The leaderboard as JSON and as tables of docs/lineage.md, with a line for each case that ours left open or missed."""

from __future__ import annotations

import json
import platform
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.lineage.extent import extent, questions, sentence
from benchmarks.lineage.extent import groups as groups_of
from benchmarks.lineage.labels import QUESTIONS, Label
from benchmarks.lineage.reasons import reason
from benchmarks.lineage.scorer import ABSTAINED, FALSE, RIGHT, WRONG, score, tally, told
from benchmarks.lineage.sorts import SEED, SORTS, VERSION, Identity, cases, digest, made

ROOT = Path(__file__).parents[2]
RESULTS = {
    "small": ROOT / "benchmarks" / "results" / "lineage.json",
    "large": ROOT / "benchmarks" / "results" / "lineage-large.json",
}
PAGE = ROOT / "docs" / "lineage.md"
OURS = "modelprov in full"
ORDER = ("modelprov in full", "modelprov by sample", "modelprov by fingerprint")
TITLES = {
    "related": "related?", "relation": "which relation?", "shares": "shares", "method": "method?",
    "trained": "trained on?", "direction": "direction?",
}  # fmt: skip
Row = dict[str, Any]


def result(size: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Every tool's score over the cases it was asked, and what is to be said of ours case by case."""
    labels: dict[Identity, tuple[Label, str, str]] = {}
    asked = {Identity(row["case"], row["number"]) for row in rows}
    for case in cases(size):
        if case in asked:
            found = made(case)
            labels[case] = found.label, found.about, digest(found)[:16]
    own = [row for row in rows if Identity(row["case"], row["number"]) in labels]
    names = sorted({row["peer"] for row in own}, key=lambda name: (ORDER.index(name) if name in ORDER else 9, name))
    tools = {}
    for name in names:
        said = [row for row in own if row["peer"] == name]
        pairs = [(labels[Identity(row["case"], row["number"])][0], told(row)) for row in said]
        tools[name] = {**tally(pairs), "cost": _cost(said), "groups": _groups(said, labels)}
    return {
        "seed": SEED, "version": VERSION, "size": size, "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}", "cases": len(labels),
        "other bits than asked about": sum(row["sha256"] != labels[_id(row)][2] for row in own),
        "tools": tools, "open": _open(own, labels), "extent": extent(size, labels),
    }  # fmt: skip


def _id(row: Row) -> Identity:
    return Identity(row["case"], row["number"])


def _cost(rows: Sequence[Row]) -> dict[str, Any]:
    """Medians a case: CPU seconds, bytes read, bytes of memory above what was there before."""
    found = {}
    for name in ("seconds", "bytes", "memory"):
        values = [row[name] for row in rows if row[name] is not None and not row["refused"]]
        found[name] = round(median(values), 3) if values else None
    return found | {"all seconds": round(sum(row["seconds"] for row in rows), 1)}


def _groups(rows: Sequence[Row], labels: dict[Identity, tuple[Label, str, str]]) -> dict[str, dict[str, int]]:
    """By group, of all questions asked: right, abstained, wrong, and false answers."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        scored = score(labels[_id(row)][0], told(row))
        counts = found.setdefault(SORTS[row["case"]].group, Counter(cases=0, right=0, abstained=0, wrong=0, false=0))
        counts.update(scored.outcomes.values())
        counts["cases"] += 1
        counts["false"] += bool(scored.false)
    return {group: dict(counts) for group, counts in found.items()}


def _open(rows: Sequence[Row], labels: dict[Identity, tuple[Label, str, str]]) -> list[dict[str, Any]]:
    """Cases in which ours, in full, was wrong or left a question open, with why and with what would settle it."""
    found = []
    for row in sorted((row for row in rows if row["peer"] == OURS), key=lambda row: (row["case"], row["number"])):
        label, about, _ = labels[_id(row)]
        scored = score(label, told(row))
        missed = {name: out for name, out in scored.outcomes.items() if out != RIGHT}
        if missed or scored.false:
            why, settled = reason(label, row)
            found.append(
                {
                    "case": f"{row['case']} {row['number']}",
                    "about": about,
                    "said": row["words"],
                    "missed": missed,
                    "false": list(scored.false),
                    "why": why,
                    "settled_by": settled,
                }
            )
    return found


def table(found: dict[str, Any]) -> str:
    """False answers first, then every question (right / left open / wrong), then costs."""
    head = [*FALSE, *TITLES.values()]
    lines = ["| tool | cases | " + " | ".join(head) + " |", "| :--- | ---: |" + " ---: |" * len(head)]
    for name, told_ in found["tools"].items():
        false = [_of(told_["false"][each]) for each in FALSE]
        by = [_three(told_["questions"][each]) for each in QUESTIONS]
        lines.append(f"| {name} | {told_['cases']} | " + " | ".join([*false, *by]) + " |")
    return "\n".join(lines) + "\n"


def _of(held: dict[str, Any]) -> str:
    return f"{held['count']} of {held['of']}"


def _three(held: dict[str, Any]) -> str:
    counts = [held[name]["count"] for name in (RIGHT, ABSTAINED, WRONG)]
    return " / ".join(map(str, counts)) if held["answered"] else "–"


def decided(found: dict[str, Any]) -> str:
    """Of the questions that weights decide, those answered rightly, left open, and wrong."""
    lines = ["| tool | " + " | ".join(TITLES.values()) + " |", "| :--- |" + " ---: |" * len(TITLES)]
    for name, told_ in found["tools"].items():
        by = [_three(held["decided"] | {"answered": held["answered"]}) for held in told_["questions"].values()]
        lines.append(f"| {name} | " + " | ".join(by) + " |")
    return "\n".join(lines) + "\n"


def intervals(found: dict[str, Any]) -> str:
    """Shares with their Wilson intervals, of ours in full and of the tools that answer a question."""
    lines = ["| tool | question | right | 95 % | wrong | 95 % |", "| :--- | :--- | ---: | :--- | ---: | :--- |"]
    for name, told_ in found["tools"].items():
        for question, held in told_["questions"].items():
            if held["answered"] and held[RIGHT]["of"]:
                right, wrong = held[RIGHT], held[WRONG]
                lines.append(
                    f"| {name} | {TITLES[question]} | {_percent(right)} | {_bounds(right)} | {_percent(wrong)} | "
                    f"{_bounds(wrong)} |"
                )
    return "\n".join(lines) + "\n"


def _percent(held: dict[str, Any]) -> str:
    return f"{held['count'] / held['of']:.1%}".replace("%", " %")


def _bounds(held: dict[str, Any]) -> str:
    return f"{held['low']:.1%} to {held['high']:.1%}".replace("%", " %")


def costs(found: dict[str, Any]) -> str:
    """Medians a case."""
    lines = [
        "| tool | CPU seconds | kB read | MB of memory | refused |", "| :--- | ---: | ---: | ---: | ---: |"
    ]  # fmt: skip
    for name, told_ in found["tools"].items():
        cost = told_["cost"]
        read = "–" if cost["bytes"] is None else f"{cost['bytes'] / 1e3:,.0f}"
        memory = (
            "–" if cost["memory"] is None or name.startswith(("modelDNA", "Cisco")) else f"{cost['memory'] / 1e6:.0f}"
        )
        seconds = "–" if cost["seconds"] is None else f"{cost['seconds']:.2f}"
        lines.append(f"| {name} | {seconds} | {read} | {memory} | {told_['refused']} |")
    return "\n".join(lines) + "\n"


def groups(found: dict[str, Any]) -> str:
    """Ours in full by group: all questions together."""
    lines = ["| group | cases | right | left open | wrong | false |", "| :--- | ---: | ---: | ---: | ---: | ---: |"]
    for group, counts in found["tools"].get(OURS, {}).get("groups", {}).items():
        numbers = (counts[name] for name in ("cases", RIGHT, ABSTAINED, WRONG, "false"))
        lines.append(f"| {group} | " + " | ".join(map(str, numbers)) + " |")
    return "\n".join(lines) + "\n"


def remaining(found: dict[str, Any]) -> str:
    """Of a large set a line for each sort and reason, not for each case: how many of those asked, what would help."""
    by: dict[tuple[str, str, str, str], int] = Counter(
        (each["case"].rpartition(" ")[0], _missed(each), each["why"], each["settled_by"]) for each in found["open"]
    )
    most: Counter[str] = Counter()
    for (name, *_), count in by.items():
        most[name] += count
    lines = [
        "| sort | cases | of | missed | why | what would settle it |", "| :--- | ---: | ---: | :--- | :--- | :--- |"
    ]  # fmt: skip
    for (name, *told_), count in sorted(by.items(), key=lambda item: (-most[item[0][0]], item[0][0], -item[1])):
        lines.append(f"| {name} | {count} | {found['extent']['asked'][name]} | " + " | ".join(told_) + " |")
    return "\n".join(lines) + "\n"


def _missed(each: dict[str, Any]) -> str:
    return ", ".join(f"{name} {out}" for name, out in each["missed"].items()) + (
        f"; **{', '.join(each['false'])}**" if each["false"] else ""
    )


def analysis(found: dict[str, Any]) -> str:
    """A line for each case of ours that is not right in all."""
    lines = ["| case | missed | why | what would settle it |", "| :--- | :--- | :--- | :--- |"]
    lines += [
        f"| {each['case']} | {_missed(each)} | {each['why']} | {each['settled_by']} |".replace("\n", " ")
        for each in found["open"]
    ]
    return "\n".join(lines) + "\n"


TABLES = {
    "small": {
        "leaderboard": table, "decided": decided, "intervals": intervals, "costs": costs, "groups": groups,
        "analysis": analysis,
    },
    "large": {
        "large questions": lambda found: questions(found["tools"][OURS], TITLES),
        "large groups": lambda found: groups_of(found["tools"][OURS], found["extent"]["groups"]),
        "large remaining": remaining,
    },
}  # fmt: skip


def filled(text: str, found: dict[str, Any]) -> str:
    """The page with the tables of this set as the result has them."""
    for name, make in TABLES[found["size"]].items():
        pattern = rf"(<!-- {name}: written by benchmarks/lineage/page.py -->\n\n)(?:\|[^\n]*\n)*"
        made_ = make(found)
        text, places = re.subn(pattern, lambda held, made_=made_: held[1] + made_, text)
        if places != 1:
            raise SystemExit(f"docs/lineage.md has {places} places for the table {name!r}")
    if found["size"] == "large":
        said = sentence(found["extent"], found["date"])
        return re.sub(r"<!-- extent -->.*?<!-- end -->", f"<!-- extent -->{said}<!-- end -->", text, flags=re.DOTALL)
    return re.sub(
        r"<!-- when -->.*<!-- end -->",
        f"<!-- when -->{found['date']}, {found['cases']} cases of the {found['size']} set, "
        f"seed {found['seed']}, {found['machine']}<!-- end -->",
        text,
    )


def results(size: str = "small") -> dict[str, Any]:
    """Those of the last run of a set."""
    return dict(json.loads(RESULTS[size].read_text(encoding="utf-8")))


def write(found: dict[str, Any]) -> None:
    """The result and the page."""
    to = RESULTS[found["size"]]
    to.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    print(f"wrote {to.name} and {PAGE.name}")
