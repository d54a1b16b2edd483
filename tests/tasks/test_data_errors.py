import warnings

import numpy as np
import pytest

import maskwright
from maskwright.config import TrainConfig
from maskwright.errors import DataError, MaskwrightWarning
from maskwright.imageio import write_image
from maskwright.tasks.settings import open_data
from maskwright.training import TrainOptions
from maskwright.types import Alert, show_alert

BOX = np.s_[2:9, 3:12]


def draw(folder, train=6, empty=(), val=2):
    """Random images with a square each; `empty` are the numbers of masks without one."""
    rng = np.random.default_rng(0)
    lines = ["image,mask,split"]
    for number in range(train + val):
        mask = np.zeros((16, 16, 1), np.uint8)
        mask[BOX] = 0 if number in empty else 255
        image = rng.integers(0, 255, (16, 16, 3), np.uint8)
        write_image(folder / f"i{number}.png", image)
        write_image(folder / f"m{number}.png", mask)
        lines.append(f"i{number}.png,m{number}.png,{'train' if number < train else 'val'}")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("drawn", "sentence"),
    [
        ({"empty": range(6)}, r"1 class missing in the training split: foreground \(in val\)"),
        ({"empty": range(8)}, "All masks together hold background alone"),
        ({"train": 2}, "The training split has only 1 usable image"),
    ],
)
def test_errors_of_check_stop_training_unless_it_is_forced(tmp_path, drawn, sentence):
    data = draw(tmp_path, **drawn)
    assert any(f.severity == "error" for f in maskwright.check(data).findings)
    messages = []
    with pytest.raises(DataError, match=f"{sentence}.*--force"):
        open_data(TrainConfig(), data, TrainOptions(on_message=messages.append))
    assert messages == []
    dataset = open_data(TrainConfig(), data, TrainOptions(force=True, on_message=messages.append))
    assert [type(message) for message in messages] == [Alert]
    assert messages[0] in [note.text for note in dataset.notes]
    open_data(TrainConfig(), draw(tmp_path / "good"), TrainOptions(on_message=pytest.fail))


def test_python_shows_warnings_and_drops_other_messages():
    with pytest.warns(MaskwrightWarning, match="2 images left out"):
        show_alert(Alert("2 images left out"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        show_alert("Fold 1 of 5")


def test_what_was_left_out_is_recorded(tmp_path):
    data = draw(tmp_path / "data", empty=range(6))
    (data / "i1.png").write_bytes(b"no image")
    settings = {"encoder": "plain", "encoder_widths": (4,), "size": 16, "previews": 0}
    with pytest.warns(MaskwrightWarning, match="i1.png|missing in the training split"):
        run = maskwright.train(data, tmp_path / "run", epochs=1, force=True, **settings)
    facts = run.read_environment()
    assert [reason for reason in facts["skipped"] if "i1.png" in reason]
    assert [note for note in facts["notes"] if "missing in the training split" in note]
