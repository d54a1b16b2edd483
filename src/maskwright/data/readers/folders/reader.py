"""Reader of folders of images and masks, whatever their layout."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from maskwright.data.encodings.class_map import CAMVID, PETS, VOC, named_as_voc
from maskwright.data.readers.base import Layout, Place, Reader, Recognition
from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.class_pages import doubt_colors, find_layers, split_layers
from maskwright.data.readers.folders.described import described_folders
from maskwright.data.readers.folders.doubts import doubt_shifted
from maskwright.data.readers.folders.marks import Pair
from maskwright.data.readers.folders.pairing import Pairing
from maskwright.data.readers.folders.pairs import pair_folders
from maskwright.data.readers.folders.paths import labels_and_cases
from maskwright.data.readers.folders.variants import resolve_variants
from maskwright.data.samples import Sample, examples, first_few, unique_ids
from maskwright.imageio import natural_key
from maskwright.imageio.arrays import holds_objects
from maskwright.imageio.dicom.files import dicom_origin

_DICOM = ".dcm"

PUBLISHED = (
    ({"annotations/trimaps"}, "Oxford-IIIT Pet", PETS),
    ({"trainannot", "valannot", "testannot"}, "SegNet's CamVid (train, trainannot, …)", CAMVID),
    ({"segmentationclass"}, "PASCAL VOC", VOC),
)
"""Public data sets by the names of their folders of masks, some within another; their classes."""


def _recognize(place: Place) -> Recognition | None:
    description = place.description or Description()
    if not place.path.is_dir() or description.manifest is not None:
        return None
    pairing = pair_folders(
        described_folders(place.path, description), description.pair_by == "order"
    )
    if not pairing.pairs:
        return None
    is_stated = description.images is not None or description.masks is not None
    confidence = 1.0 if is_stated else 0.8
    return Recognition(confidence, pairing.style, partial(_read, place, pairing))


FOLDERS = Reader(
    "folders of images and masks",
    "a folder of images and masks",
    _recognize,
)


def _read(place: Place, pairing: Pairing) -> Layout | Place:
    """Samples of paired folders, with labels, cases and splits by folders."""
    root, description = place.path, place.description or Description()
    variants = resolve_variants(pairing.pairs, root)
    masked = {pair.image for pair in pairing.pairs if pair.masks}
    pairs = [pair for pair in variants.pairs if pair.masks or pair.image not in masked]
    bare = [pair for pair in variants.pairs if not pair.masks and pair.image in masked]
    maskless = [*bare, *pairing.unpaired]
    samples = _samples([*pairs, *maskless])
    layout = Layout(pairing.style, samples[: len(pairs)], case_from="folder")
    layout.maskless = samples[len(pairs) :]
    layout.skipped = [f for f in pairing.skipped if f.path not in variants.dropped]
    layout.objects = variants.objects
    layout.notes += variants.notes
    layout.doubts += variants.doubts
    if description.objects is not None:
        layout.doubts = [d for d in layout.doubts if d.code != "numbered_masks"]
    if pairing.shifted and description.pair_by is None:
        layout.doubts.append(doubt_shifted(pairing.shifted, root))
    mask_folders = {mask.parent for sample in layout.samples for mask in sample.masks}
    names = {folder.name.casefold() for folder in mask_folders}
    within = {"/".join(folder.parts[-2:]).casefold() for folder in mask_folders}
    for published, title, class_map in PUBLISHED:
        if names and (names <= published or within <= published):
            layout.name, layout.class_map = title, class_map
    # Annotation tools write other classes into folders of these names.
    if layout.class_map is VOC and not named_as_voc([sample.id for sample in samples]):
        layout.class_map = None
    _note_paths(layout)
    _note_objects(layout)
    layout.find_names(root)
    layers = find_layers(layout.samples)
    if layers.or_colors and description.overlap is None:
        if description.encoding is None and description.values is None:
            layout.doubts.append(doubt_colors(layout.class_map))
        return layout
    return split_layers(place, layout, layers.number) if layers.number else layout


def _with_origin(sample: Sample) -> Sample:
    """Sample with the patient and the spacing that a DICOM file states."""
    if sample.image.suffix.lower() != _DICOM:
        return sample
    patient, spacing = dicom_origin(sample.image)
    return replace(sample, case=patient or sample.case, spacing_mm=spacing)


def _samples(pairs: Sequence[Pair]) -> list[Sample]:
    ids = unique_ids([(pair.split or "", *pair.rest, pair.image.stem) for pair in pairs])
    labels, cases = labels_and_cases([(pair.split, pair.rest) for pair in pairs])
    samples = [
        Sample(
            id_,
            pair.image,
            pair.masks,
            case or id_,
            pair.split,
            label,
            classes=pair.classes,
            field_of_view=pair.field_of_view,
        )
        for id_, pair, label, case in zip(ids, pairs, labels, cases, strict=True)
    ]
    return [_with_origin(sample) for sample in samples]


def _note_paths(layout: Layout) -> None:
    """Tell which folders are labels and cases."""
    labels = sorted({s.label for s in layout.samples if s.label is not None})
    if labels:
        text = f"The folders {first_few(labels, 4)} are taken for labels of whole images."
        layout.note("labels", text)
    shared = sorted({s.case for s in layout.samples if s.case != s.id}, key=natural_key)
    if any(sample.image.suffix.lower() == _DICOM for sample in layout.samples):
        layout.case_from = "PatientID"
        layout.note("cases", "Cases are the patients that the DICOM files state.")
    elif shared:
        text = f"The folders {first_few(shared, 4)} are taken for cases, which no split parts."
        layout.note("cases", text)


def _note_objects(layout: Layout) -> None:
    """Tell which files beside images and masks are passed over, as those of Cellpose."""
    files = [file for sample in layout.samples for file in (sample.image, *sample.masks)]
    arrays = [path for folder in sorted({f.parent for f in files}) for path in folder.glob("*.npy")]
    if objects := sorted(path.name for path in arrays if holds_objects(path)):
        text = f"{examples(objects)} hold Python objects, as Cellpose writes them, and are not "
        layout.note("object_arrays", f"{text}read.")
