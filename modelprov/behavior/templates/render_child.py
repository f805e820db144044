"""The child process that renders a foreign chat template: a sandbox, a memory limit, a limit of output.

Stands alone (it is started by its path, isolated, without the environment of the parent) and imports nothing of
modelprov. Reads JSON objects, one a line: first the limit of memory, then orders of template, variables, jobs and
limits, or of a template to be looked through for its variables, until there are no more; writes one a job:
`{"text": ...}` or `{"error": ...}`, with `"beyond": true` where a limit was reached. Its environment is that of
transformers' `apply_chat_template`.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

QUOTED = 300


class Generation(jinja2.ext.Extension):
    """`{% generation %}`, which marks the assistant's text for training and changes nothing in it."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        """Its body, in a scope of its own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller: Callable[[], str]) -> str:
        return caller()


class Dictionary:
    """`dict` as templates know it: to call, and `fromkeys`."""

    def __call__(self, *args: Any, **given: Any) -> dict[Any, Any]:
        """A new dictionary."""
        return dict(*args, **given)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        """As that of `dict`."""
        return dict.fromkeys(*args)


def environment() -> ImmutableSandboxedEnvironment:
    """The sandbox; each order adds `strftime_now`, which tells its time."""

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
    made.globals["dict"] = Dictionary()
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


def variables(sandbox: ImmutableSandboxedEnvironment, template: str) -> dict[str, list[Any]]:
    """Every name that a template asks for without setting it, with the constants that it compares it to."""
    names = jinja2.meta.find_undeclared_variables(sandbox.parse(template))  # folds the constants of its tree
    found: dict[str, list[Any]] = {name: [] for name in sorted(names)}
    for node in sandbox.parse(template).find_all(jinja2.nodes.Compare):
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        constants = [one.value for side in sides for one in _constants(side)]
        for side in sides:
            if isinstance(side, jinja2.nodes.Name) and side.name in found:
                found[side.name] += [one for one in constants if one not in found[side.name]]
    return found


def _constants(node: jinja2.nodes.Node) -> list[jinja2.nodes.Const]:
    listed = node.items if isinstance(node, jinja2.nodes.List | jinja2.nodes.Tuple) else [node]
    return [one for one in listed if isinstance(one, jinja2.nodes.Const) and isinstance(one.value, str | int | float)]


def looked_through(sandbox: ImmutableSandboxedEnvironment, order: dict[str, Any]) -> dict[str, Any]:
    """The answer to an order that asks for a template's variables."""
    limit_time(order["seconds"])
    try:
        return {"text": json.dumps(variables(sandbox, order["template"]))}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:QUOTED]}"}


def limit_memory(memory: int) -> None:
    """Bound this process's memory (bytes) and let it write no files, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def limit_time(seconds: float) -> None:
    """Bound the processor time of what comes now, where the system can: the parent may be gone when it is over."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        most = math.ceil(time.process_time() + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def answers(order: dict[str, Any], compiled: Callable[[str], jinja2.Template]) -> Iterator[dict[str, Any]]:
    """One answer a job; an error of the template itself is the answer to each of them."""
    limit_time(order["seconds"])
    try:
        template = compiled(order["template"])
    except Exception as error:
        yield from [{"error": f"{type(error).__name__}: {str(error)[:QUOTED]}"}] * len(order["jobs"])
        return
    for job in order["jobs"]:
        yield render(template, {**order["variables"], **job}, order["characters"])


def main(lines: Iterable[str], write: Callable[[str], Any]) -> None:
    """Follow every order; the last template stays compiled, since most orders are about the same one."""
    sandbox = environment()
    compiled = lru_cache(maxsize=2)(sandbox.from_string)
    for number, line in enumerate(lines):
        order = json.loads(line)
        if number == 0:
            limit_memory(order["memory"])
            write("{}\n")
            continue
        if order.get("look_through"):
            write(json.dumps(looked_through(sandbox, order)) + "\n")
            continue
        sandbox.globals["strftime_now"] = datetime.fromisoformat(order["now"]).strftime
        for answer in answers(order, compiled):
            write(json.dumps(answer) + "\n")


def said(text: str) -> None:
    """To standard output, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.stdin, said)
