"""A server that imitates the Hub and its CDN, on two ports of this machine: files in memory, faults by request.

What it imitates was read from the Hub's own answers and from huggingface_hub: a redirect to a signed location, the
commit and the linked size and etag in the headers, errors by `X-Error-Code`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = r"(?:datasets/)?[^/]+/[^/]+"
RANGE = re.compile(r"bytes=(\d+)-(\d+)")
Fault = Callable[["Request"], bool]


@dataclass
class Request:
    """One request as a fault sees it; `number` counts those for the same file on the same port."""

    handler: Any
    port: str
    name: str
    number: int
    start: int
    stop: int
    content: bytes

    def answer(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bool:
        """Send this instead."""
        self.handler.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | dict(headers or {})).items():
            self.handler.send_header(key, value)
        self.handler.end_headers()
        self.handler.wfile.write(body)
        return True


@dataclass
class Hub:
    """Repositories by name (data sets as `datasets/org/name`), each its files; `seen` has (port, path, token)."""

    repositories: dict[str, dict[str, Any]] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    refused: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """What the next questions to the Hub, not to its CDN, are answered with."""
    token: str | None = None
    fault: Fault | None = None
    delay: float = 0.0
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    sent: int = 0
    good: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    hub: str = ""
    cdn: str = ""

    def add(self, name: str, folder: Path) -> None:
        """Publish the files of a folder."""
        self.repositories[name] = {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }

    def commit(self, name: str) -> str:
        return self.commits.get(name, COMMIT)

    def ranges(self, port: str = "cdn") -> int:
        return sum(where == port for where, _, _ in self.seen)


def large(content: bytes) -> bool:
    """Whether a file is kept as the Hub keeps large ones."""
    return len(content) > 2000


def digest(content: Any) -> str:
    """SHA-256; of content that is computed when it is asked for what stands for that."""
    return str(getattr(content, "digest", None) or hashlib.sha256(content).hexdigest())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    state: Hub
    port: str

    def log_message(self, *_: Any) -> None: ...

    def reply(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | dict(headers)).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status: int, code: str) -> None:
        self.reply(status, {"X-Error-Code": code, "X-Error-Message": code})

    def note(self) -> None:
        with self.state.lock:
            self.state.seen.append((self.port, self.path, self.headers.get("Authorization")))
        if self.state.delay:
            time.sleep(self.state.delay)


class _HubHandler(_Handler):
    def do_HEAD(self) -> None:
        self.note()
        parts = urlsplit(self.path)
        path = parts.path.replace("/api/models/", "/api/", 1)
        api = re.fullmatch(rf"/api/({NAME})(?:/revision/(.+))?", path)
        file = re.fullmatch(rf"/({NAME})/resolve/([^/]+)/(.+)", path)
        found = api or file
        if found is None:
            self.error(404, "EntryNotFound")
            return
        name, revision = found[1], unquote(found[2] or "main")
        if self.state.refusals:
            self.reply(*self.state.refusals.pop(0))
            return
        if name in self.state.refused:
            status, headers = self.state.refused[name]
            self.reply(status, headers)
            return
        if self.state.token is not None and self.headers.get("Authorization") != f"Bearer {self.state.token}":
            self.error(401, "RepoNotFound")
            return
        if name not in self.state.repositories:
            self.error(404, "RepoNotFound")
            return
        commit = self.state.commit(name)
        if revision not in ("main", commit, "v1"):
            self.error(404, "RevisionNotFound")
            return
        files = self.state.repositories[name]
        if api:
            siblings = [
                {"rfilename": key, "size": len(value), "blobId": digest(value)[:40]}
                | (
                    {"lfs": {"size": len(value), "sha256": digest(value), "pointerSize": 1}}
                    if len(value) > 2000
                    else {}
                )
                for key, value in files.items()
            ]
            body = json.dumps({"id": name, "sha": commit, "siblings": siblings}).encode()
            self.reply(200, {"Content-Type": "application/json"}, body)
            return
        key = unquote(found[3])
        if key not in files:
            self.error(404, "EntryNotFound")
            return
        content = files[key]
        said = {"X-Repo-Commit": commit, "ETag": f'"{digest(content)}"'}
        if large(content):
            linked = {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{digest(content)}"'}
            signed = f"{self.state.cdn}/{name}/{key}?Signature={self.state.good}"
            self.reply(302, said | linked | {"Location": signed})
        elif self.command == "HEAD":
            self.send_response(200)
            for header, value in (said | {"Content-Length": str(len(content))}).items():
                self.send_header(header, value)
            self.end_headers()
        else:
            answer(self, "hub", key, content, said)

    do_GET = do_HEAD  # noqa: N815

    def do_POST(self) -> None:
        """Commits to data sets: all files inside the request, as the Hub takes small ones."""
        self.note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        found = re.fullmatch(r"/api/(datasets/[^/]+/[^/]+)/(preupload|commit)/main", urlsplit(self.path).path)
        if found is None or found[1] not in self.state.repositories:
            self.error(404, "RepoNotFound")
        elif self.headers.get("Authorization") != f"Bearer {self.state.token}":
            self.error(403, "")
        elif found[2] == "preupload":
            asked = [each["path"] for each in json.loads(body)["files"]]
            answered = [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in asked]
            self.reply(200, {"Content-Type": "application/json"}, json.dumps({"files": answered}).encode())
        else:
            self.commit(found[1], [json.loads(line) for line in body.splitlines()])

    def commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        """Take the files of a commit, if it stands on the last one."""
        head, *files = [line["value"] for line in lines]
        if head["parentCommit"] != self.state.commit(name):
            self.error(412, "")
            return
        self.state.repositories[name] |= {each["path"]: base64.b64decode(each["content"]) for each in files}
        commit = self.state.commits[name] = hashlib.sha1(self.state.commit(name).encode()).hexdigest()
        told = {"commitUrl": f"{self.state.hub}/{name}/commit/{commit}", "commitOid": commit, "success": True}
        self.reply(200, {"Content-Type": "application/json"}, json.dumps(told).encode())


class _CdnHandler(_Handler):
    def do_GET(self) -> None:
        self.note()
        parts = urlsplit(self.path)
        name, key = (unquote(part) for part in re.fullmatch(rf"/({NAME})/(.+)", parts.path).groups())  # type: ignore[union-attr]
        content = self.state.repositories.get(name, {}).get(key)
        if content is None:
            self.reply(404, {})
        elif parse_qs(parts.query).get("Signature", [str(self.state.good)]) != [str(self.state.good)]:
            self.reply(403, {})
        else:
            answer(self, "cdn", key, content, {"ETag": f'"{digest(content)[:20]}"'})


def answer(handler: Any, port: str, key: str, content: bytes, headers: Mapping[str, str]) -> None:
    """The range that was asked for, unless a fault sends something else."""
    state: Hub = handler.state
    asked = RANGE.fullmatch(handler.headers.get("Range", ""))
    start, stop = (int(asked[1]), min(int(asked[2]) + 1, len(content))) if asked else (0, len(content))
    number = sum(where == port and key in path for where, path, _ in state.seen)
    if state.fault is not None and state.fault(Request(handler, port, key, number, start, stop, content)):
        return
    with state.lock:
        state.sent += stop - start
    if start >= len(content):
        handler.reply(416, {"Content-Range": f"bytes */{len(content)}"})
        return
    span = f"bytes {start}-{stop - 1}/{len(content)}"
    handler.reply(206 if asked else 200, {**headers, "Content-Range": span}, content[start:stop])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None: ...


@contextmanager
def serving(state: Hub) -> Iterator[Hub]:
    """The hub and its CDN on free ports; their addresses are in `state`."""
    servers = []
    for port, base in (("hub", _HubHandler), ("cdn", _CdnHandler)):
        handler = type(base.__name__, (base,), {"state": state, "port": port})
        servers.append(_Server(("127.0.0.1", 0), handler))
        setattr(state, port, f"http://{'127.0.0.1' if port == 'hub' else 'localhost'}:{servers[-1].server_port}")
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield state
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
