"""What reading checkpoints over a network costs, by latency; and which HTTP client is the cheapest for ranges.

Run: `python -m benchmarks.remote [--json FILE] [--delays 0 50]`, delays in milliseconds. Everything is on this machine:
a server that imitates the Hub and its CDN with a delay before every answer (`tests/checkpoints/remote/hub.py`), and one
of ranges behind TLS. So wall times hold the delay and this machine's work, and say nothing of anybody's bandwidth.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import http.client
import ipaddress
import json
import multiprocessing
import os
import random
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelprov.demo.family import Family, build_family
from tests.checkpoints.remote.hub import Hub, serving

REQUESTS, SIZE, THREADS = 600, 16 << 10, 16
CONTENT = bytes(range(256)) * (1 << 15)
TOLD = re.compile(r"fetched (.+)")


def certificate(folder: Path) -> Path:
    """A certificate of this machine's own, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = folder / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *form)
    )
    return path


def serve(delay: float, certificate_file: str, port: Any) -> None:
    """Answer ranges behind TLS, each after the delay, until this process is ended."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            start, stop = map(int, re.search(rb"[Rr]ange: bytes=(\d+)-(\d+)", head).groups())  # type: ignore[union-attr]
            await asyncio.sleep(delay)
            body = CONTENT[start : stop + 1]
            said = b"Content-Length: %d\r\nContent-Range: bytes %d-%d/%d" % (len(body), start, stop, len(CONTENT))
            writer.write(b"HTTP/1.1 206 Partial Content\r\n" + said + b"\r\n\r\n" + body)

    async def run() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_file)
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        port.put(server.sockets[0].getsockname()[1])
        async with server:
            await server.serve_forever()

    asyncio.run(run())


def clients(port: int, context: ssl.SSLContext) -> dict[str, Callable[[int], bytes]]:
    """Ways to ask for the range that begins at a byte; each thread has its connection."""
    import httpx2
    import urllib3

    url, own = f"https://127.0.0.1:{port}/x", threading.local()
    pool = urllib3.PoolManager(maxsize=THREADS, ssl_context=context)
    client = httpx2.Client(verify=context, limits=httpx2.Limits(max_connections=THREADS))

    def header(start: int) -> dict[str, str]:
        return {"Range": f"bytes={start}-{start + SIZE - 1}"}

    def plain(start: int) -> bytes:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
        own.connection.request("GET", "/x", headers=header(start))
        found: bytes = own.connection.getresponse().read()
        return found

    return {
        "http.client": plain,
        "urllib3 (what is used)": lambda start: pool.request("GET", url, headers=header(start), redirect=False).data,
        "httpx2 (huggingface_hub's)": lambda start: client.get(url, headers=header(start)).content,
    }


def measure_clients(delay: float, folder: Path) -> list[dict[str, Any]]:
    """Wall and processor seconds of each client for the same ranges."""
    file, port = certificate(folder), multiprocessing.get_context("spawn").Queue()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(delay, str(file), port), daemon=True)
    server.start()
    rows = []
    try:
        context = ssl.create_default_context(cafile=str(file))
        for name, get in clients(port.get(timeout=60), context).items():
            starts = [random.Random(number).randrange(len(CONTENT) - SIZE) for number in range(REQUESTS)]
            wall, cpu = time.perf_counter(), time.process_time()
            with ThreadPoolExecutor(THREADS) as threads:
                right = all(threads.map(lambda at, get=get: get(at) == CONTENT[at : at + SIZE], starts))
            row = {"client": name, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "right": right}
            rows.append(row | {"delay": delay})
    finally:
        server.terminate()
    return rows


def measure_compare(delay: float, family: Family, folder: Path) -> list[dict[str, Any]]:
    """A sampled comparison of three repositories, with an empty cache and again with what it left."""
    state, rows = Hub(delay=delay), []
    for name in ("rio", "nex", "qwen"):
        state.add(f"org/{name}", family.folder / name)
    with serving(state):
        more = {"HF_ENDPOINT": state.hub, "MODELPROV_CACHE": str(folder / f"ranges-{delay}"), "HF_HUB_OFFLINE": "0"}
        for cache in ("empty", "warm"):
            before, began = len(state.seen), time.perf_counter()
            words = [sys.executable, "-m", "modelprov", "compare", "org/rio", "org/nex", "org/qwen", "--json", "-"]
            ran = subprocess.run(words, env=os.environ | more, capture_output=True, text=True, check=False)
            told = TOLD.search(ran.stderr)
            row = {"delay": delay, "cache": cache, "wall": time.perf_counter() - began, "exit": ran.returncode}
            rows.append(row | {"requests": len(state.seen) - before, "told": told[1] if told else ran.stderr[-300:]})
    return rows


def main() -> None:
    """Measure, print, and keep what was asked to be kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--delays", type=float, nargs="+", default=[0.0, 50.0], help="milliseconds")
    asked = parser.parse_args()
    found: dict[str, Any] = {"clients": [], "compare": []}
    with TemporaryDirectory() as name:
        folder = Path(name)
        family = build_family(folder / "family", 0)
        for delay in (each / 1000 for each in asked.delays):
            found["clients"] += measure_clients(delay, folder)
            found["compare"] += measure_compare(delay, family, folder)
    for row in found["clients"]:
        print(f"{1000 * row['delay']:4.0f} ms  {row['client']:28s} wall {row['wall']:5.2f} s  cpu {row['cpu']:5.2f} s")
    for row in found["compare"]:
        print(f"{1000 * row['delay']:4.0f} ms  compare, cache {row['cache']}: {row['wall']:.1f} s, {row['told']}")
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
