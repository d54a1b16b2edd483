"""The verbs on regions as functions: awkward data, runs that stop, plans that repeat them."""

import csv
import signal
from dataclasses import fields

import numpy as np
import pytest
import tifffile

import maskwright
from drawing_regions import MEASURES as WITHOUT_PIXELS
from drawing_regions import QUICK, disc_image, draw_discs
from maskwright.api.data import CropOptions
from maskwright.data.synthetic.datasets import write_dataset
from maskwright.errors import ConfigError, DataError, TrainingError
from maskwright.export.runtime import load_keras
from maskwright.imageio import read_image, read_mask, write_image
from maskwright.model_card import MODEL_FILE, RegionCard
from maskwright.tasks.regions import CropSpec
from maskwright.training.callbacks import Previews
from maskwright.types import ignore_message

pytestmark = pytest.mark.usefixtures("uncompiled")
MEASURES = {**WITHOUT_PIXELS, "epochs": 1}
"""Trained without an encoder, sooner still."""


@pytest.fixture(scope="module")
def discs(tmp_path_factory):
    return draw_discs(tmp_path_factory.mktemp("discs") / "data", 16)


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def deep_cases(folder, count=10):
    """Two images to a case, 16 bits in five channels; one disc of a bright case is bright."""
    folder.mkdir()
    lines = ["image,mask,patient,label"]
    for case in range(count):
        label = ("dull", "bright")[case % 2]
        for view in range(2):
            image, mask = disc_image(label == "bright" and view == 0, 40, 2, seed=2 * case + view)
            five = np.dstack([image, image[..., :2]]).astype(np.uint16) * 12
            name = f"{case}_{view}"
            layout = {"photometric": "minisblack", "planarconfig": "contig"}
            tifffile.imwrite(folder / f"{name}.tif", five, **layout)
            write_image(folder / f"{name}.png", np.uint8(255) * (mask > 0)[..., None])
            lines.append(f"{name}.tif,{name}.png,p{case},{label}")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder


def test_a_plan_and_a_run_without_one_follow_the_regions(discs, tmp_path):
    path = tmp_path / "plan.yaml"
    planned = maskwright.plan_regions(discs, path, positive="bright", encoder_weights=None)
    # Of sixteen images, too few bright ones are to learn from for pixels.
    assert (planned.settings["pixels"], planned.settings["unit"]) == (False, "image")
    assert "images to learn from are" in path.read_text()
    told = []
    settings = {"positive": "bright", "variants": 1, "previews": 0, "epochs": 1}
    maskwright.train_regions(discs, tmp_path / "a", on_message=told.append, **settings)
    assert any(text.startswith("pixels=false: Only") for text in told)
    run = maskwright.train_regions(discs, tmp_path / "b", plan=path, epochs=1, previews=0)
    assert RegionCard.read(run.folder / "model_card.json").unit == "image"


def test_cases_of_several_images_in_sixteen_bits_and_five_channels(tmp_path):
    data = deep_cases(tmp_path / "data")
    told = []
    settings = {**QUICK, "outside": "channel", "pooling": "max", "measures": False}
    how = {"force": True, "on_message": told.append}  # the only case of validation is dull
    run = maskwright.train_regions(data, tmp_path / "run", **how, **settings)
    assert "All regions of a case are decided on together." in told
    card = RegionCard.read(run.folder / "model_card.json")
    assert (card.unit, card.names, card.measures) == ("case", ("dull", "bright"), ())
    assert (card.channels, card.dtype, card.outside) == (5, "uint16", "channel")

    found = maskwright.evaluate(run.folder, data, examples=1)
    assert {(one.images, len(one.regions)) for one in found.bags} == {
        ((f"{one.id[1:]}_0", f"{one.id[1:]}_1"), 4) for one in found.bags
    }
    assert (run.folder / "evaluation" / "test" / "report.html").exists()

    out = tmp_path / "out"
    result = maskwright.predict(run.folder, data, out, heat=True)
    assert (len(result.cases), result.failed) == (10, ())
    answers = rows(out / "cases.csv")
    assert (answers[3]["id"], answers[3]["images"], answers[3]["regions"]) == ("p3", "3_0;3_1", "4")
    assert {row["decided_on"] for row in rows(out / "regions.csv")} == {f"p{n}" for n in range(10)}
    assert len(list((out / "overlays").iterdir())) == 20
    assert len(list((out / "heat").iterdir())) == 40

    made = maskwright.extract_regions(data, tmp_path / "extracted", size=16, outside="channel")
    assert len(rows(made)) == 40
    assert read_image(made.parent / "crops" / "3_1-2.tif").shape == (16, 16, 6)

    image = read_image(data / "3_0.tif")
    mask = np.zeros(image.shape[:2], np.uint8)
    (empty,) = maskwright.load(run.folder)({"x": image}, {"x": mask}, case="new")
    assert (empty.id, empty.probability) == ("new", None)


