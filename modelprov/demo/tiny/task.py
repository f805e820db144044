"""Running sums as a task for `modelprov eval`: new ones, drawn from a seed that no training uses. Asks nobody."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from modelprov.demo.tiny.conversations import running_sum

SEED = 20_000


def write_task(path: Path, number: int, seed: int = SEED) -> None:
    """Write `number` different sums as JSONL (question, answer, grader). Raises `OSError`."""
    random_state = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < number:
        question, answer = running_sum(random_state)
        found.setdefault(question, re.findall(r"\\boxed\{(\d+)\}", answer)[-1])
    lines = [
        json.dumps({"id": f"sum-{place:03}", "question": question, "answer": answer, "grader": "numeric"},
                   ensure_ascii=False)
        for place, (question, answer) in enumerate(found.items(), 1)
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
