"""What a location that is no path means: a repository of the Hub, an address of the web, a folder of a bucket. Pure."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from modelprov.checkpoints.layouts.files import FINGERPRINT
from modelprov.errors import UsageError

ENDPOINT = "https://huggingface.co"
HUB_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
ADDRESS = re.compile(r"(?:https?|s3a?|gs|az|azure|abfss?)://", re.IGNORECASE)
SECOND = re.compile(r"(?<!^git)\s*\+\s*(?=[A-Za-z][A-Za-z0-9.-]*://)")
"""Where a second address begins, that of an adapter on the first (`hf://org/base+hf://org/adapter`)."""
INNER_SECRET = re.compile(r"//[^/@\s]+@")
"""A name and password within a path, as of an address that was put into another one."""
BUCKETS = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss"})
OTHER_KINDS = frozenset({"datasets", "spaces", "buckets", "kernels", "docs", "blog", "collections", "papers"})
LAST_PARTS = (".safetensors", ".safetensors.index.json", ".gguf", FINGERPRINT)


@dataclass(frozen=True, slots=True)
class OnHub:
    """A repository of models; `inside` is a folder or a weights file of it, "" for itself."""

    repository: str
    revision: str | None = None
    inside: str = ""


@dataclass(frozen=True, slots=True)
class OnWeb:
    """A folder or a file at an address."""

    url: str


@dataclass(frozen=True, slots=True)
class InBucket:
    """A folder or a file of an object store, as its own programs write it (`s3://bucket/folder`)."""

    url: str


def endpoint() -> str:
    """The Hub, or the mirror that `HF_ENDPOINT` names."""
    return (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")


def parse(location: str) -> OnHub | OnWeb | InBucket | None:
    """What `location` means; None for what can only be a path. `org/name` is a repository (where no such path is).

    Raises `UsageError` for an address that is none of these.
    """
    text = location.strip()
    found = SCHEME.match(text)
    if found is None:
        return _named(text) if REPOSITORY.fullmatch(text) else None
    scheme = found[1].lower()
    if scheme == "hf":
        return _hf(text)
    if scheme in BUCKETS:
        return InBucket(text.rstrip("/"))
    if scheme not in ("http", "https"):
        raise UsageError(
            f"{shown(location)!r} begins with {scheme}://, which is not read here",
            "Give a path, org/name, or an address that begins with hf://, https://, s3://, gs:// or az://.",
        )
    parts = urlsplit(text)
    if not parts.hostname:
        raise UsageError(f"{shown(location)!r} names no host", "Check the spelling.")
    own = urlsplit(endpoint())
    if parts.hostname in HUB_HOSTS or (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
        return _pasted(parts, location)
    return OnWeb(urlunsplit(parts._replace(fragment="")))


def data_set(location: str) -> OnHub | None:
    """The data set of the Hub that `hf://datasets/org/name[@revision][/folder]` or its page means; None for any other.

    Raises `UsageError` for one that names none.
    """
    text = location.strip()
    found = SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    if scheme == "hf":
        kind, _, rest = text[len("hf://") :].strip("/").partition("/")
        return _hf(f"hf://{rest}") if kind == "datasets" else None
    parts = urlsplit(text)
    own = urlsplit(endpoint())
    known = parts.hostname in HUB_HOSTS or (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
    if scheme not in ("http", "https") or not known or not parts.path.startswith("/datasets/"):
        return None
    return _pasted(parts._replace(path=parts.path.removeprefix("/datasets")), location)


def is_remote(location: str) -> bool:
    """Whether `location` is an address; `org/name` may be a path or a copy on this machine as well."""
    return SCHEME.match(location.strip()) is not None


def shown(location: str) -> str:
    """A location without what only its owner should see: passwords and signatures in addresses."""
    return "+".join(map(_shown, SECOND.split(location)))


def _shown(location: str) -> str:
    if not is_remote(location):
        return location
    try:
        parts = urlsplit(location.strip())
        host = parts.netloc.rpartition("@")[2] if not location.lower().startswith("hf://") else parts.netloc
    except ValueError:
        return location.partition("?")[0]
    path = INNER_SECRET.sub("//", parts.path)
    return urlunsplit(parts._replace(netloc=host, path=path, query="", fragment=""))


def without_secrets(word: str) -> str:
    """A word of a command, `NAME=address` too, as it may be written down."""
    found = ADDRESS.search(word)
    return word if found is None else word[: found.start()] + shown(word[found.start() :])


def canonical(location: str) -> str:
    """The same text for the same place, however it is written; what is no address and no name is a path."""
    try:
        meant = parse(location)
    except (UsageError, ValueError):
        return location
    if isinstance(meant, OnHub):
        return f"hf://{meant.repository}@{meant.revision or 'main'}/{meant.inside}".rstrip("/")
    return os.path.realpath(os.path.expanduser(location)) if meant is None else meant.url.rstrip("/")


def pinned(location: str, revision: str) -> str:
    """The same repository at `revision`, as a location; others, which have no revisions, as they are."""
    meant = parse(location)
    if not isinstance(meant, OnHub):
        return location
    if not is_remote(location):
        return f"{meant.repository}@{revision}"
    return f"hf://{meant.repository}@{revision}" + (f"/{meant.inside}" if meant.inside else "")


def name_of(location: str) -> str | None:
    """A short name for a location that is an address; None for any other."""
    if not is_remote(location):
        return None
    try:
        meant = parse(location)
    except (UsageError, ValueError):
        return None
    if isinstance(meant, OnHub):
        path = meant.inside.rstrip("/") or meant.repository
    else:
        path = unquote(urlsplit(meant.url).path).rstrip("/") if meant is not None else ""
    for last in LAST_PARTS:
        path = path.removesuffix(last)
    return path.rpartition("/")[2] or None


def _named(text: str) -> OnHub:
    repository, _, revision = text.partition("@")
    return OnHub(repository, revision or None)


def _hf(text: str) -> OnHub:
    """`hf://[models/]org/name[@revision][/folder or file]`."""
    rest = text[len("hf://") :].strip("/")
    parts = rest.split("/")
    if parts[0] in OTHER_KINDS:
        raise UsageError(f"{text!r} is no repository of a model", "Give hf://org/name.")
    parts = parts[1:] if parts[0] == "models" else parts
    if len(parts) < 2 or not all(parts[:2]):
        raise UsageError(f"{text!r} names no repository", "Give hf://org/name, hf://org/name@revision.")
    name, _, revision = parts[1].partition("@")
    inside = parts[2:]
    if revision == "refs" and len(inside) >= 2:
        revision, inside = "/".join((revision, *inside[:2])), inside[2:]
    return OnHub(f"{parts[0]}/{name}", unquote(revision) or None, _weights_or_folder("/".join(inside)))


def _pasted(parts: SplitResult, location: str) -> OnHub:
    """An address of a page of the Hub, as people copy it from their browser."""
    words = [unquote(word) for word in parts.path.split("/") if word]
    words = words[1:] if words[:1] == ["models"] else words
    words = words[2:] if words[:2] == ["api", "models"] else words
    if not words or words[0] in OTHER_KINDS:
        raise UsageError(f"{shown(location)!r} is no page of a model", "Give the address of a model's page.")
    pages = {"tree", "blob", "resolve", "raw", "commit", "commits", "discussions", "settings", "edit"}
    depth = 1 if len(words) == 1 or words[1] in pages else 2
    repository, rest = "/".join(words[:depth]), words[depth:]
    if len(rest) < 2 or rest[0] in ("discussions", "settings"):
        return OnHub(repository)
    taken = 3 if rest[1] == "refs" and len(rest) >= 4 else 1
    revision, inside = "/".join(rest[1 : 1 + taken]), "/".join(rest[1 + taken :])
    if rest[0] == "tree":
        return OnHub(repository, revision, inside)
    return OnHub(repository, revision, _weights_or_folder(inside, page=True))


def _weights_or_folder(inside: str, page: bool = False) -> str:
    """A weights file or an index as it is; of any other file on a page its folder is meant."""
    if inside.endswith(LAST_PARTS) or not page:
        return inside
    return inside.rpartition("/")[0]
