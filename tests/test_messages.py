"""Wrong arguments end in one sentence that says what was expected."""

import numpy as np
import pytest

import maskwright
from made_up_models import predictor
from maskwright.config import RegionConfig, TrainConfig, read_config
from maskwright.errors import MaskwrightError


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"size": "abc"}, "size cannot be 'abc' (expected pixels, such as 128, or height and"),
        ({"size": True}, "size cannot be True (expected pixels"),
        ({"crop": [1, 2, 3]}, "crop cannot be [1, 2, 3] (expected pixels"),
        ({"encoder_widths": []}, "encoder_widths cannot be [] (expected at least one value)"),
        ({"decoder_widths": "abc"}, "decoder_widths cannot be 'abc' (expected a list)"),
        ({"fold": "abc"}, "fold cannot be 'abc' (expected a fold of several, such as 2/5)"),
        ({"augmentation": 3}, "augmentation cannot be 3 (expected names with values)"),
        ({"learning_rate": "abc"}, "learning_rate cannot be 'abc' (expected a number)"),
        ({"class_weights": 3}, "'balanced', or expected names with values)"),
    ],
)
def test_settings_of_another_kind(settings, sentence):
    with pytest.raises(MaskwrightError) as raised:
        read_config(None, settings, TrainConfig)
    assert sentence in str(raised.value)


def test_encoder_weights_none_is_none_in_python_too():
    assert read_config(None, {"encoder_weights": "none"}, RegionConfig).encoder_weights is None


def test_plans_that_are_no_file(tmp_path):
    for plan, sentence in (
        ({}, "Expected a file of settings as the plan, received a dict"),
        (tmp_path / "nope.yaml", "nope.yaml cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
    ):
        with pytest.raises(MaskwrightError, match=sentence):
            read_config(plan, {}, TrainConfig)


@pytest.mark.parametrize("image", [[[1, 2]], "photo.png", None])
def test_images_that_are_no_array(image):
    with pytest.raises(MaskwrightError, match="Expected an image as a NumPy array, received a"):
        predictor()(image)


def test_options_that_do_not_exist_or_fit(tmp_path):
    (tmp_path / "file").write_text("")
    for call, sentence in (
        (lambda: maskwright.predict("m", "i", tmp_path, foo=1), "`predict` has no option foo; its"),
        (lambda: maskwright.evaluate("m", "d", foo=1), "`evaluate` has no option foo"),
        (lambda: maskwright.check(tmp_path, strength="foo"), "augmentation of none, light"),
        (lambda: predictor().adjusted(threshold=3), "`threshold` must be less than 1; received 3"),
        (
            lambda: maskwright.train("d", tmp_path / "file" / "run", encoder="plain"),
            "d does not exist",
        ),
    ):
        with pytest.raises(MaskwrightError, match=sentence):
            call()


def test_folders_and_files_in_the_place_of_the_other(tmp_path):
    from maskwright.imageio import make_folder, write_text

    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(MaskwrightError, match="cannot be made: a file is in its place"):
            make_folder(folder)
    with pytest.raises(MaskwrightError, match="is a folder: name a file in it"):
        write_text(tmp_path, np.array2string(np.zeros(1)))
