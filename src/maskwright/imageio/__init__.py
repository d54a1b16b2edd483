"""Read and write images and masks of all formats, with limits on size before decoding.

A new format is an opener that `read.py`, or `windows.py`, chooses by content or suffix.
"""

from maskwright.imageio.arrays import read_arrays
from maskwright.imageio.files import (
    IMAGE_SUFFIXES,
    NamedBytes,
    atomic_folder,
    atomic_write,
    check_start,
    find_images,
    is_image,
    list_images,
    lock_folder,
    natural_key,
    scratch_folder,
    sweep,
    write_text,
)
from maskwright.imageio.header import MAX_PIXELS, Header
from maskwright.imageio.read import RawMask, read_header, read_image, read_mask
from maskwright.imageio.tables import plain_cell, table_text, write_table
from maskwright.imageio.write import write_image, write_mask

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "NamedBytes",
    "Header",
    "RawMask",
    "atomic_folder",
    "atomic_write",
    "check_start",
    "find_images",
    "is_image",
    "list_images",
    "lock_folder",
    "natural_key",
    "plain_cell",
    "read_arrays",
    "read_header",
    "read_image",
    "read_mask",
    "scratch_folder",
    "sweep",
    "table_text",
    "write_image",
    "write_mask",
    "write_table",
    "write_text",
]
