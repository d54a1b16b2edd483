"""Mutations of files: of bytes, of words in text, of what lies in a ZIP, with checksums mended."""

import io
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

INTEGERS = (0, 1, 2, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
WORDS = (
    *("0", "-1", "1e7", "1e19", "1e400", "-1e400", "NaN", "Infinity", "null", "true", "[]", "{}"),
    *(str(2**31 - 1), str(2**63), "9" * 5000, "0x7fffffff", "2020-99-99", "~", "!!python/none"),
    *('""', '"text"', '"\\ud800"', '"a\\nb: c"', '"../../etc/passwd"', "=1+1", "&a [*a]", "\x00"),
    *("[" * 3000, "{a: " * 300, "é", "\N{SNOWMAN}", "C:\\x"),
)
_TEXT = (".json", ".geojson", ".yaml", ".csv", ".txt", ".xml")
_ZIPS = (".npz", ".keras")
_WORD = re.compile(rb'"[^"]*"|[-\w.]+|[\[\]{},:]')


def mutate(name: str, content: bytes, rng: np.random.Generator) -> bytes:
    """Content of a file with one or a few mutations, as its ending suggests."""
    suffix = Path(name).suffix
    for _ in range(rng.geometric(0.6)):
        if suffix in _TEXT and rng.random() < 0.8:
            content = _word(content, rng)
        elif suffix in _ZIPS and rng.random() < 0.7:
            content = _member(content, rng)
        else:
            content = _bytes(content, rng)
    if content.startswith(b"\x89PNG") and rng.random() < 0.5:
        content = _with_checksums(content)
    return content


def _bytes(content: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(content or b"\x00")
    at = int(rng.integers(len(data)))
    if rng.random() < 0.5:  # headers come first
        at = min(at, int(rng.integers(64)))
    match rng.integers(6):
        case 0:
            data[at] ^= 1 << int(rng.integers(8))
        case 1:
            value = INTEGERS[rng.integers(len(INTEGERS))]
            form = ("<H", ">H", "<I", ">I", "<Q", ">Q")[rng.integers(6)]
            raw = struct.pack(form, value % 256 ** struct.calcsize(form))
            data[at : at + len(raw)] = raw
        case 2:
            del data[at:]
        case 3:
            del data[at : at + int(rng.integers(1, 32))]
        case 4:
            data[at:at] = rng.bytes(int(rng.integers(1, 32)))
        case 5:
            data[at:at] = data[at : at + int(rng.integers(1, 256))]
    return bytes(data)


def _word(content: bytes, rng: np.random.Generator) -> bytes:
    words = list(_WORD.finditer(content))
    if not words:
        return _bytes(content, rng)
    start, end = words[rng.integers(len(words))].span()
    new = WORDS[rng.integers(len(WORDS))].encode()
    match rng.integers(4):
        case 0:
            new = b""
        case 1:
            start, end = words[rng.integers(len(words))].span()
            new = content[start:end] * 2
    return content[:start] + new + content[end:]


def _member(content: bytes, rng: np.random.Generator) -> bytes:
    """A ZIP of which one member is mutated."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            members = {info.filename: file.read(info) for info in file.infolist()}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError):
        return _bytes(content, rng)
    if not members:
        return _bytes(content, rng)
    chosen = list(members)[rng.integers(len(members))]
    members[chosen] = mutate(chosen, members[chosen], rng)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return written.getvalue()


def _with_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what they hold now, so that decoders go on."""
    data, at = bytearray(content), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            break
        checksum = zlib.crc32(data[at + 4 : at + 8 + length])
        data[at + 8 + length : at + 12 + length] = checksum.to_bytes(4, "big")
        at += 12 + length
    return bytes(data)
