"""Numbers, words, marks and lines that readers were once, or might be, wrong about. Data only."""

from __future__ import annotations

from typing import Any

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 4, 7, 8, 32, 255, 4096, 65535, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64,
    10**19, -(2**63), 10**40, 0.5, -0.0, 1e-320, 1e308, 1.5, float("inf"), float("nan"),
)  # fmt: skip
WORDS: tuple[Any, ...] = (
    "", "a", "\x00", "\x1b[31m", "\u202e", "\ud800", "x" * 300, "../x", "/etc/passwd",
    "__metadata__", "lora_", "..", ".",
    "BF16", "F4", "F8_E4M3", "BOOL", "C64", "I64", "F64", "model.layers.99999999999999999999.x",
    "LORA", "gptq", "awq",
    "1e400", "-1", "0x10", "nan", "2027-02-30", "1_0", "²", "٣", "model.safetensors", "[/x]", "{{",
    "%s", "qwen3", "llama",
)  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [0, 0], {"": {}}, [None], [[0]] * 3)
PARTS = ("dtype", "shape", "data_offsets")
TOKENS = (
    b"---\n", b"...\n", b"- ", b"? ", b": ", b"&a ", b"*a", b"<<: *a\n", b"!!int ",
    b"!!python/object:x ", b"|\n", b">-\n",
    b"{", b"[", b"]", b"}", b"'", b'"', b"#", b"\t", b"%YAML 9.9\n", b"0o17", b"1e999", b".inf",
    b"2001-99-99", b"0x", b"~",
    b"| a | b |\n|--|--|\n", b"<td colspan=9999999>", b"```", b"[a](b)", b"\xff\xfe", b"\x00",
    b"\xe2\x80\xae", b"\r", b"[[",
    b" = ", b"'''", b'"""', b"1979-05-27T07:32:00Z", b"merge_method: ", b"weight: ", b"filter: ", b"layer_range: ",
)  # fmt: skip
LINES = (
    b"Content-Range: bytes 8-23/64", b"Content-Range: bytes 8-7/*", b"Content-Length: -1", b"Content-Encoding: gzip",
    b"Retry-After: 1e9", b"Retry-After: Wed, 99 Oct 2099", b"RateLimit: t=" + b"9" * 400,
    b"Location: http://[", b"ETag:",
    b"Location: https://a.b:99999999/", b"Content-Range: bytes " + b"9" * 5000 + b"-1/2", b"Location: https://[::1",
    b"Retry-After: nan", b"Retry-After: \xb2", b"Content-Range: bytes \xb2-\xb3/*", b"Transfer-Encoding: chunked",
)  # fmt: skip
