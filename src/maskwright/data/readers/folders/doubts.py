"""Doubts about where images and masks lie and how they are divided."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.candidates import assign_roles
from maskwright.data.readers.folders.described import described_folders
from maskwright.data.readers.folders.marks import Pair, annotation_of, glob_of
from maskwright.data.readers.folders.pairs import pair_folders
from maskwright.data.readers.folders.roles import Folder
from maskwright.data.samples import Doubt, first_few, grouped, join_words, yaml_line
from maskwright.errors import DataError

_MAX_PLACES = 3  # that are offered
_MOST_LEFT = 0.1  # share of images and masks in no pair where places fit
_FEW_IMAGES = 4  # fewer may hold equal numbers of objects by chance


def names_apart(root: Path, description: Description) -> str:
    """What to do where there are images and masks, of which no names fit; `""` of others."""
    try:
        masks, images = assign_roles(described_folders(root, description))
    except DataError:  # where a stated place holds none, its reader has said so
        return ""
    if not masks or not images:
        return ""
    for same in grouped(images[0].files, lambda file: file.stem).values():
        if len(same) > 1:
            names = " and ".join(file.name for file in same[:2])
            return (
                f"{names} in {images[0].path.name}/ have one name but for the ending, so that "
                f"their masks cannot be told apart: give all images names of their own."
            )
    image, mask = (folders[0].files[0].relative_to(root) for folders in (images, masks))
    lines = _fitting_places(images, masks, root, description)
    in_order = any("pair_by" in line for line in lines)
    reason, advice = "fit in several ways: ", ""
    if in_order or not lines:
        reason, advice = "do not fit together: ", "give both equal names, "
    if lines:
        condition = " if they belong together in the order of their names" if in_order else ""
        advice += f"write {join_words(lines, ', or ')} into data.yaml{condition}, "
    return (
        f"The names of images and masks, as {image} and {mask}, {reason}{advice}or list them in "
        f"a CSV file with the header `image,mask`."
    )


def _fitting_places(
    images: Sequence[Folder], masks: Sequence[Folder], root: Path, description: Description
) -> list[str]:
    """Lines of data.yaml, each of which is tried, with places of which nearly all files fit.

    By name, for each folder of images, whatever its split; else by order.
    """
    stated = description.model_dump(include={"images", "masks"}, exclude_none=True)
    places = []
    for folders in grouped(images, lambda folder: folder.rest).values():
        paths = {"images": folders, "masks": masks}
        globs = {key: glob_of([f.path for f in of], root) for key, of in paths.items()}
        places.append({key: glob for key, glob in globs.items() if key not in stated})
    order = {"pair_by": "order"}
    for choices in (places, [order], [{**place, **order} for place in places]):
        fitting = [c for c in choices if _fits(root, description.model_copy(update=c))]
        if fitting:
            lines = [[yaml_line(key, value) for key, value in c.items()] for c in fitting]
            return [join_words(line, " and ") for line in lines[:_MAX_PLACES]]
    return []


def _fits(root: Path, description: Description) -> bool:
    """Whether nearly all images and masks that are stated are in a pair."""
    with suppress(DataError):
        folders = described_folders(root, description)
        pairing = pair_folders(folders, description.pair_by == "order")
        return len(pairing.alone) < _MOST_LEFT * len(pairing.pairs)
    return False


def doubt_shifted(folders: Sequence[Path], root: Path) -> Doubt:
    """Doubt about images and masks that are numbered alike but from another number on."""
    names = first_few([folder.relative_to(root).as_posix() for folder in folders], 3)
    return Doubt(
        "shifted_numbers",
        f"Images and masks of {names} are numbered without gaps, but from different numbers on: "
        f"equal numbers belong together, or the first image and the first mask.",
        "Write `pair_by: order` into data.yaml for the first with the first and so on, or "
        "`pair_by: name` for equal numbers.",
    )


def doubt_annotations(pairs: Sequence[Pair], root: Path) -> Iterator[Doubt]:
    """Doubt about brush masks of several annotations of an image."""
    for pair in pairs:
        annotations = sorted({annotation_of(mark) for mark in pair.marks} - {""})
        if len(annotations) < 2:
            continue
        annotators = sorted({text.rpartition("-")[2] for text in annotations})
        end = f"-by-{annotators[0]}" if len(annotators) > 1 else f"-{annotations[0]}"
        folder = glob_of([pair.masks[0].parent], root)
        yield Doubt(
            "several_annotations",
            f"{pair.image.name} has masks of several annotations "
            f"({join_words(annotations, ' and ')}), of which one is to be used.",
            f"Name those of one under `masks` in data.yaml, such as "
            f"{yaml_line('masks', f'{folder}/*{end}-*')}.",
        )
        return


def doubt_folders(pairs: Sequence[Pair], images: int, root: Path) -> Doubt:
    """Doubt about images that have masks in several folders."""
    files: dict[str, list[Path]] = defaultdict(list)
    for pair in pairs:
        for mask, mark in zip(pair.masks, pair.marks, strict=True):
            files[" ".join(filter(None, (mark.extra, mark.title)))].append(mask)
    globs = {title: glob_of(paths, root) for title, paths in files.items()}
    lines = [yaml_line("masks", glob) for glob in globs.values()]
    return Doubt(
        "several_mask_folders",
        f"{images} images have a mask in each of the folders {', '.join(files)}: other masks of "
        f"the same, or other classes.",
        f"Write {join_words(lines, ' or ')} into data.yaml, or, of classes, "
        f"{yaml_line('masks', globs)}.",
    )


def doubt_numbered_folders(globs: Mapping[str, str]) -> Doubt:
    """Doubt about folders of masks that only have numbers; `globs` are those of their files."""
    classes = {f"class_{number}": glob for number, glob in globs.items()}
    first = next(iter(globs.values()))
    return Doubt(
        "numbered_folders",
        f"Masks of the same images lie in the folders {', '.join(globs)}: classes, or masks of "
        f"several annotators.",
        f"Write {yaml_line('masks', classes)} into data.yaml for classes, with their names, or "
        f"{yaml_line('masks', first)} for one of them.",
    )


def doubt_numbers(pairs: Sequence[Pair], root: Path) -> Iterator[Doubt]:
    """Doubt about numbered masks, of which each image has the same: objects, or classes."""
    multiple = [pair for pair in pairs if len(pair.masks) > 1]
    endings = {tuple(mark.name for mark in pair.marks) for pair in multiple}
    numbered = all(re.search(r"\d", name) for names in endings for name in names)
    if len(multiple) < max(_FEW_IMAGES, len(pairs)) or len(endings) > 1 or not numbered:
        return
    files = list(zip(*(pair.masks for pair in multiple), strict=True))
    classes = {f"class_{n}": glob_of(paths, root) for n, paths in enumerate(files, 1)}
    yield Doubt(
        "numbered_masks",
        f"Every image has {len(files)} masks with the same numbers: objects, classes, or masks of "
        f"several annotators.",
        f"Write `objects: instances` into data.yaml for one object a file, `objects: united` "
        f"to unite them, {yaml_line('masks', classes)} for classes, with their names, or "
        f"{yaml_line('masks', classes['class_1'])} for one of them.",
    )


def doubt_others(others: Sequence[Path], globs: Mapping[str, str], root: Path) -> Doubt:
    """Doubt about masks beside those of single classes; `globs` are those of the latter."""
    exact = exact_glob(others, root)
    alone = yaml_line("masks", exact) if exact else "the pattern of those under `masks`"
    return Doubt(
        "masks_beside_classes",
        f"Beside the masks of single classes ({first_few(list(globs), 4)}), there are masks of no "
        f"class that is named, such as {others[0].name}.",
        f"Write {alone} into data.yaml to use those alone, or {yaml_line('masks', globs)} to use "
        f"the others.",
    )


def exact_glob(files: Sequence[Path], root: Path) -> str:
    """Glob, relative to a folder, that fits the files and no others; `""` if none is found."""
    pattern = glob_of(files, root)
    start, star, end = pattern.rpartition("*")
    patterns = [pattern, f"{start}*[0-9]{end}"] if star else [pattern]
    return next((p for p in patterns if {*root.glob(p)} == {*files}), "")


def masks_line(
    root: Path, description: Description, masks_of: Mapping[Path, Sequence[Path]]
) -> str:
    """Line of data.yaml with some masks of images alone, or two with those images, as it needs.

    `""` where none gives these alone, or adds images without a mask in other folders.
    """
    masks = [mask for masks in masks_of.values() for mask in masks]
    places: dict[str, str] = {}
    for key, files in (("masks", masks), ("images", [*masks_of])):
        pattern = exact_glob(files, root) if all(f.is_relative_to(root) for f in files) else ""
        if not pattern:
            return ""
        places = {key: pattern, **places}
        folders = described_folders(root, description.model_copy(update=places))
        pairing = pair_folders(folders, description.pair_by == "order")
        splits = {None, "train", *(pair.split for pair in pairing.pairs)}
        left = {pair.image.parent for pair in pairing.unpaired if pair.split in splits}
        found = {pair.image: {*pair.masks} for pair in pairing.pairs}
        alone = found == {image: {*masks} for image, masks in masks_of.items()}
        if alone and left <= {image.parent for image in found}:
            return join_words([yaml_line(key, place) for key, place in places.items()], " and ")
    return ""


def doubt_spare(kept: Mapping[str, str], spare: Mapping[str, str]) -> Doubt:
    """Doubt about masks like those of classes, named like pictures of masks; globs by class."""
    alone = yaml_line("masks", kept if len(kept) > 1 else next(iter(kept.values())))
    return Doubt(
        "spare_masks",
        f"The masks {first_few(list(spare.values()), 4)} are called like pictures of masks or "
        f"regions of interest, but hold the values of the masks beside them: they may be of "
        f"another class.",
        f"Write {yaml_line('masks', {**kept, **spare})} into data.yaml, or {alone} to leave them "
        f"out.",
    )
