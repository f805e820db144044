"""One cache and several processes, and a disk that takes no more: what each finds there is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelprov.checkpoints.remote.cache import BlockCache

WRITE = """
import sys
from pathlib import Path
from modelprov.checkpoints.remote.cache import BlockCache
pieces, wrong = BlockCache(Path(sys.argv[1]), 300_000), 0
for turn in range(3):
    for number in range(60):
        own = bytes([number]) * 5000
        found = pieces.get("file", number * 5000, number * 5000 + 5000)
        wrong += found not in (None, own)
        pieces.put("file", number * 5000, own)
print(wrong)
"""
FULL = """
import resource, signal, sys
from pathlib import Path
from modelprov.checkpoints.remote.cache import BlockCache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # the system refuses what is beyond, as on a full disk
pieces = BlockCache(Path(sys.argv[1]), 10_000_000)
pieces.put("file", 0, bytes(2000))
pieces.put("file", 5000, bytes(5000))
print(pieces.get("file", 0, 2000) == bytes(2000), pieces.get("file", 5000, 10_000))
"""


def test_processes_share_a_cache_and_find_whole_pieces_or_none(tmp_path: Path) -> None:
    folder = tmp_path / "pieces"
    running = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(folder)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]  # fmt: skip
    assert [process.communicate(timeout=60)[0].strip() for process in running] == ["0"] * 3
    assert all(process.returncode == 0 for process in running)
    assert not list(folder.glob("*/.piece-*"))
    assert sum(path.stat().st_size for path in folder.glob("*/*")) <= 300_000 + 3 * 20_000  # each looks now and then
    kept = [BlockCache(folder, 300_000).get("file", number * 5000, number * 5000 + 5000) for number in range(60)]
    assert sum(piece is not None for piece in kept) > 20


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX's")
def test_what_the_disk_refuses_is_not_kept_and_ends_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "pieces"
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.split() == ["True", "None"]
    assert len(list(folder.glob("*/*"))) == 1
    assert not list(folder.glob("*/.piece-*"))
