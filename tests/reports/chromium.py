"""Headless Chromium over its debugging pipe: loads pages of ours, measures, prints. No port, no profile, no network."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60.0


def program() -> str | None:
    """Where Chromium is, if it is installed."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)


class Browser:
    """One page of a running Chromium."""

    def __init__(self, writing: int, reading: int) -> None:
        self.writing, self.reading, self.number, self.session, self.waiting = writing, reading, 0, None, b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of a command of the DevTools protocol."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        return self._until(lambda said: said.get("id") == self.number)["result"]

    def load(self, page: Path | str, width: int, *, media: str = "screen", scheme: str = "light") -> None:
        """Show a file, or the page at an address, in a window of this width."""
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        self.number += 1
        address = page if isinstance(page, str) else page.resolve().as_uri()
        message = {"id": self.number, "method": "Page.navigate", "params": {"url": address}}
        os.write(self.writing, json.dumps(message | {"sessionId": self.session}).encode() + b"\0")
        self._until(lambda said: said.get("method") == "Page.loadEventFired")

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives; the page itself runs no script."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def pdf(self) -> bytes:
        """The page printed on A4, by its own style for print."""
        self.call("Emulation.setEmulatedMedia", media="print")
        size = {"paperWidth": 8.27, "paperHeight": 11.69}
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=False, **size)["data"])

    def screenshot(self, height: int | None = None) -> bytes:
        """The whole page, or its top, as PNG."""
        box = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": box["width"], "height": height or box["height"], "scale": 1}
        return base64.b64decode(self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"])

    def _until(self, wanted: Any) -> Any:
        """The first message of this kind; the others are passed over."""
        end = time.monotonic() + PATIENCE
        while True:
            while b"\0" in self.waiting:
                line, self.waiting = self.waiting.split(b"\0", 1)
                said = json.loads(line)
                assert "error" not in said, said
                if wanted(said):
                    return said
            ready, _, _ = select.select([self.reading], [], [], max(0.0, end - time.monotonic()))
            assert ready, "Chromium did not answer"
            received = os.read(self.reading, 1 << 20)
            assert received, "Chromium is gone"
            self.waiting += received


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium that is gone afterwards, with its profile."""
    found = program()
    assert found is not None
    pairs = [os.pipe(), os.pipe()]
    (its_reading, writing), (reading, its_writing) = (tuple(_high(end) for end in pair) for pair in pairs)

    def as_chromium_wants() -> None:  # it reads from 3 and writes to 4
        os.dup2(its_reading, 3)
        os.dup2(its_writing, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        running = subprocess.Popen(
            [found, *FLAGS, f"--user-data-dir={profile}", "about:blank"], preexec_fn=as_chromium_wants,  # noqa: PLW1509
            close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(its_reading)
        os.close(its_writing)
        try:
            yield Browser(writing, reading)
        finally:
            os.close(writing)  # Chromium ends when its pipe does
            os.close(reading)
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def _high(end: int) -> int:
    """The same end under a number that cannot be 3 or 4."""
    found = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(end)
    return found
