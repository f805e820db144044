"""What licences of model cards ask for, in a small table. Facts about texts only: no judgement, and no legal advice.

Identifiers are those of the Hugging Face hub's list (docs: "Licenses"), which are SPDX's in small letters plus names of
its own. What each text asks of someone who passes on a changed version was taken from:

- permissive and GNU licences: the data of choosealicense.com (`include-copyright`, `same-license`, ...) and the texts:
  MIT and BSD, the paragraph after the grant; Apache-2.0, section 4; GPL-3.0 and AGPL-3.0, sections 5 and 13;
- what goes with the GNU licences: the FSF's "Various Licenses and Comments about Them" (Apache-2.0 goes with version 3
  and not with version 2);
- Creative Commons: sections 2 and 3 of each licence, the FAQ's chart of adapter's licences, and "Compatible Licenses"
  (BY-SA 4.0 to GPL-3.0, one way);
- Llama community agreements, section 1.b: the agreement goes with every derivative; from Llama 3 on "Built with Llama"
  and a name that begins with Llama;
- Gemma Terms of Use, section 3.1, and the OpenRAIL-M family, section 4 or 5 (distribution): the use restrictions go, as
  an enforceable provision, into whatever terms a derivative is under;
- Qwen licence agreements: a copy of the agreement and a statement of changes; the research one is non-commercial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Passing = Literal["nothing", "notice", "agreement", "restrictions"]


@dataclass(frozen=True)
class Terms:
    """What a licence asks of a changed version that is passed on.

    `passing`: nothing; a notice (copyright, licence text, changes); a copy of its own agreement; or its restrictions on
    use as part of the new terms. `same`: share-alike, the new version has to be under one of these (None: any licence);
    `strict` says that the list is complete, so that another one contradicts the text.
    """

    identifier: str
    name: str
    asks: str
    passing: Passing = "notice"
    same: tuple[str, ...] | None = None
    strict: bool = True
    non_commercial: bool = False
    no_derivatives: bool = False
    custom: bool = False


NOTICE = "keep the copyright notice and the licence text with every copy"
ATTRIBUTION = "name the author, keep notices, link the licence, and say what was changed"


def _permissive(*licences: tuple[str, str]) -> list[Terms]:
    return [Terms(identifier, name, NOTICE) for identifier, name in licences]


def _free(*licences: tuple[str, str]) -> list[Terms]:
    return [Terms(identifier, name, "nothing", "nothing") for identifier, name in licences]


def _creative_commons() -> list[Terms]:
    found = []
    for version in ("2.0", "2.5", "3.0", "4.0"):
        later = [one for one in ("2.0", "2.5", "3.0", "4.0") if one >= version]
        for kind in ("by", "by-sa", "by-nc", "by-nc-sa", "by-nd", "by-nc-nd"):
            same = tuple(f"cc-{kind}-{one}" for one in later) if kind.endswith("sa") else None
            if same is not None and kind == "by-sa":
                same += ("gpl-3.0",)
            found.append(
                Terms(
                    f"cc-{kind}-{version}",
                    f"CC {kind.upper()} {version}",
                    ATTRIBUTION,
                    same=same,
                    non_commercial="nc" in kind,
                    no_derivatives="nd" in kind,
                )
            )
    return found


def _reciprocal(identifier: str, name: str, *same: str, strict: bool = False) -> Terms:
    asks = f"put changed versions under {name} again" if strict else f"put changed parts under {name} again"
    return Terms(identifier, name, asks, same=(identifier, *same), strict=strict)


def _llama() -> list[Terms]:
    old = "pass on the agreement and its attribution notice"
    new = f'{old}, show "Built with Llama", and begin the model\'s name with Llama'
    return [
        Terms("llama2", "Llama 2 Community License", old, "agreement", custom=True),
        *(
            Terms(f"llama{version}", f"Llama {version} Community License", new, "agreement", custom=True)
            for version in ("3", "3.1", "3.2", "3.3", "4")
        ),
    ]


def _restricting(*licences: tuple[str, str]) -> list[Terms]:
    asks = "pass on the agreement, and put its restrictions on use into the terms of every derivative"
    return [Terms(identifier, name, asks, "restrictions", custom=True) for identifier, name in licences]


TABLE = {
    one.identifier: one
    for one in (
        Terms("apache-2.0", "Apache-2.0", "keep the licence, copyright and NOTICE texts, and say what was changed"),
        *_permissive(
            ("mit", "MIT"), ("bsd", "BSD"), ("bsd-2-clause", "BSD-2-Clause"), ("bsd-3-clause", "BSD-3-Clause"),
            ("bsd-3-clause-clear", "BSD-3-Clause-Clear"), ("isc", "ISC"), ("ncsa", "NCSA"),
            ("postgresql", "PostgreSQL"), ("afl-3.0", "AFL-3.0"), ("ecl-2.0", "ECL-2.0"), ("zlib", "zlib"),
            ("bsl-1.0", "BSL-1.0"), ("artistic-2.0", "Artistic-2.0"),
        ),
        *_free(
            ("cc0-1.0", "CC0 1.0"), ("unlicense", "Unlicense"), ("wtfpl", "WTFPL"), ("pddl", "PDDL"), ("0bsd", "0BSD"),
        ),
        *_creative_commons(),
        _reciprocal("gpl-3.0", "GPL-3.0", "agpl-3.0", strict=True),
        _reciprocal("agpl-3.0", "AGPL-3.0", strict=True),
        _reciprocal("gpl-2.0", "GPL-2.0"),
        _reciprocal("lgpl-3.0", "LGPL-3.0", "gpl-3.0", "agpl-3.0"),
        _reciprocal("lgpl-2.1", "LGPL-2.1", "gpl-2.0", "gpl-3.0", "agpl-3.0"),
        _reciprocal("mpl-2.0", "MPL-2.0", "gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "agpl-3.0"),
        _reciprocal("epl-2.0", "EPL-2.0"),
        _reciprocal("eupl-1.2", "EUPL-1.2"),
        _reciprocal("osl-3.0", "OSL-3.0"),
        *_llama(),
        *_restricting(
            ("gemma", "Gemma Terms of Use"), ("openrail", "OpenRAIL"), ("openrail++", "OpenRAIL++-M"),
            ("bigscience-openrail-m", "BigScience OpenRAIL-M"), ("creativeml-openrail-m", "CreativeML OpenRAIL-M"),
            ("bigscience-bloom-rail-1.0", "BigScience BLOOM RAIL 1.0"), ("bigcode-openrail-m", "BigCode OpenRAIL-M"),
        ),
        Terms(
            "qwen", "Qwen License Agreement", "pass on the agreement and say what was changed", "agreement",
            custom=True,
        ),
        Terms(
            "qwen-research", "Qwen Research License", "pass on the agreement and say what was changed", "agreement",
            non_commercial=True, custom=True,
        ),
        Terms(
            "fair-noncommercial-research-license", "FAIR Noncommercial Research License", "pass on the agreement",
            "agreement", non_commercial=True, custom=True,
        ),
    )
}  # fmt: skip
ALIASES = {
    "apache": "apache-2.0", "apache2": "apache-2.0", "apache-2": "apache-2.0", "apache2.0": "apache-2.0",
    "apache-license-2.0": "apache-2.0", "mit-license": "mit", "tongyi-qianwen": "qwen", "qwen-license": "qwen",
    "cc0": "cc0-1.0", "gpl-3": "gpl-3.0", "agpl-3": "agpl-3.0", "llama-2": "llama2", "llama-3": "llama3",
    "llama-3.1": "llama3.1", "llama-3.2": "llama3.2", "llama-3.3": "llama3.3", "llama-4": "llama4",
}  # fmt: skip
SAYS_NOTHING = {"other", "unknown", "cc", "gpl", "lgpl", "none", "proprietary", ""}
"""Identifiers that do not say which licence it is."""
