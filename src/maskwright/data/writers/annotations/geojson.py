"""Writer of GeoJSON polygons beside images, in their coordinate system or in pixels."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.readers.annotations.geojson import georeference
from maskwright.data.samples import Sample
from maskwright.data.writers.annotations.annotation_files import (
    for_each_image,
    split_of,
    write_settings,
)
from maskwright.data.writers.annotations.image_objects import (
    ImageObject,
    ImageObjects,
    class_names,
)
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import copy_image
from maskwright.errors import DataError
from maskwright.imageio import write_text


def _write(dataset: DataSet, folder: Path) -> None:
    names = class_names(dataset)

    def write_sample(sample: Sample, scene: ImageObjects) -> None:
        image = copy_image(sample, folder / split_of(sample))
        crs, transform = georeference(image)
        content: dict[str, Any] = {"type": "FeatureCollection", "coordinates": "pixels"}
        if crs is not None:
            if (code := crs.to_epsg()) is None:
                raise DataError(f"{image} has a coordinate system without an EPSG code.")
            name = {"name": f"urn:ogc:def:crs:EPSG::{code}"}
            content = {"type": "FeatureCollection", "crs": {"type": "name", "properties": name}}
        features = [
            {
                "type": "Feature",
                "properties": {"class": names[each.label]},
                "geometry": {"type": "MultiPolygon", "coordinates": _placed(each, transform)},
            }
            for each in scene.objects
        ]
        write_text(image.with_suffix(".geojson"), json.dumps(content | {"features": features}))

    for_each_image(dataset, "GeoJSON", write_sample)
    write_settings(dataset, folder)


def _placed(each: ImageObject, transform: Any) -> list[list[list[list[float]]]]:
    """Closed rings of an object, in the coordinates of the image."""
    placed = []
    for part in each.parts:
        rings = []
        for ring in part:
            points = np.reshape(ring, (-1, 2)).tolist()
            points = [[*(transform * point)] for point in points] if transform else points
            rings.append([*points, points[0]])
        placed.append(rings)
    return placed


GEOJSON_WRITER = Writer(
    "geojson",
    "GeoJSON polygons beside GeoTIFF files",
    _write,
    objects=True,
    overlaps=True,
    shapes=True,
)
