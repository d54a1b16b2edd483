"""Whether image files are what their names say, and alike."""

from collections import Counter
from collections.abc import Iterator, Sequence

from maskwright.data.audit.audit_finding import Finding, Severity, relative
from maskwright.data.audit.audit_scan import AuditedSample, misnamed
from maskwright.data.audit.balance import is_odd
from maskwright.data.dataset import DataSet
from maskwright.data.notes import counted, examples

_TINY_SIDE_PX = 16


def odd_files(dataset: DataSet, usable: Sequence[AuditedSample]) -> Iterator[Finding]:
    """What is odd about image files that can be read."""

    def note(
        code: str, severity: Severity, odd: list[AuditedSample], what: str, advice: str
    ) -> Iterator[Finding]:
        if odd:
            names = relative(dataset.root, [each.sample.image for each in odd])
            message = f"{counted(len(odd), 'image')} {what}: {examples(names)}."
            yield Finding(code, severity, message, advice, names)

    misnamed_samples = [e for e in usable if misnamed(e.sample.image, e.format)]
    formats = sorted({e.format for e in misnamed_samples})
    yield from note(
        "misnamed",
        "warning",
        misnamed_samples,
        f"of another format than the ending says ({', '.join(formats)})",
        "They are read by their content here; rename or convert them for other programs.",
    )
    yield from note(
        "alpha",
        "warning" if is_odd([e for e in usable if e.alpha], usable) else "note",
        [e for e in usable if e.alpha],
        "with transparency, which is dropped",
        "Nothing, where the colors beneath are the picture; else flatten the images.",
    )
    turned = [e for e in usable if e.orientation != 1]
    yield from note(
        "orientation",
        "note",
        turned,
        "stored turned, with an EXIF orientation, which is applied",
        "See on the contact sheet that masks and images lie alike.",
    )
    channels = [e for e in usable if e.channels != dataset.channels]
    yield from note(
        "channels",
        "warning",
        channels,
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
