"""Renders a template that stands alone, with a budget of its own, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelprov.behavior.templates.rendering import Limits, Rendered, Renderer


def render_all(
    template: str, jobs: Sequence[Mapping[str, Any]], variables: Mapping[str, Any] | None = None, *,
    limits: Limits | None = None, **named: Any,
) -> list[Rendered]:  # fmt: skip
    """What `Renderer.render` gives."""
    return (Renderer() if limits is None else Renderer(limits)).render(template, jobs, variables, **named)
