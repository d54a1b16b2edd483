"""What annotations leave open: objects with boxes only, images without or with several of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from maskwright.data.readers.annotations.base import AnnotatedImage, Annotations, has_box_only
from maskwright.data.readers.annotations.files import split_in
from maskwright.data.readers.annotations.shapes import Box
from maskwright.data.samples import Doubt, Note, counted, grouped, yaml_line
from maskwright.errors import DataError

_DRAW_BOXES = "`boxes: draw` in data.yaml draws boxes as the objects"


def settle_boxes(annotations: Annotations, boxes: str | None, source: Path) -> None:
    """Treat objects with boxes only as stated; by default, their images are left out."""
    if boxes == "draw":
        return
    if boxes == "ignore":
        for image in annotations.images:
            image.objects[:] = [
                replace(each, crowd=each.crowd or isinstance(each.shape, Box))
                for each in image.objects
            ]
        return
    affected = [image for image in annotations.images if has_box_only(image.objects)]
    if not affected:
        return
    annotations.images = [i for i in annotations.images if not has_box_only(i.objects)]
    about = f"{counted(len(affected), 'image')} with objects that have a box but no mask"
    if not any(image.objects for image in annotations.images):
        raise DataError(
            f"{source} has {about}, the first {affected[0].image.name}, and no other objects; a "
            f"box is not a mask: draw the outlines, or put a data.yaml beside them, where "
            f"{_DRAW_BOXES}."
        )
    if annotations.rectangles and boxes is None:
        annotations.remarks.append(
            Doubt(
                "rectangles",
                f"{about.capitalize()}, the first {affected[0].image.name}: the rectangles may "
                f"be the outlines of what they mark, or boxes around it.",
                f"Write data.yaml: {_DRAW_BOXES}, `boxes: ignore` ignores their pixels, "
                f"`boxes: skip` leaves these images out.",
            )
        )
    else:
        text = f"Skipped: {about}, the first {affected[0].image.name}; {_DRAW_BOXES}, `boxes: "
        text += "ignore` ignores their pixels."
        left_out = len(affected) if boxes is None else 0
        annotations.remarks.append(Note("boxes_only", text, left_out))


def join_repeated(annotations: Annotations, stated: bool) -> None:
    """Join what several files annotate in one image; a doubt, unless the files are `stated`."""
    groups = grouped(annotations.images, lambda image: image.image)
    repeated = [images for images in groups.values() if len(images) > 1]
    for first, *others in repeated:
        if any(other.split != first.split for other in others):
            raise DataError(
                f"{first.image} is annotated for two splits, {first.split or 'none'} and "
                f"{others[-1].split or 'none'}; expected each image in one."
            )
    if repeated and not stated:
        annotations.remarks.append(
            Doubt(
                "annotated_twice",
                f"{counted(len(repeated), 'image')} annotated more than once, the first "
                f"{repeated[0][0].image.name}: the annotations may be parts that belong "
                f"together, or versions of the same.",
                "Write data.yaml with `annotations: FILE`, or several as `[FILE, FILE]`, to state "
                "those that are used together.",
            )
        )
    annotations.images = [
        replace(first, objects=[each for image in (first, *others) for each in image.objects])
        for first, *others in groups.values()
    ]


def settle_unannotated(
    annotations: Annotations, images: Sequence[AnnotatedImage], stated: str | None, fact: str
) -> None:
    """Treat images without annotations as data.yaml states; a doubt without.

    `fact` is how they are annotated, or not, as `"without a label file"`.
    """
    annotations.known.update(image.image for image in images)
    if stated == "background":
        annotations.images += images
    elif stated == "skip":
        for image in images:
            annotations.skip("not_annotated", image.image.name)
    elif images:
        annotations.remarks.append(
            Doubt(
                "unannotated",
                f"{counted(len(images), 'image')} {fact}, the first {images[0].image.name}: they "
                f"may hold no object, or not be annotated yet.",
                "Write data.yaml: `unannotated: background` reads them as background, "
                "`unannotated: skip` leaves them out.",
            )
        )


def note_overlaps(
    images: Sequence[Counter[tuple[str, str]]], names: Sequence[str]
) -> Iterator[Note]:
    """Note on pixels of objects of several classes, of which the mask shows one.

    `images` are the pixels that objects of a class lose to those of another, and those of each
    class with itself.
    """
    total = sum(images, Counter[tuple[str, str]]())
    pairs = {pair: pixels for pair, pixels in total.items() if pair[0] != pair[1]}
    if not pairs:
        return
    (below, above), most = max(pairs.items(), key=lambda item: item[1])
    number = sum(any(a != b for a, b in each) for each in images)
    order = sorted(names, key=lambda name: -total[name, name])  # else the large cover the small
    yield Note(
        "overlapping_objects",
        f"Objects of several classes overlap in {counted(number, 'image')}, most those of {above} "
        f"and {below} ({most:,} px); masks of classes show the one that is listed later. "
        f"`overlap: multilabel` in data.yaml keeps both, {yaml_line('overlap', order)} states the "
        f"order, the last on top.",
    )


def settle_others(
    annotations: Annotations, paths: Iterable[Path], root: Path, stated: str | None
) -> None:
    """Treat images beside those that annotations are of: background where stated, else skipped."""
    known = annotations.known | {image.image for image in annotations.images}
    folders = {path.parent for path in known if isinstance(path, Path)}
    for path in paths:
        if path.parent not in folders or known & {path, path.name, path.stem}:
            continue
        if stated == "background":
            annotations.images.append(AnnotatedImage(path, [], split_in(path, root)))
        else:
            annotations.skip("not_annotated", path.name)
