"""What a file is instead, when it should hold weights or JSON and does not: told from its first bytes. Reads nothing.

A login page, a pointer to a file that was never fetched, an archive: read as a safetensors header, any of them claims
a length of billions of bytes, which tells nobody what went wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted

HEAD_BYTES = 4096
"""As much of a file's beginning as `what_it_is` looks at."""

FETCH = "Fetch the file itself: "
AGAIN = "Download the file again."
LOG_IN = "Download the file again, logged in if the model is gated (`hf auth login`), and look at it before you use it."
CONVERT = (
    "Convert it to safetensors in a place you trust, e.g. with transformers: "
    "`AutoModelForCausalLM.from_pretrained(folder).save_pretrained(new_folder)`."
)
FROM_KERAS = "Convert it to safetensors, e.g. with transformers 4: `AutoModel.from_pretrained(folder, from_tf=True)`."
FROM_FLAX = "Convert it to safetensors, e.g. with transformers 4: `AutoModel.from_pretrained(folder, from_flax=True)`."
OTHER_KINDS = {
    ".distcp": (
        "a distributed checkpoint of PyTorch (DCP)",
        "Make one file of it: `python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER model.pt`.",
    ),
    ".onnx": (
        "ONNX, a graph in which weights are folded and renamed",
        "Give the weights that it was exported from.",
    ),
    ".onnx_data": (
        "the weights of an ONNX graph, folded and renamed", "Give the weights that it was exported from."
    ),
    ".h5": ("weights of Keras (HDF5)", FROM_KERAS),
    ".keras": ("weights of Keras", FROM_KERAS),
    ".msgpack": ("weights of Flax", FROM_FLAX),
    ".tflite": ("a TFLite model", "Give the weights that it was converted from."),
    ".npz": ("arrays of NumPy", "Convert them: `safetensors.numpy.save_file(dict(numpy.load(path)), new)`."),
}  # fmt: skip
"""By the ending of a file, in small letters: what weights of other programs are, and the way to what can be read."""
UNPACK = "Unpack it first, and give what was in it."

# The first bytes by which systems know a file (libmagic's table; the formats' own documents).
BINARY = (
    (b"PK\x03\x04", "a zip archive, as torch.save writes pickles, which can run code when opened", CONVERT),
    (b"PK\x05\x06", "an empty zip archive", AGAIN),
    (b"\x1f\x8b", "compressed with gzip", UNPACK),
    (b"BZh", "compressed with bzip2", UNPACK),
    (b"\xfd7zXZ\x00", "compressed with xz", UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with lz4", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a rar archive", UNPACK),
    (b"GGUF", "a GGUF file", "Give it a name that ends in .gguf."),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes weights", CONVERT),
    (b"\x93NUMPY", "a NumPy array", CONVERT),
    (b"PAR1", "a Parquet file, which holds data", "Give the weights of the model."),
    (b"\x7fELF", "a program", "Do not run it; download the file again."),
    (b"MZ", "a program", "Do not run it; download the file again."),
    (b"%PDF-", "a PDF document", AGAIN),
    (b"\x89PNG\r\n", "a picture", AGAIN),
    (b"\xff\xd8\xff", "a picture", AGAIN),
)
PICKLE = re.compile(rb"\x80[\x02-\x05](?:[\x95\x8a\x8c}\]()cX]|\x8a\x0a)|c[\w.]+\n[\w.]+\n|\(dp\d*\n|\(lp\d*\n")
TAR = slice(257, 262)
HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|title|meta)\b", re.I | re.S
)
XML = re.compile(r"\s*<(?:\?xml|[A-Za-z][\w:.-]*[\s/>])")
ANNEX = re.compile(r"\S*/annex/objects/|(?:\.\./)*\.git/annex/")
UNPRINTED = "\n\r\t\f\v\ufeff"


@dataclass(frozen=True, slots=True)
class Other:
    """What a file is (`what` completes "the file is ..."), and what to do."""

    what: str
    advice: str


def what_it_is(head: bytes) -> Other | None:
    """What the file that begins with `head` is, if that can be told; `head` is at most what `HEAD_BYTES` gives.

    None for nothing at all, and for safetensors: whoever asks knows already that the file is not what it should be.
    """
    if not head:
        return None
    if len(head) >= 64 and not any(head):
        return Other("nothing but zeros, as a broken download leaves", AGAIN)
    for magic, what, advice in BINARY:
        if head.startswith(magic):
            return Other(what, advice)
    if head[TAR] == b"ustar":
        return Other("a tar archive", UNPACK)
    if PICKLE.match(head):
        return Other("a pickle, which can run code when opened; it is never opened here", CONVERT)
    text = _text(head)
    return _of_text(text) if text is not None else None


def _of_text(text: str) -> Other:
    start = text.lstrip("\ufeff \n\r\t")
    if start.startswith(("version https://git-lfs", "version http://git-media", "version https://hawser")):
        return Other("a Git LFS pointer, not the weights", FETCH + "`git lfs pull`.")
    if start.startswith("# xet version"):
        return Other("a Xet pointer, not the weights", FETCH + "`git xet checkout`, or `hf download`.")
    if ANNEX.match(start):
        return Other("a git-annex pointer, not the weights", FETCH + "`git annex get`.")
    if HTML.match(start):
        return Other("an HTML page (of a login or an error, perhaps)", LOG_IN)
    if XML.match(start):
        return Other(f"an XML text, which begins {quoted(start, 120)}", LOG_IN)
    if start.startswith(("{", "[")):
        return Other(f"a JSON text{_said(start)}", LOG_IN)
    if not start:
        return Other("blank", AGAIN)
    return Other(f"a text, which begins {quoted(start, 120)}", LOG_IN)


def _said(text: str) -> str:
    """What a JSON error of a server says."""
    try:
        value = parse_json(text)
    except JsonError:
        return f", which begins {quoted(text, 120)}"
    for key in ("error", "message", "detail", "error_description"):
        if isinstance(value, dict) and isinstance(value.get(key), str):
            return f", which says {quoted(value[key], 120)}"
    return f", which begins {quoted(text, 120)}"


def _text(head: bytes) -> str | None:
    """The bytes as text, if nothing in them speaks against it; a character cut in two at the end is dropped."""
    codec = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    for cut in range(min(4, len(head))):
        try:
            text = head[: len(head) - cut].decode(codec)
        except UnicodeDecodeError:
            continue
        seen = (character.isprintable() or character in UNPRINTED for character in text)
        return text if all(seen) else None
    return None
