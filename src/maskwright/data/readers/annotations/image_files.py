"""Image files below a folder, looked up by the names that annotations give them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from maskwright.data.samples import grouped
from maskwright.imageio import IMAGE_SUFFIXES, natural_key


def files_below(root: Path, suffixes: Iterable[str]) -> list[Path]:
    """Files with one of the suffixes below a folder, in natural order; hidden ones are skipped."""
    return sorted(_walk(root, frozenset(suffixes)), key=lambda path: natural_key(str(path)))


def _walk(root: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    for at, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        for name in names:
            if os.path.splitext(name)[1].lower() in suffixes and not name.startswith("."):  # noqa: PTH122
                yield Path(at, name)


class ImageFiles:
    """Image files of a data set."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = files_below(root, IMAGE_SUFFIXES)
        self._by_name = grouped(self.paths, lambda path: path.name.casefold())
        self._by_stem = grouped(self.paths, lambda path: path.stem.casefold())

    def find(self, name: str, beside: Path, words: Sequence[str | None] = ()) -> list[Path]:
        """Files that a name fits: one, several where it does not tell them apart, or none.

        Where the name is a path, from the folder of the annotations `beside` or from the root, that
        file; else those of its name, of which those with more of its path win, then those in a
        folder of `words`.
        """
        name = name.replace("\\", "/")
        for folder in (beside, self.root, self.root / "images"):
            # Unlike `is_file`, of names too that no file can have.
            if os.path.isfile(folder / name):  # noqa: PTH113
                return [folder / name]
        parts = [part for part in name.casefold().split("/") if part not in {"", ".", ".."}]
        last = parts[-1] if parts else ""
        fitting = self._by_name.get(last) or []
        if not fitting and os.path.splitext(last)[1] not in IMAGE_SUFFIXES:  # noqa: PTH122
            fitting = self._by_stem.get(last) or []
        if len(fitting) > 1:
            common = [_shared_end(parts[:-1], path) for path in fitting]
            fitting = [p for p, n in zip(fitting, common, strict=True) if n == max(common)]
        if len(fitting) > 1:
            fitting = [path for path in fitting if set(path.parent.parts) & set(words)] or fitting
        return fitting


def _shared_end(folders: Sequence[str], path: Path) -> int:
    """Number of last folders that a name shares with a path."""
    shared = 0
    for ours, theirs in zip(reversed(folders), reversed(path.parent.parts), strict=False):
        if ours != theirs.casefold():
            break
        shared += 1
    return shared
