"""Images without a mask: background, skipped, or a doubt where they are many."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from maskwright.data.readers.base import Layout
from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.doubts import masks_line
from maskwright.data.samples import Doubt, Sample, SkippedFile, counted, examples, join_words

NO_MASK = "image without a mask"
NO_MASKS_IN_SPLIT = "image of a split without masks"
_MOST_LEFT = 0.1  # share of the files found that may be left over without a word


def settle_leftovers(layout: Layout, description: Description, root: Path | None = None) -> None:
    """Use images without a mask as stated, else skip them; a doubt where many files are left over.

    Those of a split without any mask, as published tests often are, can be neither, but those to
    train on can. `root` is the folder that a data.yaml states places in.
    """
    if description.unannotated == "skip":
        layout.maskless += [sample for sample in layout.samples if not sample.masks]
        layout.samples = [sample for sample in layout.samples if sample.masks]
    used = {None, "train", *(sample.split for sample in layout.samples)}
    unlabeled = [s for s in layout.maskless if s.split not in used]
    others = [s for s in layout.maskless if s.split in used]
    layout.maskless = []
    layout.skipped += [SkippedFile(s.image, NO_MASKS_IN_SPLIT) for s in unlabeled]
    if description.unannotated == "background":
        layout.samples += others
        if others:
            text = f"{counted(len(others), 'image')} without a mask are background, as stated."
            layout.note("without_mask", text)
        others = []
    layout.skipped += [SkippedFile(s.image, NO_MASK) for s in others]
    if description.unannotated != "skip":
        _doubt(layout, others, description, root)


def doubt_left_out(layout: Layout, description: Description) -> None:
    """Doubt where notes tell that more than a tenth of the images, or volumes, are left out."""
    if description.unannotated is not None:
        return
    notes = [note for note in layout.notes if note.left_out]
    images = [note for note in notes if not note.among]
    total = len(layout.samples) + sum(note.left_out for note in images)
    many = [note for note in notes if note.among and note.left_out > _MOST_LEFT * note.among]
    parts = [f"{note.left_out} of {note.among} volumes" for note in many]
    if (left_out := sum(note.left_out for note in images)) > _MOST_LEFT * total:
        parts.append(f"{left_out:,} of {total:,} images")
        many += images
    if many:
        layout.doubts.append(
            Doubt(
                "left_over",
                f"{' and '.join(parts)} are left out: {' '.join(note.text for note in many)}",
                "Correct what these sentences name; or write `unannotated: skip` into data.yaml to "
                "leave them out, or `unannotated: background` where images without annotations "
                "show nothing.",
            )
        )


def _doubt(
    layout: Layout, maskless: Sequence[Sample], description: Description, root: Path | None
) -> None:
    """Doubt where more than a tenth of the images, or of the masks, are in no pair.

    Where images without a mask are background, masks in no pair may be theirs.
    """
    images = len(layout.samples)
    masks = sum(len(sample.masks) for sample in layout.samples)
    kinds = Counter(file.unpaired for file in layout.skipped)
    missing, alone = len(maskless) + kinds["image"], kinds["mask"]
    many_images = missing > _MOST_LEFT * (images + missing)
    many_masks = alone > _MOST_LEFT * (masks + alone)
    if not many_masks and (not many_images or description.unannotated == "background"):
        return
    left = [f for f in layout.skipped if f.unpaired or f.reason == NO_MASK]
    names = examples(file.path.name for file in left)
    parts = [f"{counted(missing, 'image')} of {images + missing:,}"] if many_images else []
    parts += [f"{counted(alone, 'mask')} of {masks + alone:,}"] if many_masks else []
    options = []
    in_train = {bool(s.masks) for s in (*layout.samples, *maskless) if s.split == "train"}
    trainable = in_train != {False}
    beside = {s.image.parent for s in maskless} & {s.image.parent for s in layout.samples}
    if trainable and not beside and root is not None and not layout.has_class_files:
        masks_of = {sample.image: sample.masks for sample in layout.samples if sample.masks}
        if line := masks_line(root, description, masks_of):
            options.append(f"{line} if only these are meant")
    if many_images and not many_masks:
        new = " and `splits: {}`" * (not trainable)
        options.append(f"`unannotated: background`{new} if images without a mask show nothing")
    options.append("`unannotated: skip` to leave out what is in no pair")
    listed = any(file.where for file in left)
    other = "correct the names in the manifest" if listed else "give images and masks equal names"
    layout.doubts.append(
        Doubt(
            "left_over",
            f"{' and '.join(parts)} are in no pair ({names}): their names may be paired wrongly, "
            f"or they are not meant.",
            f"Write into data.yaml: {join_words(options, ', or ')}; or {other}.",
        )
    )
