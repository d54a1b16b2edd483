"""Reader of Cityscapes: its 19 classes by trainId, all else ignored, and its objects by number."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.description import OWN_LAYOUT, described_labels
from maskwright.data.readers.manifest import write_described
from maskwright.data.samples import Note, Sample, counted
from maskwright.errors import DataError
from maskwright.imageio import natural_key, read_mask, write_mask
from maskwright.labels import IGNORE_LABEL, Labels, parse_color

_FORMAT = 1  # of the files written; another number has them written anew
LABELS_ENDING = "_gtFine_labelIds.png"
OBJECTS_ENDING = "_gtFine_instanceIds.png"
IMAGES_ENDING = "_leftImg8bit.png"
PER_CLASS = 1000  # numbers of objects are the id of the class times this, and a count
CLASSES: dict[str, tuple[int, str]] = {
    **{"road": (7, "#804080"), "sidewalk": (8, "#F423E8"), "building": (11, "#464646")},
    **{"wall": (12, "#66669C"), "fence": (13, "#BE9999"), "pole": (17, "#999999")},
    **{"traffic light": (19, "#FAAA1E"), "traffic sign": (20, "#DCDC00")},
    **{"vegetation": (21, "#6B8E23"), "terrain": (22, "#98FB98"), "sky": (23, "#4682B4")},
    **{"person": (24, "#DC143C"), "rider": (25, "#FF0000"), "car": (26, "#00008E")},
    **{"truck": (27, "#000046"), "bus": (28, "#003C64"), "train": (31, "#005064")},
    **{"motorcycle": (32, "#0000E6"), "bicycle": (33, "#770B20")},
}
"""Names of the classes in the order of their trainIds, with the id in the files and the color."""


@dataclass(frozen=True)
class _Scene:
    """Files of an image: `city_sequence_frame` is its name."""

    name: str
    split: str
    image: Path
    labels: Path

    @property
    def objects(self) -> Path:
        """File of the numbers of its objects, which need not exist."""
        return self.labels.with_name(f"{self.name}{OBJECTS_ENDING}")


def _recognize(place: Place) -> Recognition | None:
    root = place.path
    stated = place.description.model_fields_set if place.description else set()
    if stated & OWN_LAYOUT or not (root / "leftImg8bit").is_dir():
        return None
    files = sorted(
        (root / "gtFine").glob(f"*/*/*{LABELS_ENDING}"), key=lambda f: natural_key(str(f))
    )
    return (
        Recognition(1.0, f"gtFine/*/*/*{LABELS_ENDING}", partial(_read, place, files))
        if files
        else None
    )


CITYSCAPES = Reader("Cityscapes", "the folder of Cityscapes", _recognize)


def _read(place: Place, files: Sequence[Path]) -> Place:
    scenes = []
    for file in files:
        split, city = file.relative_to(place.path / "gtFine").parts[:2]
        name = file.name.removesuffix(LABELS_ENDING)
        image = place.path / "leftImg8bit" / split / city / f"{name}{IMAGES_ENDING}"
        scenes.append(_Scene(name, split, image, file))
    sources = [path for s in scenes for path in (s.image, s.labels, s.objects) if path.is_file()]
    return convert(place, CITYSCAPES.name, _FORMAT, sources, partial(_write, place.path, scenes))


def _write(root: Path, scenes: Sequence[_Scene], folder: Path) -> list[Note]:
    labels = Labels.create(list(CLASSES), [parse_color(color) for _, color in CLASSES.values()])
    results = list(in_threads(partial(_draw, folder, labels), scenes, "Reading Cityscapes"))
    samples = [result for result in results if isinstance(result, Sample)]
    notes = []
    if missing := [scene for scene, result in zip(scenes, results, strict=True) if result is None]:
        text = (
            f"{counted(len(missing), 'image')} left out, the first {missing[0].name}: none of its "
            f"pixels has a class, as in the test split, whose annotations are not published."
        )
        notes.append(Note("unannotated", text))
    if faults := [result for result in results if isinstance(result, DataError)]:
        text = f"Skipped: {counted(len(faults), 'image')}, the first: {faults[0]}"
        notes.append(Note("broken_annotations", text, len(faults), len(scenes)))
    if not samples:
        raise DataError(f"{root} holds no image of Cityscapes that can be used: {notes[0].text}")
    stated = described_labels(labels) | {"ignore": [IGNORE_LABEL]}
    write_described(folder, samples, stated, [f"From {root}."])
    return notes


def _draw(folder: Path, labels: Labels, scene: _Scene) -> Sample | DataError | None:
    """Write labels and objects of an image; `None` where no pixel has a class."""
    train_id = np.full(2**16, IGNORE_LABEL, np.uint8)
    train_id[[id_ for id_, _ in CLASSES.values()]] = range(len(CLASSES))
    try:
        if not scene.image.is_file():
            raise DataError(f"{scene.labels} has no image {scene.image}.")
        classes = train_id[_ids(scene.labels)]
        numbers = _ids(scene.objects) if scene.objects.is_file() else None
    except DataError as error:
        return error
    if (classes == IGNORE_LABEL).all():
        return None
    mask = folder / "masks" / f"{scene.name}.png"
    write_mask(mask, classes, labels.colors)
    instances = None
    if numbers is not None:
        is_object = (numbers >= PER_CLASS) & (classes != IGNORE_LABEL)
        _, counts = np.unique(np.where(is_object, numbers, 0), return_inverse=True)
        counts = counts.reshape(numbers.shape) + (0 if (~is_object).any() else 1)
        instances = folder / "instances" / f"{scene.name}.png"
        write_mask(instances, counts)
    case = scene.name.rpartition("_")[0]  # one drive through a city
    return Sample(
        scene.name, scene.image, (mask,), case or scene.name, scene.split, instances=instances
    )


def _ids(path: Path) -> np.ndarray:
    values = read_mask(path).values
    if values.ndim != 2 or values.min(initial=0) < 0 or values.max(initial=0) >= 2**16:
        raise DataError(f"{path} holds other values than ids of Cityscapes; expected 0 to 65535.")
    return values
