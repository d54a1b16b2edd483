"""A reader that never ends, in a module that a process imports quickly."""

from maskwright.imageio import read_header


def hanging_header(file, most):
    """Read a header, or loop for ever where the file is called so."""
    while file.name == "hang.tif":
        pass
    return read_header(file, most)
