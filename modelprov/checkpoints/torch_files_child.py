"""The child process that says what lies where in files of torch.save, in a limit of memory; runs no code of theirs.

Stands alone (it is started by its path, isolated, without the environment of the parent) and imports nothing of
modelprov. Reads JSON objects, one a line: first the limit of memory beyond what torch itself takes, then the path of a
file; writes for each what its tensors are, as `{"tensors": [[name, format, shape, first byte, byte behind]], ...}`, or
`{"refused": why}`. The pickle inside is read by torch's `weights_only` reader, which builds tensors and plain data and
calls nothing else; the weights are mapped and not looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
import re
import struct
import sys
import zipfile
from collections.abc import Mapping
from typing import Any

import torch

SAFE_SINCE = (2, 6)
"""Before, the reader could be made to run code (CVE-2025-32434)."""
LONGEST_PICKLE = 100_000_000
LOCAL_HEADER = 30
HELD = ("state_dict", "model_state_dict", "model", "module")
"""Where training programs keep the weights, when they save more than those."""
FORMATS = {
    torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32", torch.float64: "F64", torch.bool: "BOOL",
    torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16", torch.int32: "I32", torch.int64: "I64",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2", torch.float8_e4m3fnuz: "F8_E4M3FNUZ",
    torch.float8_e5m2fnuz: "F8_E5M2FNUZ", torch.complex64: "C64",
}  # fmt: skip
BEGIN: list[int] = []


class RefusedError(Exception):
    """The file is not what can be read; the words say why."""


def limit_memory(memory: int) -> None:
    """Bound what this process may take beyond what it has (bytes), and let it write no files, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        with open("/proc/self/statm") as file:
            memory += int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def note_where_files_begin() -> None:
    """Let torch's own mapping of a file leave its address in `BEGIN`: tensors then say where in the file they lie."""
    mapped = torch.UntypedStorage.from_file

    def noting(*given: Any, **named: Any) -> Any:
        storage = mapped(*given, **named)
        BEGIN.append(storage.data_ptr())
        return storage

    torch.UntypedStorage.from_file = noting


def records_of(path: str) -> tuple[set[tuple[int, int]], str]:
    """The stored records of the archive as (first byte, byte behind), and the SHA-256 of its pickle."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        found, digest = set(), ""
        for entry in archive.infolist():
            name = entry.filename.partition("/")[2]
            if name == "data.pkl":
                if entry.file_size > LONGEST_PICKLE:
                    raise RefusedError(f"its pickle has {entry.file_size:,} bytes, more than any model's")
                digest = hashlib.sha256(archive.read(entry)).hexdigest()
            elif name == "byteorder" and archive.read(entry) != b"little":
                raise RefusedError("its numbers are big-endian")
            elif name.startswith("data/"):
                if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                    raise RefusedError("its weights are compressed or encrypted, as torch.save never writes them")
                file.seek(entry.header_offset)
                name_length, extra_length = struct.unpack("<26xHH", file.read(LOCAL_HEADER))
                start = entry.header_offset + LOCAL_HEADER + name_length + extra_length
                found.add((start, start + entry.file_size))
    if not digest:
        raise RefusedError("it is an archive without data.pkl, not one of torch.save")
    return found, digest


def described(path: str) -> dict[str, Any]:
    """What the file at `path` holds."""
    records, digest = records_of(path)
    BEGIN.clear()
    loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not BEGIN:
        raise RefusedError(f"torch {torch.__version__} does not map it")
    weights, where, left = weights_in(loaded)
    tensors = [[name, *placed(name, tensor, records, BEGIN[0])] for name, tensor in weights.items()]
    return {"tensors": tensors, "digest": digest, "where": where, "left": left}


def weights_in(loaded: Any) -> tuple[dict[str, torch.Tensor], str, list[str]]:
    """The tensors by name, the key that they stood under, and the keys beside it under which tensors stand, too."""
    if not isinstance(loaded, Mapping):
        raise RefusedError(f"it holds a {type(loaded).__name__}, not tensors by name")
    named = tensors_of(loaded)
    inner = [key for key, value in loaded.items() if isinstance(value, Mapping) and tensors_of(value)]
    if named or not inner:
        return named, "", [str(key) for key in inner]
    held = [key for key in HELD if key in inner] or inner
    if len(held) > 1 and held[0] not in HELD:
        raise RefusedError(f"it holds several tables of tensors ({', '.join(map(str, held[:5]))})")
    return tensors_of(loaded[held[0]]), str(held[0]), [str(key) for key in inner if key != held[0]]


def tensors_of(table: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    """The entries that are tensors."""
    return {str(key): value for key, value in table.items() if isinstance(value, torch.Tensor)}


def placed(name: str, tensor: torch.Tensor, records: set[tuple[int, int]], begin: int) -> tuple[Any, ...]:
    """Format, shape, first byte and byte behind of a tensor, which lies inside one record as a whole."""
    known = tensor.layout is torch.strided and tensor.dtype in FORMATS and tensor.device.type == "cpu"
    if not known or tensor.is_conj() or tensor.is_neg():
        raise RefusedError(
            f"tensor {name!r:.200} is stored as {tensor.dtype}, {tensor.layout}, on {tensor.device.type}"
        )
    if not tensor.is_contiguous():
        raise RefusedError(f"tensor {name!r:.200} is stored in strides {tensor.stride()}, for instance transposed")
    size = tensor.numel() * tensor.element_size()
    if not size:
        return FORMATS[tensor.dtype], list(tensor.shape), 0, 0
    storage = tensor.untyped_storage()
    first = storage.data_ptr() - begin
    if (first, first + storage.nbytes()) not in records:
        raise RefusedError(f"tensor {name!r:.200} does not lie where the archive says")
    start = first + tensor.storage_offset() * tensor.element_size()
    if not first <= start <= start + size <= first + storage.nbytes():
        raise RefusedError(f"tensor {name!r:.200} is larger than what is stored of it")
    return FORMATS[tensor.dtype], list(tensor.shape), start, start + size


def answered(path: str) -> dict[str, Any]:
    """`described`, or why not; whatever a file brings about is its own fault."""
    try:
        return described(path)
    except RefusedError as error:
        return {"refused": str(error)}
    except pickle.UnpicklingError as error:
        wanted = re.search(r"(?:GLOBAL|unsupported class|global:?) ([\w.]+\.[\w.]+)", str(error))
        more = f"asks for {wanted[1]:.100}" if wanted else "asks for more than tensors and plain data"
        return {"refused": f"its pickle {more}, which is never given (torch.load, weights_only)", "code": True}
    except (Exception, MemoryError, RecursionError) as error:
        return {"refused": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:500]}


def main() -> None:
    """Describe file after file."""
    version = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    note_where_files_begin()
    for number, line in enumerate(sys.stdin):
        order = json.loads(line)
        if number == 0:
            limit_memory(order["memory"])
            answer: dict[str, Any] = {}
        elif version < SAFE_SINCE:
            answer = {"refused": f"torch {torch.__version__} can be made to run code by such a file; 2.6 cannot"}
        else:
            answer = answered(order["path"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
