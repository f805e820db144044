"""A recipe's plain data as YAML. Knows no recipe."""

from __future__ import annotations

from typing import Any

import yaml

OTHER_BREAKS = frozenset("\x85\u2028\u2029")


class _Writer(yaml.SafeDumper):
    """Writes text with line breaks that only YAML knows (such as U+2028) so that they are read back as they are."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Text, in quotation marks with escapes where it holds one of them."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, '"' if set(text) & OTHER_BREAKS else None)


_Writer.add_representer(str, _Writer.represent_text)


def yaml_of(data: dict[str, Any]) -> str:
    """The text that a reader of YAML takes for these data, keys in their order."""
    return yaml.dump(data, Dumper=_Writer, sort_keys=False, allow_unicode=True)
