"""Reader of folders of images and masks, whatever their layout, with the splits of lists beside."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from maskwright.data.encodings.class_map import CAMVID, PETS, VOC, named_as_voc
from maskwright.data.encodings.legends import find_class_map
from maskwright.data.readers.base import Layout, Place, Reader, Recognition
from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.pairs import Pairing, pair_folders
from maskwright.data.readers.folders.roles import Folder, image_folders
from maskwright.data.readers.split_files import split_by_lists
from maskwright.data.samples import Sample, first_few, grouped, unique_ids
from maskwright.imageio import find_images, natural_key
from maskwright.imageio.dicom.files import dicom_origin

_DICOM = ".dcm"

PUBLISHED = (
    ({"trimaps"}, "Oxford-IIIT Pet", PETS),
    ({"trainannot", "valannot", "testannot"}, "SegNet's CamVid (train, trainannot, …)", CAMVID),
    ({"segmentationclass"}, "PASCAL VOC", VOC),
)
"""Public data sets by the names of their folders of masks, with their classes."""


def _recognize(place: Place) -> Recognition | None:
    description = place.description or Description()
    if not place.path.is_dir() or description.manifest is not None:
        return None
    pairing = pair_folders(_folders(place.path, description))
    if not pairing.pairs:
        return None
    is_stated = description.images is not None or description.masks is not None
    confidence = 1.0 if is_stated else 0.8
    return Recognition(confidence, pairing.style, partial(_read, place.path, pairing))


FOLDERS = Reader(
    "folders of images and masks",
    "a folder of images and masks",
    "folders such as images/ and masks/ (or labels/, gt/, train/ and trainannot/) with files of "
    "equal names, x.jpg beside x_mask.png, a folder of masks for each image",
    _recognize,
)


def _folders(root: Path, description: Description) -> list[Folder]:
    """Folders with images, with the roles that are stated, else those in their names."""
    images, masks = description.images, description.masks
    if images is None and masks is None:
        return image_folders(root)
    if masks is None:  # both lie in the same folder
        return _stated_folders(root, images or ".", "")
    folders = _stated_folders(root, images or ".", "image")
    mask_folders = _stated_folders(root, masks, "mask")
    inside = {folder.path for folder in mask_folders}
    return [folder for folder in folders if folder.path not in inside] + mask_folders


def _read(root: Path, pairing: Pairing) -> Layout:
    """Samples of paired folders, with labels, cases and splits by folders and lists."""
    pairs = pairing.pairs
    ids = unique_ids([(pair.split or "", *pair.rest, pair.image.stem) for pair in pairs])
    labels, cases = labels_and_cases([pair.rest for pair in pairs])
    samples = [
        Sample(id_, pair.image, pair.masks, case or id_, pair.split, label)
        for id_, pair, label, case in zip(ids, pairs, labels, cases, strict=True)
    ]
    samples = [_with_origin(sample) for sample in samples]
    layout = Layout(pairing.style, samples, pairing.skipped, case_from="folder")
    layout.objects = pairing.objects
    of_images = sorted({label for label in labels if label is not None})
    if of_images:
        text = f"The folders {first_few(of_images, 4)} are taken for labels of whole images."
        layout.note("labels", text)
    shared = sorted({s.case for s in samples if s.case != s.id}, key=natural_key)
    if any(sample.image.suffix.lower() == _DICOM for sample in samples):
        layout.case_from = "PatientID"
        layout.note("cases", "Cases are the patients that the DICOM files state.")
    elif shared:
        text = f"The folders {first_few(shared, 4)} are taken for cases, which no split parts."
        layout.note("cases", text)
    for spare in pairing.spare:
        layout.note(
            "unused_masks",
            f"The masks in {spare.relative_to(root)} would fit as well and are not used; name the "
            f"folder under `masks` in data.yaml to use them.",
        )
    mask_folders = {mask.parent for sample in layout.samples for mask in sample.masks}
    names = {folder.name.casefold() for folder in mask_folders}
    for published, title, class_map in PUBLISHED:
        if names and names <= published:
            layout.name, layout.class_map = title, class_map
    # Annotation tools write other classes into folders of these names.
    if layout.class_map is VOC and not named_as_voc([sample.id for sample in samples]):
        layout.class_map = None
    if all(sample.split is None for sample in layout.samples):
        split_by_lists(root, layout)
    layout.class_map = find_class_map(root) or layout.class_map
    return layout


def _with_origin(sample: Sample) -> Sample:
    """Sample with the patient and the spacing that a DICOM file states."""
    if sample.image.suffix.lower() != _DICOM:
        return sample
    patient, spacing = dicom_origin(sample.image)
    return replace(sample, case=patient or sample.case, spacing_mm=spacing)


def _stated_folders(root: Path, pattern: str, role: str) -> list[Folder]:
    """Folders of the images that a data.yaml states, all in the same role."""
    if (root / pattern).is_dir():
        folders = image_folders(root / pattern)
        return [replace(f, role=role) for f in folders]
    files = grouped(find_images(root / pattern), lambda path: path.parent)
    # Files of a glob are paired by their names alone.
    return [Folder(path, tuple(images), role, None, ()) for path, images in files.items()]


def labels_and_cases(rests: Sequence[tuple[str, ...]]) -> tuple[list[str | None], list[str | None]]:
    """Label and case of each sample from the names of its folders.

    Folders with numbers in their names (tile_7, patient 12) are cases, others (benign, malignant)
    are labels; a single folder, or one for every sample, says nothing.
    """
    groups = Counter(rests)
    if len(groups) < 2 or len(groups) > len(rests) * 0.75:
        return [None] * len(rests), [None] * len(rests)
    depth = max(len(rest) for rest in groups)
    numbered: list[int] = []
    named: list[int] = []
    for level in range(depth):
        names = {rest[level] for rest in groups if len(rest) > level}
        if len(names) > 1:
            with_digit = sum(any(c.isdigit() for c in name) for name in names)
            (numbered if with_digit > len(names) / 2 else named).append(level)
    labels = [next((rest[n] for n in reversed(named) if n < len(rest)), None) for rest in rests]
    cases = ["/".join(r) if any(n < len(r) for n in numbered) else None for r in rests]
    return labels, cases
