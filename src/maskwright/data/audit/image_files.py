"""Whether image files are what their names say, and alike."""

from collections import Counter
from collections.abc import Iterator, Sequence

from maskwright.data.audit.audit_finding import Finding, Severity, finding, finding_on
from maskwright.data.audit.audit_scan import AuditedSample
from maskwright.data.audit.balance import is_odd
from maskwright.data.dataset import DataSet
from maskwright.data.samples import counted

_TINY_SIDE_PX = 16
_SUFFIXES_OF_FORMAT = {
    **{"PNG": {".png"}, "GIF": {".gif"}, "BMP": {".bmp", ".dib"}, "WEBP": {".webp"}},
    **{"JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"}, "MPO": {".jpg", ".jpeg", ".mpo"}},
    **{"TIFF": {".tif", ".tiff"}, "JPEG2000": {".jp2", ".j2k", ".jpx"}},
    **{"PPM": {".ppm", ".pgm", ".pbm", ".pnm"}},
}


def odd_files(dataset: DataSet, usable: Sequence[AuditedSample]) -> Iterator[Finding]:
    """What is odd about image files that can be read."""
    misnamed = [e for e in usable if _is_misnamed(e)]
    formats = ", ".join(sorted({e.format for e in misnamed}))
    transparent = [e for e in usable if e.alpha]
    dropped: Severity = "warning" if is_odd(transparent, usable) else "note"
    turned = [e for e in usable if e.orientation != 1]
    converted = [e for e in usable if e.channels != dataset.channels]
    infinite = [e for e in usable if not e.finite]
    flat = [e for e in usable if e.flat and min(e.size) >= _TINY_SIDE_PX]
    tiny = [e for e in usable if min(e.size) < _TINY_SIDE_PX]
    applied = "stored turned, with an EXIF orientation, which is applied"
    usual = counted(dataset.channels, "channel")
    checks: tuple[tuple[str, Severity, list[AuditedSample], str], ...] = (
        ("misnamed", "warning", misnamed, f"of another format than the ending says ({formats})"),
        ("alpha", dropped, transparent, "with transparency, which is dropped"),
        ("orientation", "note", turned, applied),
        ("channels", "warning", converted, f"converted to {usual}, which most images have"),
        ("not_finite", "error", infinite, "with values that are not numbers (NaN or infinite)"),
        ("flat", "warning", flat, "of a single color"),
        ("tiny", "warning", tiny, f"with a side below {_TINY_SIDE_PX} px"),
    )
    for code, severity, odd, what in checks:
        if odd:
            paths, message = [e.sample.image for e in odd], f"{counted(len(odd), 'image')} {what}"
            yield finding_on(dataset.root, code, severity, paths, message)
    sizes = Counter(each.size for each in usable)
    if len(sizes) > 1:
        heights, widths = zip(*sizes, strict=True)
        (height, width), often = sizes.most_common(1)[0]
        message = (
            f"Images have {len(sizes)} sizes, {min(widths)} to {max(widths)} px wide and "
            f"{min(heights)} to {max(heights)} px high; most often {width}x{height} "
            f"({often:,} of {len(usable):,})."
        )
        yield finding("mixed_sizes", "note", message)


def _is_misnamed(each: AuditedSample) -> bool:
    """Whether the ending of a name promises another format than the file has."""
    known = _SUFFIXES_OF_FORMAT.get(each.format)
    return known is not None and each.sample.image.suffix.lower() not in known
