"""The chunks of a PNG, whose checksums Pillow skips, read without decoding an image."""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from maskwright.errors import DataError
from maskwright.imageio.files import NamedBytes

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 10**6


def check_checksums(path: Path | NamedBytes) -> None:
    """Raise `DataError` where a bit of a PNG has changed since it was written."""
    data = memoryview(path.read_bytes())
    for kind, at, length in _chunks(path):
        stored = int.from_bytes(data[at + length : at + length + 4], "big")
        if zlib.crc32(data[at - 4 : at + length]) != stored:
            raise DataError(
                f"{path} is damaged: its chunk {kind!r} does not have the checksum that it was "
                f"written with; copy it again or remove it."
            )


def late_exif(path: Path | NamedBytes) -> bytes | None:
    """EXIF of a PNG, wherever it lies; `None` without."""
    for kind, at, length in _chunks(path):
        if kind == b"eXIf":
            with path.open("rb") as file:
                file.seek(at)
                return b"Exif\0\0" + file.read(length)
    return None


def _chunks(path: Path | NamedBytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, offset and length of what each chunk holds; `DataError` where they are cut off."""
    with path.open("rb") as file:
        size, at = file.seek(0, io.SEEK_END), len(PNG_MAGIC)
        for _ in range(_MOST_CHUNKS):
            file.seek(at)
            head = file.read(8)
            length = int.from_bytes(head[:4], "big")
            if at + 12 + length > size:
                break
            yield head[4:], at + 8, length
            if head[4:] == b"IEND":
                return
            at += 12 + length
    raise DataError(
        f"{path} is damaged or incomplete: it has no end after {at:,} bytes; copy it again or "
        f"remove it."
    )
