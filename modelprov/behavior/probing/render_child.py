"""The child process that renders a foreign chat template: a sandbox, a memory limit, a limit of output.

Stands alone (it is started by its path, isolated, without the environment of the parent) and imports nothing of
modelprov. Reads one JSON object from standard input: template, variables, jobs, limits; writes one JSON object a job:
`{"text": ...}` or `{"error": ...}`, with `"beyond": true` where a limit was reached. Its environment is that of
transformers' `apply_chat_template`.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

QUOTED = 300


class Generation(jinja2.ext.Extension):
    """`{% generation %}`, which marks the assistant's text for training and changes nothing in it."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """Its body, as if the tag were not there."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def environment(now: datetime) -> ImmutableSandboxedEnvironment:
    """The sandbox; `strftime_now` tells the time `now`."""

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(
        value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = refuse
    made.globals["strftime_now"] = now.strftime
    return made


def render(template: jinja2.Template, variables: dict[str, Any], most: int) -> dict[str, Any]:
    """The text, or why there is none; never more than `most` characters."""
    pieces, length = [], 0
    try:
        for piece in template.generate(**variables):
            length += len(piece)
            if length > most:
                return {"error": f"it renders more than {most:,} characters", "beyond": True}
            pieces.append(piece)
    except MemoryError:
        return {"error": "it needs more memory than it is given", "beyond": True}
    except RecursionError:
        return {"error": "it calls itself without end", "beyond": True}
    except Exception as error:  # whatever a foreign template brings about is its own fault
        return {"error": f"{type(error).__name__}: {str(error)[:QUOTED]}"}
    return {"text": "".join(pieces)}


def limit(memory: int, seconds: int) -> None:
    """Bound this process's memory (bytes) and processor time, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main(read: Callable[[], str], write: Callable[[str], Any]) -> None:
    """Render every job; an error of the template itself is the answer to each of them."""
    order = json.loads(read())
    limit(order["memory"], order["seconds"])
    most = order["characters"]
    try:
        template = environment(datetime.fromisoformat(order["now"])).from_string(order["template"])
    except Exception as error:
        refusal = {"error": f"{type(error).__name__}: {str(error)[:QUOTED]}"}
        write("".join(json.dumps(refusal) + "\n" for _ in order["jobs"]))
        return
    for job in order["jobs"]:
        write(json.dumps(render(template, {**order["variables"], **job}, most)) + "\n")


if __name__ == "__main__":
    main(sys.stdin.read, sys.stdout.write)
