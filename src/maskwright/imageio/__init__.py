"""Read and write images and masks of all formats, with limits on size before decoding.

A new format is an opener that `read.py`, or `windows.py`, chooses by content or suffix.
"""

from maskwright.imageio.arrays import array_headers, read_arrays
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
    make_folder,
    natural_key,
    scratch_folder,
    sweep,
    write_text,
)
from maskwright.imageio.header import MAX_PIXELS, Header
from maskwright.imageio.read import (
    RawMask,
    read_header,
    read_image,
    read_mask,
    read_with_gaps,
)
from maskwright.imageio.safe_yaml import dump_yaml, inline_yaml, parse_yaml, read_yaml
from maskwright.imageio.tables import plain_cell, table_text, whole_number, write_table
from maskwright.imageio.write import write_image, write_mask

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "NamedBytes",
    "Header",
    "RawMask",
    "array_headers",
    "atomic_folder",
    "atomic_write",
    "check_start",
    "dump_yaml",
    "find_images",
    "inline_yaml",
    "is_image",
    "list_images",
    "lock_folder",
    "make_folder",
    "natural_key",
    "parse_yaml",
    "plain_cell",
    "read_arrays",
    "read_header",
    "read_image",
    "read_mask",
    "read_with_gaps",
    "scratch_folder",
    "read_yaml",
    "sweep",
    "table_text",
    "whole_number",
    "write_image",
    "write_mask",
    "write_table",
    "write_text",
]
