"""Folders of images and masks that a data.yaml states, or that their names tell."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from glob import iglob
from pathlib import Path

from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.class_folders import with_class_folders
from maskwright.data.readers.folders.pair_matching import split_folder
from maskwright.data.readers.folders.roles import Folder, image_folders, role_of_file
from maskwright.data.samples import grouped
from maskwright.errors import DataError
from maskwright.imageio import is_image, natural_key


def described_folders(
    root: Path, description: Description, is_wanted: Callable[[Path], bool] = is_image
) -> list[Folder]:
    """Folders with images, with the roles that are stated, else those in their names.

    `is_wanted` tells images, or volumes, by their names. `DataError` where a stated place holds
    none.
    """
    images, masks = description.images, description.masks
    every = image_folders(root, is_wanted)
    stated = partial(_stated, root, every, is_wanted)
    views: list[Folder] = []
    if description.field_of_view is not None:
        views = stated(description.field_of_view, "mask")
        views = [replace(folder, title="fov") for folder in views]
        every = _without(every, views)
    if images is None and masks is None:
        return with_class_folders(every, root) + views
    if masks is None:  # both lie in the same folder
        return _without(stated(images or ".", ""), views) + views
    classes = masks if isinstance(masks, dict) else {"": masks}
    mask_folders = [
        replace(folder, label=name)
        for name, pattern in classes.items()
        for folder in stated(pattern, "mask")
    ]
    roles = {folder.path: folder.role for folder in every}
    folders = _without(stated(images or ".", "image"), mask_folders + views)
    if images is None:  # folders of other masks are none of images, and so are masks beside these
        folders = [f for f in folders if roles.get(f.path) not in {"mask", "objects"}] or folders
        shared = {folder.path for folder in mask_folders}
        folders = [_images_alone(f) if f.path in shared else f for f in folders]
    return folders + mask_folders + views


def _images_alone(folder: Folder) -> Folder:
    """Folder without the files whose names are those of masks."""
    named = tuple(path for path in folder.files if role_of_file(path) == "image")
    plain = {path.with_suffix("") if path.suffix == ".gz" else path: path for path in folder.files}
    return replace(folder, files=named or tuple(plain[p] for p in split_folder([*plain])[0]))


def _without(folders: Sequence[Folder], others: Sequence[Folder]) -> list[Folder]:
    """Folders without the files of others."""
    used = {path for folder in others for path in folder.files}
    left = [replace(f, files=tuple(p for p in f.files if p not in used)) for f in folders]
    return [folder for folder in left if folder.files]


def _stated(
    root: Path,
    every: Sequence[Folder],
    is_wanted: Callable[[Path], bool],
    pattern: str,
    role: str,
) -> list[Folder]:
    """Folders of the images that a data.yaml states, all in the same role."""
    if (root / pattern).is_dir():
        return [replace(f, role=role) for f in image_folders(root / pattern, is_wanted)]
    names = iglob(pattern, root_dir=root, recursive=True)  # noqa: PTH207  # takes absolute ones
    found = {root / name for name in names}
    chosen = {file for path in found for file in (path.iterdir() if path.is_dir() else [path])}
    files = [path for path in chosen if is_wanted(path) and path.is_file()]
    if not files:
        raise DataError(f"No image found for {root / pattern}, which data.yaml states.")
    known = {folder.path: folder for folder in every}
    inside = grouped(sorted(files, key=lambda p: natural_key(str(p))), lambda path: path.parent)
    return [
        replace(known.get(path, Folder(path, (), role, None, ())), files=tuple(images), role=role)
        for path, images in inside.items()
    ]
