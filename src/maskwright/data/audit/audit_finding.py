"""Findings of an audit, and what to do about each of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from maskwright.data.samples import examples

Severity = Literal["error", "warning", "note"]

_KEEP_ONE = "Keep one of each, or give them one case, so that no new split parts them."
_ONE_CASE = (
    "Give copies one case (a `case` column in a CSV manifest, or --group-by), or keep only one of "
    "each."
)
ADVICE = {
    "unreadable_image": "Mend or replace the image, or delete it together with its mask.",
    "unreadable_mask": "Correct the mask, or delete it together with its image.",
    "unequal_sizes": "Make image and mask of one size; export the mask again from its source.",
    "unusable": "Convert the image to what the others are, or leave it out.",
    "unusable_pair": "Mend the file, or delete the pair.",
    "skipped": "Add what is missing or correct the names, so that image and mask match; or delete "
    "what is not wanted.",
    "misnamed": "They are read by their content here; rename or convert them for other programs.",
    "alpha": "Nothing, where the colors beneath are the picture; else flatten the images.",
    "orientation": "See on the contact sheet that masks and images lie alike.",
    "channels": "Nothing, where color means nothing; else look for images of another source.",
    "not_finite": "Replace them, say by 0: a single one turns the whole training into NaN.",
    "flat": "Leave them out: there is nothing to see.",
    "tiny": "Leave them out, unless they are meant to be that small.",
    "mixed_sizes": "Nothing: they are brought to one working size, or cropped.",
    "all_ignored": "Leave these samples out; they teach nothing.",
    "ignored": "Nothing, where it is meant so; else give their value a class in data.yaml.",
    "mixed_masks": "All are read as the same classes; see on the contact sheet that it is so.",
    "one_class_mask": "See on the images that it is so.",
    "empty_mask": "See that nothing was forgotten there; images without any object are welcome "
    "where such images will come.",
    "one_class": "See that the values of the masks were understood; state them in data.yaml.",
    "class_never": "Remove it from the classes in data.yaml, or add images that show it.",
    "class_not_in_train": "Move images that show it to the training split, or unite the class with "
    "another.",
    "class_not_scored": "Add images that show it to the split, or keep it in mind with the scores.",
    "rare_class": "Weight the classes, and favor rare ones when cropping.",
    "no_training": "Put samples into a split named train, or state no splits.",
    "few_images": "Expect little, and look at predictions rather than at scores; use crops.",
    "different_masks": "Only one of the masks can be right; correct the others or leave them out.",
    **{"duplicates": _KEEP_ONE, "near_duplicates": _KEEP_ONE},
    **{"duplicates_across_splits": _ONE_CASE, "near_duplicates_across_splits": _ONE_CASE},
    "case_across_splits": "Move all images of a case to one split, or state no splits and let them "
    "be made.",
    "video_across_splits": "Keep the published splits only to compare with published scores; else "
    "group by video (--group-by) and let splits be made.",
}
"""What to do about a finding, by its code."""


@dataclass(frozen=True)
class Finding:
    """One thing to know of a data set.

    Args:
        code: Short name that stays the same between versions.
        severity: `"error"` where training as it is would be wrong, `"warning"` where the result
            may be worse or look better than it is, `"note"` for what is good to know.
        files: All files concerned, relative to the data set where they lie in it.
    """

    code: str
    severity: Severity
    message: str
    advice: str
    files: tuple[str, ...] = ()


def finding(code: str, severity: Severity, message: str, files: Iterable[str] = ()) -> Finding:
    """Finding with the advice for its code."""
    return Finding(code, severity, message, ADVICE[code], tuple(files))


def finding_on(
    code: str, severity: Severity, message: str, files: Sequence[str]
) -> Iterator[Finding]:
    """Finding on files, the first of which are named at the end of the message; none without."""
    if files:
        yield finding(code, severity, f"{message}: {examples(files)}.", files)
