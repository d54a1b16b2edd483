"""Brush strokes of Label Studio: run lengths of RGBA pixels, packed in bits.

After 32 bits of how many values there are, 5 of the bits of a value less one and 4 times 4 of the
bits of a length less one, each block has a bit (a run or single values), 2 bits that choose the
bits of its length, the length less one, and its value or values.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from maskwright.errors import DataError

_HALF = 128  # of alpha, from which a pixel is painted
_LENGTH_BITS = (3, 4, 8, 16)  # as Label Studio writes them
_CHANNELS = 4


def decode_brush(packed: Any, size: tuple[int, int]) -> np.ndarray:
    """Mask, bool `(h, w)`, from the bytes of a brush; `DataError` where it is not of this size."""
    try:
        bits = np.unpackbits(np.frombuffer(bytes(list(packed)), np.uint8))
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"expected the bytes of a brush, received {str(packed)[:40]}") from None
    height, width = size
    if len(bits) < 53 or (count := _number(bits, 0, 32)) != height * width * _CHANNELS:
        stated = count if len(bits) >= 53 else 0
        raise DataError(
            f"expected a brush of {height} x {width} pixels of {_CHANNELS} values, received "
            f"{stated:,} values"
        )
    values = np.zeros(count, np.uint8)
    start = 0
    for end, value in _blocks(bits):
        if start + end > count:
            raise DataError("expected a brush that ends with its image, received a longer one")
        values[start : start + end] = value
        start += end
        if start == count:
            break
    if start != count:
        raise DataError(f"expected a brush of {count:,} values, received {start:,}")
    return values.reshape(height, width, _CHANNELS)[..., -1] >= _HALF


def _blocks(bits: np.ndarray) -> Iterator[tuple[int, Any]]:
    """Length and value, or values, of each block."""
    word = _number(bits, 32, 5) + 1
    if word != 8:
        raise DataError(f"expected a brush of 8 bits a value, received {word}")
    sizes = [_number(bits, 37 + 4 * place, 4) + 1 for place in range(4)]
    at = 53
    while at + 3 < len(bits):
        size = sizes[_number(bits, at + 1, 2)]
        length = _number(bits, at + 3, size) + 1
        begin = at + 3 + size
        words = 1 if bits[at] else length
        end = begin + 8 * words
        if end > len(bits):
            raise DataError("expected a whole brush, received one that is cut off")
        values = np.packbits(bits[begin:end])
        yield length, values[0] if words == 1 else values
        at = end


def _number(bits: np.ndarray, start: int, size: int) -> int:
    number = 0
    for bit in bits[start : start + size].tolist():
        number = number << 1 | bit
    return number


def encode_brush(mask: np.ndarray) -> list[int]:
    """Bytes of a brush that paints a mask `(h, w)`, as Label Studio's JSON holds them."""
    alpha = np.where(mask, 255, 0).astype(np.uint8).ravel()
    values = np.repeat(alpha, _CHANNELS)  # white where it is opaque
    changes = np.flatnonzero(np.diff(values, prepend=values[:1] ^ 1, append=values[-1:] ^ 1))
    text = [f"{len(values):032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in _LENGTH_BITS)]
    for start, end in zip(changes[:-1].tolist(), changes[1:].tolist(), strict=True):
        value, length = int(values[start]), end - start
        while length:
            run = min(length, 2**16)
            place = next(n for n, size in enumerate(_LENGTH_BITS) if run <= 2**size)
            text.append(f"1{place:02b}{run - 1:0{_LENGTH_BITS[place]}b}{value:08b}")
            length -= run
    bits = np.array(list("".join(text)), np.uint8)
    return [int(byte) for byte in np.packbits(bits)]
