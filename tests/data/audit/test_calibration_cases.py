"""What is refused of a calibration split: frames, copies and cases that only look like new ones."""

import shutil

import numpy as np
import pytest

from maskwright.data import open_dataset
from maskwright.data.audit import audit
from maskwright.data.audit.calibration_cases import check_calibration_cases
from maskwright.data.synthetic.datasets import draw_scene
from maskwright.errors import DataError
from maskwright.imageio import write_image


def write_scene(folder, name, scene, left=0):
    for kind, pixels in (("images", scene.image), ("masks", scene.labels[..., None])):
        write_image(folder / kind / f"{name}.png", pixels[:96, left : left + 96])


@pytest.fixture
def data(tmp_path):
    """Scenes of their own, twelve to train with and six to calibrate with."""
    for number in range(18):
        scene = draw_scene(np.random.default_rng(number), 96)
        folder = tmp_path / ("train" if number < 12 else "calibration")
        write_scene(folder, f"cat_{number}", scene)
    return tmp_path


def found(data, split="calibration"):
    """The refusal, `""` for none; of `calibration`, the audit tells the same."""
    told = [f.message for f in audit(data).findings if f.code == "calibration_cases"]
    try:
        check_calibration_cases(open_dataset(data), split)
        refusal = ""
    except DataError as error:
        refusal = str(error)
    assert split != "calibration" or bool(told) == bool(refusal)
    return refusal


def test_cases_of_their_own_can_be_calibrated_on(data):
    assert found(data) == ""
    with pytest.raises(DataError, match="no split 'other'"):
        check_calibration_cases(open_dataset(data), "other")


def test_frames_of_a_video_are_refused_until_they_are_grouped(data):
    scene = draw_scene(np.random.default_rng(99), 256)
    for frame in range(0, 80, 8):
        write_scene(data / "calibration", f"Seq05VD_f{frame:05}", scene, frame)
    text = found(data)
    assert "calibration split holds frames of 1 video (Seq05VD_f…) that are no cases" in text
    assert "State `group_by: (.+)_` and `splits: {}` in data.yaml" in text
    (data / "data.yaml").write_text("group_by: '(Seq05VD|cat_.+)'")
    assert found(data) == ""


def test_copies_are_refused_until_they_are_united_in_one_split(data):
    copy = data / "calibration" / "images" / "cat_13.png"
    shutil.copy(copy, copy.with_name("copy.png"))
    shutil.copy(
        data / "calibration" / "masks" / "cat_13.png", data / "calibration" / "masks" / "copy.png"
    )
    text = found(data)
    assert "cat_13 (calibration) = copy (calibration)" in text
    assert "`unite_duplicates: true`" in text
    (data / "data.yaml").write_text("unite_duplicates: true")
    assert found(data) == ""
    for kind in ("images", "masks"):
        shutil.move(data / "calibration" / kind / "copy.png", data / "train" / kind / "copy.png")
    assert "1 case of the calibration split also in train: cat_13" in found(data)


def test_a_split_for_another_purpose_is_held_to_the_same(data):
    (data / "data.yaml").write_text(
        "{group_by: '(cat_1?)', splits: {train: ['*'], val: ['cat_1*']}}"
    )
    assert found(data, "val") == ""
    (data / "data.yaml").write_text("{group_by: '(cat)', splits: {train: ['*'], val: ['cat_1*']}}")
    assert "1 case of the val split also in train: cat" in found(data, "val")
