"""`modelprov serve`: parses, listens, and lets the application answer until it is stopped."""

from __future__ import annotations

import socket

from modelprov.cli.options import serve as options
from modelprov.cli.options import shared
from modelprov.cli.terminal import say
from modelprov.errors import UsageError


def serve(
    models: options.Models = None, host: options.Host = "127.0.0.1", port: options.Port = 8642,
    allow_network: options.AllowNetwork = False, upload_limit: options.UploadLimit = options.UPLOAD_LIMIT,
    memory: shared.Memory = shared.MEMORY, threads: shared.Threads = None, open_it: options.Open = False,
) -> None:  # fmt: skip
    """Show a page in the browser to read and combine reports, and to compare models of a folder.

    Drop what --json of a command wrote: one report is shown; those of compare, check, probe and eval about one model
    make one page, as `modelprov report combine` does. With --models DIR, name a model and its possible parents there
    and watch the run: one at a time, in a process of its own that can be stopped.

    The page listens on this machine only, fetches nothing without --allow-network, and keeps no report on disk. It has
    no password: to use it from elsewhere, forward the port (ssh -L 8642:127.0.0.1:8642 HOST) instead of another --host.
    Ctrl-C ends it, and a run with it.

    Example: modelprov serve --models ./modelprov-demo --open
    """
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn
    except ModuleNotFoundError as error:
        raise UsageError(
            f"serve needs {error.name}, which is not installed", "Install it with: pip install 'modelprov[serve]'."
        ) from error
    from modelprov.serve.app import Settings, make
    from modelprov.serve.gate import is_loopback

    if models is not None and not models.is_dir():
        raise UsageError(f"{models} is no folder", "Give the folder that holds folders of models.")
    if models is not None and "+" in str(models.resolve()):
        raise UsageError(
            f"{models} has a + in its path, which parts BASE+ADAPTER", "Move or rename it: links are followed."
        )
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    made = make(Settings(host, port, models, allow_network, upload_limit, memory, threads))
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    say(f"{address} (Ctrl-C ends it)")
    if not is_loopback(host):
        say("warning: whoever reaches this address can read the reports on the page and start runs; it has no password")
    if open_it:
        _open(address)
    server = uvicorn.Server(uvicorn.Config(made, log_level="warning", server_header=False, limit_concurrency=64))
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:  # how it is meant to end
        return


def _listen(host: str, port: int) -> socket.socket:
    if host in ("", "0.0.0.0", "::"):
        raise UsageError(
            f"{host or 'an empty host'} stands for every address", "Give the one that browsers will call it by."
        )
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}", "Choose another --port, or 0 for any."
        ) from error


def _open(address: str) -> None:
    import os
    import sys
    import webbrowser

    from modelprov.reports.opening import has_browser

    if has_browser(os.environ, sys.platform):
        webbrowser.open(address)
