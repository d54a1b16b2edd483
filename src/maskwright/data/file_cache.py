"""Headers of image files, read once and handed on: recognition, audit and plan see the same."""

from dataclasses import dataclass, field
from pathlib import Path

from maskwright.imageio import Header, read_header

_MAX_HEADERS = 50_000  # about 20 MB; files beyond are read again where their header is asked for


@dataclass(frozen=True)
class HeaderCache:
    """Headers by path, of the files that were asked for first; safe in threads."""

    _headers: dict[Path, Header] = field(default_factory=dict, repr=False)

    def header(self, path: Path) -> Header:
        """Size and kind of an image; `DataError` where it cannot be read."""
        header = self._headers.get(path)
        if header is None:
            header = read_header(path)
            if len(self._headers) < _MAX_HEADERS:
                self._headers[path] = header
        return header