@pytest.mark.slow  # tests/training holds the same of the loop that all tasks share
def test_killed_and_resumed_a_run_ends_with_the_same_weights(discs, tmp_path, monkeypatch):
    settings = {**QUICK, "checkpoint_seconds": 0, "epochs": 2}
    whole = maskwright.train_regions(discs, tmp_path / "whole", **settings)
    drawn = Previews.on_epoch_end

    def interrupted(self, epoch, logs=None):
        drawn(self, epoch, logs)
        if epoch == 0:
            signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)  # see test_fit

    with monkeypatch.context() as patched:
        patched.setattr(Previews, "on_epoch_end", interrupted)
        with pytest.raises(TrainingError, match=r"stopped by SIGTERM.* continue with --resume"):
            maskwright.train_regions(discs, tmp_path / "killed", **settings)
    assert RegionCard.read(tmp_path / "killed" / "model_card.json").stopped
    resumed = maskwright.train_regions(discs, tmp_path / "killed", resume=True)
    assert len(resumed.read_history()) == 2
    models = [load_keras(run.folder / MODEL_FILE).get_weights() for run in (whole, resumed)]
    for one, other in zip(*models, strict=True):
        np.testing.assert_array_equal(one, other)
    cards = [RegionCard.read(run.folder / "model_card.json") for run in (whole, resumed)]
    assert cards[0].temperature == cards[1].temperature


def test_a_plan_repeats_its_run(discs, tmp_path):
    first = maskwright.train_regions(discs, tmp_path / "first", **MEASURES)
    plan = first.settings_file
    again = maskwright.train_regions(discs, tmp_path / "again", plan=plan)
    assert again.read_settings() == first.read_settings()
    losses = [[row["loss"] for row in run.read_history()] for run in (first, again)]
    assert losses[0] == losses[1]
    assert again.read_environment()["data"] == first.read_environment()["data"]
    # Other data does not go on with a run.
    other = draw_discs(tmp_path / "other", 12)
    with pytest.raises(TrainingError, match=r"training data of .* has changed"):
        maskwright.train_regions(other, again.folder, resume=True, on_message=ignore_message)


def test_numbered_cells_each_with_its_label(tmp_path):
    data = write_dataset(tmp_path / "cells", num_images=12, size=64)
    settings = {**MEASURES, "positive": "spindle"}
    run = maskwright.train_regions(data, tmp_path / "run", **settings)
    card = RegionCard.read(run.folder / "model_card.json")
    assert (card.unit, card.regions) == ("region", "instances")
    dataset = maskwright.open_dataset(data)
    cells = {s.id: np.unique(dataset.read_instances(s))[1:] for s in dataset.samples}
    found = maskwright.evaluate(run.folder, data, examples=0)
    assert len(found.bags) == sum(len(cells[sample.id]) for sample in dataset.of("test"))
    result = maskwright.predict(run.folder, data, tmp_path / "out")
    assert result.failed == ()
    table = rows(tmp_path / "out" / "regions.csv")
    assert [(row["image"], row["value"]) for row in table] == [
        (name, str(value)) for name, own in cells.items() for value in own
    ]
    made = maskwright.extract_regions(data, tmp_path / "extracted", size=16)
    assert [row["area_px"] for row in rows(made)] == [row["area_px"] for row in table]
    assert len(list((tmp_path / "extracted" / "crops").glob("*.png"))) == len(table)


def test_the_reference_network_decides_on_pixels_alone(discs, tmp_path):
    settings = {"positive": "bright", "preset": "reference_cnn", "size": 16, "epochs": 1}
    run = maskwright.train_regions(discs, tmp_path / "run", **settings)
    assert RegionCard.read(run.folder / "model_card.json").measures == ()
    assert run.read_settings()["measures"] is False


def test_contradictions_are_named_and_leave_nothing(discs, tmp_path):
    out = tmp_path / "run"
    for changes, sentence in (
        ({"positive": "blue"}, "one of bright, dull; received blue"),
        ({"regions": "instances"}, "store classes, not objects"),
        ({"unit": "case"}, "No column or pattern groups"),
        ({"pooling": "median"}, "pooling cannot be 'median'"),
        ({"encoder": "vgg", "pixels": True}, "Expected an encoder of plain"),
        ({"measures": False, "pixels": False}, "needs pixels, measures or both"),
        ({"size": 8, "pixels": True, "preset": "reference_cnn"}, "10 pixels per side; received 8"),
    ):
        with pytest.raises((ConfigError, DataError), match=sentence):
            maskwright.train_regions(discs, out, **{**MEASURES, **changes})
        assert not [path for path in out.rglob("*") if path.is_file()]
    # Nothing half made stands in the way of the next try.
    maskwright.train_regions(discs, out, **MEASURES)


def test_a_broken_file_is_told_and_left_out_or_stops(tmp_path):
    data = draw_discs(tmp_path / "data", 16)
    dataset = maskwright.open_dataset(data)
    broken = dataset.of("train")[0].image
    broken.write_bytes(broken.read_bytes()[:-300])  # the header still tells a size
    told = []
    maskwright.train_regions(data, tmp_path / "run", on_message=told.append, **MEASURES)
    assert sum(str(broken) in text for text in told) == 1
    with pytest.raises(DataError, match=broken.name):
        maskwright.train_regions(data, tmp_path / "b", skip_unreadable=False, **MEASURES)


def test_masks_of_half_the_size_are_stretched_to_their_images(tmp_path):
    data = draw_discs(tmp_path / "data", 4)
    for path in data.glob("*/mask/*.png"):
        write_image(path, read_mask(path).values[::2, ::2, None])
    table = maskwright.extract_regions(data, tmp_path / "out", size=16)
    assert len(table.read_text().splitlines()) == 1 + 4
    assert not maskwright.open_dataset(data, scaled_masks=True).skipped


def test_options_of_extraction_are_those_of_a_crop_spec():
    named = {field.name for field in fields(CropSpec)}
    assert set(CropOptions.__annotations__) == named - {"kind", "min_predicted_px", "full_scale"}
