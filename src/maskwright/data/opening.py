"""Open a data set: recognize it, probe its files, infer what is not stated, make its splits."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from maskwright.arguments import check_options, checked
from maskwright.data.cases.duplicates import unite_duplicates as unite
from maskwright.data.dataset import DataSet
from maskwright.data.encodings.evidence import lossy_masks
from maskwright.data.opening_notes import object_notes, opening_notes
from maskwright.data.readers.class_files import read_class_files
from maskwright.data.readers.description import MULTILABEL, READING, Description, write_description
from maskwright.data.readers.leftovers import settle_leftovers
from maskwright.data.readers.mask_fit import nodata_remarks
from maskwright.data.readers.probe import classes_by_sample, probe
from maskwright.data.readers.resolve import list_samples
from maskwright.data.readers.stated_encoding import encoding_of, stated_meanings, stated_values
from maskwright.data.readers.tables import add_instance_files, assign_cases
from maskwright.data.rivals import compare_rivals
from maskwright.data.samples import CALIBRATION, Doubt, Note, Sample, counted
from maskwright.data.splits import assign_splits, make_fold
from maskwright.data.views import with_view
from maskwright.errors import ConfigError, DataError
from maskwright.labels import IGNORE_LABEL


class OpenOptions(TypedDict, total=False):
    """How a data set is opened.

    Args:
        group_by: Column of the manifest or of groups.csv that holds the case of a sample, or a
            pattern whose first group, searched in the id of a sample, is its case.
        val_share: Share of samples for validation where no such split is given, 0 for none;
            `None` for what data.yaml says, else 0.1.
        test_share: The same for testing; 0.15.
        calibration_share: The same for calibration, of what would train; 0. Testing and validation
            are the same with and without it.
        seed: Decides, with the names of the cases, which samples these are; 0. Not the seed of a
            training run: a model must be scored on the division that it was trained on.
        fold: `(2, 5)` divides training and validation samples into five folds, by case and
            stratified, holds the second out as the split `"held_out"` and trains on the others.
        unite_duplicates: Whether cases with images that show the same, or nearly, become one
            group, which no split that is made parts; stated splits stay. Reads every image.
        scaled_masks: Whether a mask may be larger or smaller than its image, with the same aspect.
        empty_is_background: Whether images without a mask show background, whatever data.yaml says.
    """

    group_by: str | None
    val_share: float | None
    test_share: float | None
    calibration_share: float | None
    seed: int | None
    fold: tuple[int, int] | None
    unite_duplicates: bool
    scaled_masks: bool
    empty_is_background: bool


@checked
def open_dataset(source: str | Path, **options: Unpack[OpenOptions]) -> DataSet:
    """Open images with masks, whatever their layout.

    A data.yaml in the folder wins over what would be inferred, and arguments over both. Pairs
    that cannot be used are skipped and listed.

    Args:
        source: Folder, CSV manifest, data.yaml, JSON file of COCO, or `tfds:NAME`.

    Raises:
        DataError: If nothing is recognized or usable, or the files allow two readings, which
            data.yaml must settle.
        ConfigError: If data.yaml or an argument is wrong.
    """
    check_options("open_dataset", options, OpenOptions)
    dataset = open_with_doubts(source, **options)
    if dataset.doubts:
        first, *others = dataset.doubts
        more = f" {counted(len(others), 'more doubt')}: see `maskwright check`." if others else ""
        raise DataError(f"{source}: {first}{more}")
    return with_view(dataset)


def open_with_doubts(source: str | Path, **options: Unpack[OpenOptions]) -> DataSet:
    """As `open_dataset`, but with `doubts` where the files allow two readings, to look at it."""
    if unknown := options.keys() - OpenOptions.__annotations__:
        raise TypeError(f"`open_dataset` has no option {', '.join(sorted(unknown))}.")
    place, layout = list_samples(source)
    root, description = place.path, place.description or Description()
    if options.get("empty_is_background"):
        description = description.model_copy(update={"unannotated": "background"})
    settle_leftovers(layout, description, None if place.title else root)
    seed = _first(options.get("seed"), description.seed, 0)
    val_share = _first(options.get("val_share"), description.val_share, 0.1)
    test_share = _first(options.get("test_share"), description.test_share, 0.15)
    group_by = options.get("group_by")
    group_by = description.group_by if group_by is None else group_by
    unite_duplicates = options.get("unite_duplicates", False) or description.unite_duplicates
    scaled_masks, fold = options.get("scaled_masks", False), options.get("fold")
    calibration_share = _first(options.get("calibration_share"), description.calibration_share, 0)
    shares = {"val": val_share, CALIBRATION: calibration_share, "test": test_share}
    splits = {sample.split or "train" for sample in layout.samples}
    absent = [split for split, share in shares.items() if share and split not in splits]
    created = absent if "train" in splits else []  # of training samples
    probed = probe(root, layout.samples, seed, scaled_masks, description.mask_orientation)
    contents, class_map = list(probed.contents.values()), layout.class_map
    try:
        if layout.has_class_files:
            read = read_class_files(probed.samples, probed.contents, class_map, place)
            probed.samples, encoding, labels, doubts = read
        else:
            encoding, labels, doubts = encoding_of(contents, class_map, layout.objects, description)
    except DataError as error:  # after doubts, which may be on what masks are meant
        raise DataError(" ".join(map(str, layout.doubts)) or str(error)) from None
    remarks = [
        *probed.fit.remarks,
        *nodata_remarks(contents, stated_meanings(description), stated_values(encoding, labels)),
    ]
    if description.overlap is not None:
        _check_overlap(probed.samples, description.overlap, root)
    samples, case_from = assign_cases(root, probed.samples, layout, group_by)
    if encoding.kind == "objects":
        instances = description.objects != "united"
    elif encoding.kind == "layers":
        instances = description.objects == "instances" or layout.objects
    else:
        samples = add_instance_files(root, samples)
        instances = all(sample.instances is not None for sample in samples)
        instances = instances or description.objects == "components"
    samples, copies = unite(samples) if unite_duplicates else (samples, [])
    classes = classes_by_sample(samples, probed.contents, encoding)
    samples = assign_splits(samples, classes, val_share, test_share, seed, root, calibration_share)
    if fold is not None:
        samples = make_fold(samples, classes, *fold, seed)
    skipped = (*layout.skipped, *probed.skipped)
    stated = description.model_dump(exclude_defaults=True, include=set(READING))
    stated |= {"val_share": val_share, "test_share": test_share, "seed": seed}
    if calibration_share:
        stated["calibration_share"] = calibration_share
    if group_by is not None:
        stated["group_by"] = group_by
    if unite_duplicates:
        stated["unite_duplicates"] = True
    if description.mask_orientation is not None:
        stated["mask_orientation"] = description.mask_orientation
    # Of what was converted, no user stated how masks are stored.
    converted = f"The masks are drawn from the {place.title}."
    first = Note("encoding", converted if place.title else encoding.explanation)
    dataset = DataSet(
        root=root,
        layout=layout.name,
        samples=tuple(samples),
        labels=labels,
        encoding=encoding,
        channels=probed.channels,
        dtype=probed.dtype,
        notes=(
            first,
            *object_notes(samples, description.objects == "components"),
            *lossy_masks(contents),
            *layout.notes,
            *(remark for remark in remarks if isinstance(remark, Note)),
            *opening_notes(copies, created, seed, skipped),
        ),
        instances=instances,
        components=description.objects == "components",
        multilabel=description.overlap == MULTILABEL,
        skipped=skipped,
        stated=stated,
        case_from=case_from,
        headers=probed.headers,
        origin=str(source),
        doubts=(*layout.doubts, *doubts, *(r for r in remarks if isinstance(r, Doubt))),
        fit=probed.fit.fit,
    )
    return compare_rivals(dataset, layout.rivals, description.classes is not None)


def _check_overlap(samples: Sequence[Sample], overlap: object, root: Path) -> None:
    """Raise `ConfigError` where `overlap` is stated of masks in which classes cannot overlap."""
    listed = all(s.instances or not s.masks for s in samples)
    if not listed and not any(sample.classes for sample in samples):
        raise ConfigError(
            f"data.yaml states `overlap`, but a pixel of the masks in {root} has one class; "
            f"expected a mask file for each class, such as `masks: {{organ: 'masks/organ/*', "
            f"vessel: 'masks/vessel/*'}}`, or annotations of objects: name those, or leave it out."
        )


def write_yaml(dataset: DataSet, path: str | Path) -> None:
    """Write the data.yaml from which `open_dataset` gives the same data set, for people to edit."""
    path = Path(path)
    encoding, described = dataset.encoding, dataset.labels.to_dict()
    root = Path(os.path.relpath(dataset.root.resolve(), path.parent.resolve())).as_posix()
    layered = encoding.kind == "layers"
    ignored = [value for value, label in encoding.values.items() if label == IGNORE_LABEL]
    is_objects, objects = encoding.kind == "objects", ("united", "instances")[dataset.instances]
    content = {
        "root": None if root == "." else root,
        **{key: value for key, value in dataset.stated.items() if key in READING},
        "classes": described["names"],
        "colors": described["colors"],
        "encoding": encoding.kind,
        "values": None if layered else stated_values(encoding, dataset.labels),
        "ignore": ignored if layered and ignored else None,
        "threshold": encoding.threshold,
        "snap": encoding.snap or None,
        "objects": objects if is_objects else "components" if dataset.components else None,
        **{key: value for key, value in dataset.stated.items() if key not in READING},
    }
    content = {key: value for key, value in content.items() if value is not None}
    write_description(path, content, [note.text for note in dataset.notes])


def _first(*values: Any) -> Any:
    """First value that is stated."""
    return next(value for value in values if value is not None)
