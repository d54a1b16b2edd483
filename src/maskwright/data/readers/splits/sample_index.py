"""Samples by the names that lists give them."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from maskwright.data.samples import Sample
from maskwright.imageio import IMAGE_SUFFIXES

_LAST_COLUMN = re.compile(r"(?<=\S)[\s,;]+[^\s,;]*$")

_ENDING = re.compile(r"\.(?:nii\.gz|nii|mha|nrrd|npy\.h5|h5|hdf5|npz|npy|json|xml|txt)$")
_PART = re.compile(r"(?<=[^\W_])[-_. ]")
_MOST_CHARACTERS = 1000  # of a line; names of files have at most 255


class SampleIndex:
    """Samples by the names that lists give them.

    Those are ends of paths of images, without the ending, ids, and of several samples at once,
    ends of paths of folders, and cases or their beginnings, as that of `s01-ct`.
    """

    def __init__(self, root: Path, samples: Iterable[Sample]) -> None:
        self._one: dict[str, str | None] = {}  # `None` where several fit
        self._folders: dict[str, set[tuple[str, ...]]] = {}
        self._inside: dict[tuple[str, ...], list[str]] = {}
        self._cases: dict[str, dict[str, list[str]]] = {}  # by their beginnings
        samples = list(samples)
        for sample in samples:
            image = sample.image
            whole = (image.relative_to(root) if image.is_relative_to(root) else image).parts
            *folder, _ = whole
            parts = (*folder, image.stem)
            for start in range(len(parts)):
                key = "/".join(parts[start:]).casefold()
                self._one[key] = sample.id if key not in self._one else None
            for end in range(1, len(folder) + 1):
                above = tuple(folder[:end])
                self._inside.setdefault(above, []).append(sample.id)
                for start in range(end):
                    key = "/".join(above[start:]).casefold()
                    self._folders.setdefault(key, set()).add(above)
            if sample.case != sample.id:
                case = sample.case.casefold()
                for end in [*(m.start() for m in _PART.finditer(case)), len(case)]:
                    cases = self._cases.setdefault(case[:end], {})
                    cases.setdefault(case, []).append(sample.id)
        for sample in samples:
            self._one.setdefault(sample.id.casefold(), sample.id)

    def fits(self, line: str) -> bool:
        """Whether a line names samples."""
        return bool(self.find(line)[0])

    def is_sample(self, name: str) -> bool:
        """Whether a name is that of a single sample."""
        return self._sample(name) is not None

    def find(self, line: str) -> tuple[list[str], str]:
        """Ids that a line names, and the folder or case where it names one.

        The whole line first, then what has the ending of an image, then ever fewer columns, as
        names may hold spaces, then single ones.
        """
        text = line.replace('"', "").strip()
        if len(text) > _MOST_CHARACTERS:  # a row of a table with other things, such as run lengths
            text = re.split(r"[,;\t]", text)[0][:_MOST_CHARACTERS]
        cuts = [text]
        while cut := _LAST_COLUMN.search(cuts[-1]):
            cuts.append(cuts[-1][: cut.start()])
        names = [*cuts[1:], *re.split(r"[\s,;]+", text)]
        names.sort(key=lambda name: _path(name).suffix not in IMAGE_SUFFIXES)
        names.insert(0, text)
        if id_ := next(filter(None, map(self._sample, names)), None):
            return [id_], ""
        several = ((ids, name) for name in names if (ids := self._several(name)))
        return next(several, ([], ""))

    def _sample(self, name: str) -> str | None:
        keys = _ends(name)
        return next((id_ for key in keys if (id_ := self._one.get(key)) is not None), None)

    def _several(self, name: str) -> list[str]:
        """Ids of the samples of a case, or in a folder."""
        if _path(name).suffix in IMAGE_SUFFIXES:
            return []
        folders = next(filter(None, (self._folders.get(key) for key in _ends(name))), set())
        if len(folders) == 1:
            return self._inside[next(iter(folders))]
        path = _path(name)
        cases = self._cases.get(path.name[: len(path.name) - len(_ending(path))], {})
        return cases.get(name.casefold()) or [id_ for ids in cases.values() for id_ in ids]


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.strip("'").replace("\\", "/").casefold())


def _ending(path: PurePosixPath) -> str:
    """Ending of an image, a volume or annotations; `""` of other names, which may hold dots."""
    match = _ENDING.search(path.name)
    return match[0] if match else path.suffix if path.suffix in IMAGE_SUFFIXES else ""


def _ends(name: str) -> list[str]:
    """Ends of a path, without the ending of a file, the longest first."""
    path = _path(name)
    end = len(_ending(path))
    parts = (*path.parts[:-1], path.name[: len(path.name) - end]) if end else path.parts
    return ["/".join(parts[start:]) for start in range(len(parts))]
