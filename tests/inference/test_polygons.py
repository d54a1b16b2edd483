import itertools
import json

import numpy as np
import pytest
import tifffile

from maskwright.imageio.geo import tags_of
from maskwright.imageio.write import write_large_layers, write_large_mask
from maskwright.inference.large.polygons import write_polygons
from maskwright.labels import Labels

rasterio = pytest.importorskip("rasterio")

LABELS = Labels.create(["background", "roof", "tree"])
MASK = np.array(
    [
        [0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 0, 1, 0],
        [0, 1, 1, 1, 2],
        [255, 0, 0, 0, 0],
    ],
    np.uint8,
)


def polygons_of(folder, geo=None):
    def rows(top, bottom):
        return MASK[top:bottom]

    write_large_mask(folder / "mask.tif", rows, MASK.shape, LABELS.colors, geo)
    number = write_polygons(folder / "mask.tif", folder / "mask.geojson", LABELS, background=0)
    found = json.loads((folder / "mask.geojson").read_text())
    assert number == len(found["features"])
    return found


def test_regions_become_polygons_with_holes(tmp_path):
    found = polygons_of(tmp_path)
    assert "pixels" in found["coordinates"]
    tree, roof = sorted(found["features"], key=lambda feature: feature["properties"]["area_px"])
    for feature, expected in (
        (roof, {"class": "roof", "label": 1, "area_px": 8}),
        (tree, {"class": "tree", "label": 2, "area_px": 1}),
    ):
        assert feature["properties"].items() >= expected.items()
        # As QuPath reads annotations and their classes.
        assert feature["properties"]["objectType"] == "annotation"
        color = list(LABELS.colors[expected["label"]])
        said = {"name": expected["class"], "color": color}
        assert feature["properties"]["classification"] == said
    outline, hole = roof["geometry"]["coordinates"]
    assert set(map(tuple, outline)) == {(1, 1), (4, 1), (4, 4), (1, 4)}
    assert set(map(tuple, hole)) == {(2, 2), (3, 2), (3, 3), (2, 3)}
    assert outline[0] == outline[-1]

    def turn(ring):  # twice the area, positive from x to y
        return sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring))

    assert (turn(outline), turn(hole)) == (18, -2)


def test_coordinates_are_longitude_and_latitude_and_areas_meters(tmp_path):
    # The central meridian of zone 40, 57° E, lies at 500,000 m; 2,765,000 m is near 25° N.
    transform = rasterio.transform.from_origin(500_000, 2_765_000, 2, 2)
    found = polygons_of(tmp_path, tags_of(rasterio.CRS.from_epsg(32640), transform))
    assert "coordinates" not in found
    roof = max(found["features"], key=lambda feature: feature["properties"]["area_px"])
    assert roof["properties"] == {"class": "roof", "label": 1, "area_px": 8, "area_m2": 32.0}
    corner = min(roof["geometry"]["coordinates"][0], key=lambda point: (point[0], -point[1]))
    # Two meters east and south of the corner of the image; 0.9996 is the scale on the meridian.
    meters_east = 2 / 0.9996 / (111_320 * np.cos(np.radians(25)))
    assert corner[0] == pytest.approx(57 + meters_east, abs=2e-7)
    assert corner[1] == pytest.approx(24.998, abs=0.01)


def test_tifffile_reads_labels_and_layers_of_large_images_as_planes(tmp_path):
    """As napari and Fiji do: labels by row and column, layers behind each other with names."""

    def rows(top, bottom):
        return MASK[top:bottom]

    def layer(top, bottom):
        return (MASK[top:bottom] == 1).astype(np.uint8)

    write_large_mask(tmp_path / "mask.tif", rows, MASK.shape, LABELS.colors)
    write_large_layers(tmp_path / "layers.tif", {"roof": layer, "wall": layer}, MASK.shape)
    with tifffile.TiffFile(tmp_path / "mask.tif") as file:
        assert (len(file.series), file.series[0].axes) == (1, "YX")
        np.testing.assert_array_equal(file.asarray(), MASK)
    with tifffile.TiffFile(tmp_path / "layers.tif") as file:
        assert (len(file.series), file.series[0].axes) == (1, "IYX")
        assert [page.tags["PageName"].value for page in file.pages] == ["roof", "wall"]
        np.testing.assert_array_equal(file.asarray() > 0, np.stack([MASK == 1] * 2))
