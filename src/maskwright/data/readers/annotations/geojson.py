"""Reader of GeoJSON polygons over georeferenced images, or in their pixels."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.readers.annotations.base import (
    AnnotatedImage,
    AnnotatedObject,
    Annotations,
    malformed,
)
from maskwright.data.readers.annotations.doubts import settle_unannotated
from maskwright.data.readers.annotations.files import read_json, sample_below, split_in
from maskwright.data.readers.annotations.format import AnnotationFormat, Source
from maskwright.data.readers.annotations.shapes import Polygons
from maskwright.data.samples import Note
from maskwright.errors import DataError
from maskwright.imageio import read_header
from maskwright.imageio.header import reading

_SUFFIXES = frozenset({".geojson", ".json"})
_LON_LAT = "EPSG:4326"
_CLASS_KEYS = ("class", "class_name", "classname", "category", "label")
_UNNAMED = "foreground"
_START_BYTES = 2**12
_MARGIN_PX = 8


def _recognize(path: Path) -> tuple[float, str] | None:
    files = [path] if path.is_file() else sample_below(path, _SUFFIXES)
    file = next((file for file in files if _is_geojson(file)), None)
    return (0.9 if path.is_file() else 0.7, file.name) if file else None


def _is_geojson(path: Path) -> bool:
    if path.suffix.lower() not in _SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            return b'"FeatureCollection"' in file.read(_START_BYTES)
    except OSError:
        return False


def _read(source: Source) -> Annotations:
    annotations = Annotations()
    files = [path for path in source.files if _is_geojson(path)]
    annotations.known.update(source.images.paths)
    matching = {image: _matching(image, files) for image in source.images.paths}
    single = {path for paths in matching.values() for path in paths}
    shared = [path for path in files if path not in single]
    read = cache(_features)
    empty: list[AnnotatedImage] = []
    for path, paths in matching.items():
        if not (used := paths or shared):
            annotations.skip("not_annotated", path.name)
            continue
        image = AnnotatedImage(path, [], split_in(path, source.root))
        try:
            if len(paths) > 1:
                raise DataError(f"{path} fits {paths[0]} and {paths[1]}; expected one.")
            for file in used:
                image.objects.extend(_objects(file, read(file), path))
            if paths and not image.objects and read(paths[0])[0]:
                raise DataError(f"{paths[0]} has polygons, but none lies on {path}.")
        except DataError as error:
            annotations.skip("broken_annotations", str(error))
            continue
        (annotations.images if image.objects or paths else empty).append(image)
    objects = [each for image in annotations.images for each in image.objects]
    if objects and all(each.class_name == _UNNAMED for each in objects):
        text = f"No polygon has one of the properties {', '.join(_CLASS_KEYS)}: all are of a class."
        annotations.remarks.append(Note("no_class_names", text))
    fact = "on which no polygon lies"
    settle_unannotated(annotations, empty, source.description.unannotated, fact)
    return annotations


def _matching(image: Path, files: Sequence[Path]) -> list[Path]:
    """Files of the name of an image, that beside it first."""
    paths = [path for path in files if path.stem.casefold() == image.stem.casefold()]
    beside = [path for path in paths if path.parent == image.parent]
    split = [path for path in paths if path.parent.name == image.parent.name]
    return beside or split or paths


GEOJSON = AnnotationFormat(
    "GeoJSON polygons",
    "a GeoJSON file beside images",
    _SUFFIXES,
    _recognize,
    _read,
).reader()


def _features(path: Path) -> tuple[list[Any], Any]:
    """Features of a file, and the coordinate system that it states: a name, `""` for pixels."""
    with malformed(path, "GeoJSON polygons"):
        content = read_json(path)
        features, stated = list(content["features"]), content.get("crs")
        system = str(stated["properties"]["name"]) if stated else _LON_LAT
        system = "" if "pixels" in str(content.get("coordinates", "")) else system
    return features, system


def _objects(path: Path, content: tuple[list[Any], str], image: Path) -> list[AnnotatedObject]:
    """Objects on an image, in its pixels."""
    features, system = content
    placed = _pixels(image, system)
    header = read_header(image)
    objects = []
    with malformed(path, "GeoJSON polygons"):
        for number, feature in enumerate(features, start=1):
            geometry = feature.get("geometry") or {}
            if geometry.get("type") not in ("Polygon", "MultiPolygon"):
                continue
            parts = geometry["coordinates"]
            parts = [parts] if geometry["type"] == "Polygon" else parts
            rings = [[placed(_points(ring)) for ring in part] for part in parts]
            clipped = [[_clipped(ring, header.height, header.width) for ring in p] for p in rings]
            polygons = [
                [ring.ravel().tolist() for ring in part if len(ring) > 2]
                for part in clipped
                if len(part[0]) > 2
            ]
            if polygons:
                name = _class_name(feature.get("properties") or {})
                objects.append(
                    AnnotatedObject(name, Polygons(polygons), f"{number} of {path.name}")
                )
    return objects


def _points(ring: Any) -> np.ndarray:
    points = np.array([point[:2] for point in ring], np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise DataError("expected finite coordinates")
    if len(points) > 1 and (points[0] == points[-1]).all():
        points = points[:-1]  # rings are closed
    return points


def _pixels(image: Path, system: str) -> Callable[[np.ndarray], np.ndarray]:
    """Function from points of a coordinate system to columns and rows of an image."""
    crs, transform = georeference(image) if system else (None, None)
    if crs is None or transform is None:
        if system not in ("", _LON_LAT):
            raise DataError(
                f"{image} has no coordinate system, its polygons have {system[:60]}; expected a "
                f"GeoTIFF, or polygons in pixels."
            )
        return lambda points: points
    from rasterio.errors import RasterioError
    from rasterio.warp import transform as reproject

    def place(points: np.ndarray) -> np.ndarray:
        if system == _LON_LAT and np.abs(points).max(axis=0, initial=0)[0] > 180:
            raise DataError(
                f"{image}: expected longitude and latitude, received {points[0].tolist()}; state "
                f"the coordinate system of the polygons as the member `crs` of the file, or of "
                f'pixels as `"coordinates": "pixels"`.'
            )
        try:
            x, y = reproject(system, crs, *points.T.tolist())
        except RasterioError as error:
            raise DataError(f"{image}: {str(error)[:100]}") from None
        columns, rows = ~transform * (np.array(x), np.array(y))
        return np.stack([columns, rows], axis=1)

    return place


def georeference(image: Path) -> tuple[Any, Any]:
    """Coordinate system of a GeoTIFF and its transform, `None` of an image without."""
    if image.suffix.lower() not in (".tif", ".tiff"):
        return None, None
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning
    except ImportError:
        raise DataError(
            "Polygons over georeferenced images require rasterio; install it with: pip install "
            '"maskwright[geo]"'
        ) from None
    with warnings.catch_warnings(), reading(image):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(image, driver="GTiff") as file:
            return file.crs, file.transform if file.crs else None


def _clipped(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Part of a ring within a margin around an image (Sutherland and Hodgman, 1974)."""
    for axis, sign, limit in (
        (0, 1, -_MARGIN_PX),
        (0, -1, -width - _MARGIN_PX),
        (1, 1, -_MARGIN_PX),
        (1, -1, -height - _MARGIN_PX),
    ):
        if not len(points):
            return points
        beyond = sign * points[:, axis] - limit
        clipped = []
        for place in range(len(points)):
            before, now = beyond[place - 1], beyond[place]
            if (before < 0) != (now < 0):
                share = before / (before - now)
                clipped.append(points[place - 1] + share * (points[place] - points[place - 1]))
            if now >= 0:
                clipped.append(points[place])
        points = np.array(clipped).reshape(-1, 2)
    return points


def _class_name(properties: Mapping[str, Any]) -> str:
    """Class of a feature by its properties, as QGIS and QuPath write them."""
    lowered = {str(key).casefold(): value for key, value in properties.items()}
    if isinstance(lowered.get("classification"), dict):
        return str(lowered["classification"].get("name"))
    key = next((key for key in _CLASS_KEYS if lowered.get(key) is not None), None)
    return _UNNAMED if key is None else str(lowered[key])
