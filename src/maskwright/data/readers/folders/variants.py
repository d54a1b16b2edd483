"""Several masks of an image: objects, classes, annotators, fields of view, or two readings."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from maskwright.data.readers.folders.class_folders import colors_of
from maskwright.data.readers.folders.doubts import (
    doubt_annotations,
    doubt_folders,
    doubt_numbered_folders,
    doubt_numbers,
    doubt_others,
    doubt_spare,
    exact_glob,
)
from maskwright.data.readers.folders.marks import (
    Mark,
    MarkKind,
    Pair,
    class_parts,
    glob_of,
    short_names,
)
from maskwright.data.samples import Doubt, Note, first_few
from maskwright.imageio import read_mask

_MAX_SHOWN = 6


@dataclass
class Variants:
    """Pairs with the masks that are used; `objects` where one is a single object."""

    pairs: list[Pair]
    objects: bool = False
    notes: list[Note] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    dropped: set[Path] = field(default_factory=set)


def resolve_variants(pairs: Sequence[Pair], root: Path) -> Variants:
    """Decide which masks of each image are used and what they are, by their marks alone."""
    result = Variants(_without_shards(pairs))
    _take_views(result, root)
    _drop_derived(result, root)
    _take_first_annotator(result, root)
    _decide(result, root)
    return result


def _without_shards(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs without folders that differ by numbers, where all masks of an image are in one of them.

    Their files must tell classes, as `masks/0/00001_skin.png`.
    """
    marks = {mark for pair in pairs for mark in pair.marks}
    one_each = all(len({mark.extra for mark in pair.marks}) == 1 for pair in pairs if pair.marks)
    names = {re.sub(r"\d+", "#", mark.extra) for mark in marks}
    if not one_each or len(names) > 1 or not all(all(class_parts(mark)) for mark in marks):
        return list(pairs)
    bare = {mark: replace(mark, extra="") for mark in marks}
    return [replace(pair, marks=tuple(bare[mark] for mark in pair.marks)) for pair in pairs]


def _drop(result: Variants, kept: Sequence[Pair]) -> list[Path]:
    """Replace pairs by what is kept of them; masks that went."""
    before = {mask for pair in result.pairs for mask in pair.masks}
    result.pairs = list(kept)
    gone = before - {mask for pair in kept for mask in pair.masks}
    result.dropped |= gone
    return sorted(gone)


def _places(pair: Pair, *kinds: MarkKind) -> list[int]:
    return [place for place, mark in enumerate(pair.marks) if mark.kind in kinds]


def _take_views(result: Variants, root: Path) -> None:
    """Fields of view: what is called so, and bare masks beside those of annotators."""
    annotated = any(_places(pair, "annotator") for pair in result.pairs)
    kept = []
    views: list[Path] = []
    for pair in result.pairs:
        view = [
            place
            for place, mark in enumerate(pair.marks)
            if mark.kind == "view" or (annotated and mark.bare)
        ]
        if view:
            path = pair.masks[view[0]] if len(view) == 1 else None
            pair = pair.keep(place for place in range(len(pair.masks)) if place not in view)
            pair = replace(pair, field_of_view=path)
            views += [path] if path else []
        kept.append(pair)
    _drop(result, kept)
    if views:
        text = f"{glob_of(views, root)} are fields of view: what lies outside is ignored."
        result.notes.append(Note("field_of_view", text))


def _drop_derived(result: Variants, root: Path) -> None:
    """Pictures of masks, numbers of objects and regions of interest beside masks go unused.

    Images that have nothing else are without masks, then.
    """

    def is_spare(mark: Mark) -> bool:
        roi = "roi" in {mark.title.casefold(), *mark.title.casefold().split("_")}
        return mark.kind in {"shown", "objects"} or (roi and not mark.label)

    before = result.pairs
    kept = [
        pair.keep(place for place, mark in enumerate(pair.marks) if not is_spare(mark))
        for pair in before
    ]
    if not any(pair.masks for pair in kept):
        return
    if gone := _drop(result, kept):
        if doubt := _spare_classes(before, set(gone), root):
            result.doubts.append(doubt)
            return
        text = f"{glob_of(gone, root)} lie beside the masks and are not used; name them under "
        result.notes.append(Note("unused_masks", f"{text}`masks` in data.yaml to use them."))


