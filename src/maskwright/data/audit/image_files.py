"""Whether image files are what their names say, and alike."""

from collections import Counter
from collections.abc import Iterator, Sequence

from maskwright.data.audit.audit_scan import AuditedSample, Finding, Severity, finding_on
from maskwright.data.audit.balance import is_odd
from maskwright.data.dataset import DataSet
from maskwright.data.notes import counted

_TINY_SIDE_PX = 16
_SUFFIXES_OF_FORMAT = {
    **{"PNG": {".png"}, "GIF": {".gif"}, "BMP": {".bmp", ".dib"}, "WEBP": {".webp"}},
    **{"JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"}, "MPO": {".jpg", ".jpeg", ".mpo"}},
    **{"TIFF": {".tif", ".tiff"}, "JPEG2000": {".jp2", ".j2k", ".jpx"}},
    **{"PPM": {".ppm", ".pgm", ".pbm", ".pnm"}},
}


def odd_files(dataset: DataSet, usable: Sequence[AuditedSample]) -> Iterator[Finding]:
    """What is odd about image files that can be read."""

    def note(
        code: str, severity: Severity, odd: list[AuditedSample], what: str, advice: str
    ) -> Iterator[Finding]:
        if odd:
            paths = [each.sample.image for each in odd]
            message = f"{counted(len(odd), 'image')} {what}"
            yield finding_on(dataset.root, code, severity, paths, message, advice)

    misnamed = [e for e in usable if _is_misnamed(e)]
    formats = ", ".join(sorted({e.format for e in misnamed}))
    yield from note(
        "misnamed",
        "warning",
        misnamed,
        f"of another format than the ending says ({formats})",
        "They are read by their content here; rename or convert them for other programs.",
    )
    transparent = [e for e in usable if e.alpha]
    yield from note(
        "alpha",
        "warning" if is_odd(transparent, usable) else "note",
        transparent,
        "with transparency, which is dropped",
        "Nothing, where the colors beneath are the picture; else flatten the images.",
    )
    yield from note(
        "orientation",
        "note",
        [e for e in usable if e.orientation != 1],
        "stored turned, with an EXIF orientation, which is applied",
        "See on the contact sheet that masks and images lie alike.",
    )
    yield from note(
        "channels",
        "warning",
        [e for e in usable if e.channels != dataset.channels],
        f"converted to {counted(dataset.channels, 'channel')}, which most images have",
        "Nothing, where color means nothing; else look for images of another source.",
    )
    yield from note(
        "not_finite",
        "error",
        [e for e in usable if not e.finite],
        "with values that are not numbers (NaN or infinite)",
        "Replace them, say by 0: a single one turns the whole training into NaN.",
    )
    yield from note(
        "flat",
        "warning",
        [e for e in usable if e.flat and min(e.size) >= _TINY_SIDE_PX],
        "of a single color",
        "Leave them out: there is nothing to see.",
    )
    yield from note(
        "tiny",
        "warning",
        [e for e in usable if min(e.size) < _TINY_SIDE_PX],
        f"with a side below {_TINY_SIDE_PX} px",
        "Leave them out, unless they are meant to be that small.",
    )
    sizes = Counter(each.size for each in usable)
    if len(sizes) > 1:
        heights, widths = zip(*sizes, strict=True)
        (height, width), often = sizes.most_common(1)[0]
        yield Finding(
            "mixed_sizes",
            "note",
            f"Images have {len(sizes)} sizes, {min(widths)} to {max(widths)} px wide and "
            f"{min(heights)} to {max(heights)} px high; most often {width}x{height} "
            f"({often:,} of {len(usable):,}).",
            "Nothing: they are brought to one working size, or cropped.",
        )


def _is_misnamed(each: AuditedSample) -> bool:
    """Whether the ending of a name promises another format than the file has."""
    known = _SUFFIXES_OF_FORMAT.get(each.format)
    return known is not None and each.sample.image.suffix.lower() not in known