def _spare_classes(pairs: Sequence[Pair], gone: set[Path], root: Path) -> Doubt | None:
    """Doubt where masks that are not used hold the two values of the others, in other places."""
    with_spare = [pair for pair in pairs if gone & set(pair.masks)]
    files: dict[bool, dict[str, list[Path]]] = {True: defaultdict(list), False: defaultdict(list)}
    for pair in with_spare:
        for mask, mark in zip(pair.masks, pair.marks, strict=True):
            name = mark.text or mark.extra or mark.name or mark.title
            files[mask in gone][name.replace(" ", "_")].append(mask)
    masks = {side: [m for each in files[side].values() for m in each] for side in files}
    colors = colors_of(masks[True])
    if 2 * len(with_spare) < len(pairs) or not 0 < len(colors) <= 2:
        return None
    if colors != colors_of(masks[False]) or _are_copies(with_spare, gone):
        return None
    globs = [
        {name: exact_glob(f, root) for name, f in files[side].items()} for side in (False, True)
    ]
    return doubt_spare(*globs) if all([*globs[0].values(), *globs[1].values()]) else None


def _are_copies(pairs: Sequence[Pair], gone: set[Path]) -> bool:
    """Whether each unused mask of some pairs shows the same pixels as another."""
    for pair in (pairs[0], pairs[len(pairs) // 2], pairs[-1]):
        shown = {mask: np.atleast_3d(read_mask(mask).values).any(axis=2) for mask in pair.masks}
        used = [pixels for mask, pixels in shown.items() if mask not in gone]
        spare = [pixels for mask, pixels in shown.items() if mask in gone]
        if not all(any(np.array_equal(one, other) for other in used) for one in spare):
            return False
    return True


def _take_first_annotator(result: Variants, root: Path) -> None:
    """Of several annotators of an image, the first; brush masks of several are a doubt."""
    kept = []
    for pair in result.pairs:
        places = _places(pair, "annotator")
        ranks = {pair.marks[place].text for place in places}
        if len(ranks) > 1:
            first = min(ranks)
            pair = pair.keep(
                place
                for place, mark in enumerate(pair.marks)
                if place not in places or mark.text == first
            )
        kept.append(pair)
    if gone := _drop(result, kept):
        text = f"The masks of another annotator, {glob_of(gone, root)}, are not used; name them "
        text += "under `masks` in data.yaml to score against them."
        result.notes.append(Note("second_annotator", text))
    result.doubts += doubt_annotations(result.pairs, root)


def _decide(result: Variants, root: Path) -> None:
    """Whether the masks that are left hold everything, or are classes or objects, one a file."""
    stated = {mark.label for pair in result.pairs for mark in pair.marks if mark.label}
    if stated:
        result.pairs = [
            replace(pair, classes=tuple(mark.label for mark in pair.marks)) for pair in result.pairs
        ]
        return
    files_of: dict[Path, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for pair in result.pairs:
        for mask, mark in zip(pair.masks, pair.marks, strict=True):
            if mark.kind == "class":
                files_of[pair.source][mark.text].append(mask)
    several = {name for files in files_of.values() if len(files) > 1 for name in files}
    counts = Counter(
        {n: sum(len(files.get(n, ())) for files in files_of.values()) for n in several}
    )
    recur = len(several) <= max(1, counts.total() // 2)
    multiple = [pair for pair in result.pairs if len(pair.masks) > 1]
    if len(several) > 1 and recur:
        _as_classes(result, sorted(several), root)
        return
    places = {(mark.title, mark.extra) for pair in multiple for mark in pair.marks}
    if len(places) > 1 and not several:
        result.doubts.append(doubt_folders(result.pairs, len(multiple), root))
        return
    beside = Counter(name for pair in multiple for name in {mark.text for mark in pair.marks})
    half = max(2, len(multiple) / 2)
    mixed = any(len({mark.text for mark in pair.marks}) > 1 for pair in multiple)
    if mixed and any(name and count >= half for name, count in beside.items()):
        _as_classes(result, [name for name in beside if name], root)
        return
    result.objects |= bool(multiple)
    result.doubts += doubt_numbers(result.pairs, root)


def _as_classes(result: Variants, names: Sequence[str], root: Path) -> None:
    """Give every mask its class; masks without one beside them are a doubt."""
    marks = [mark for pair in result.pairs for mark in pair.marks if mark.text in names]
    short = short_names(marks)
    files: dict[str, list[Path]] = defaultdict(list)
    others: list[Path] = []
    for place, pair in enumerate(result.pairs):
        classes = [short.get(mark.text, "") for mark in pair.marks]
        for mask, name in zip(pair.masks, classes, strict=True):
            (files[name] if name else others).append(mask)
        result.pairs[place] = replace(pair, classes=tuple(classes))
    globs = {name: glob_of(files[name], root) for name in short.values()}
    if all(name.isdecimal() for name in globs):
        result.doubts.append(doubt_numbered_folders(globs))
    if others:
        result.doubts.append(doubt_others(others, globs, root))
    shown = first_few([f"{name}: {glob!r}" for name, glob in globs.items()], _MAX_SHOWN)
    text = f"Each mask file holds one class, which its name or folder states: {shown}."
    result.notes.append(Note("class_files", text))
