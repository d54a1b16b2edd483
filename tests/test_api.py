"""The verbs as functions, on the awkward data sets that the command line meets."""

import numpy as np
import pytest
import tifffile

import maskwright
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import write_image
from maskwright.model_card import SemanticCard
from maskwright.tasks.semantic.network import auto_size

pytestmark = pytest.mark.usefixtures("uncompiled")
SMALL = {"batch_size": 2, "epochs": 1, "previews": 1}
QUICK = {"encoder": "plain", "encoder_widths": (4, 8), **SMALL}


def draw(folder, sizes, channels=3, dtype=np.uint8, top=255):
    """Images with a bright square, which the mask of 0 and 255 covers."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for number, (height, width) in enumerate(sizes):
        mask = np.zeros((height, width, 1), np.uint8)
        mask[height // 4 : height // 2, width // 4 : width // 2] = 255
        image = rng.integers(0, top // 2, (height, width, channels)) + (mask > 0) * (top // 3)
        path = folder / "images" / f"{number}.tif"
        tifffile.imwrite(path, image.astype(dtype), photometric="minisblack", planarconfig="contig")
        write_image(folder / "masks" / f"{number}.png", mask)
    return folder


def test_auto_size_is_the_median_in_multiples_of_32(tmp_path):
    data = maskwright.open_dataset(draw(tmp_path, [(300, 400)] * 3 + [(40, 40)]))
    # The median, 300x400, shrunk to 256 on its longer side, is 192x256.
    assert auto_size(data) == (192, 256)


def test_sixteen_bits_and_five_channels(tmp_path):
    data = draw(tmp_path, [(40, 48)] * 8, channels=5, dtype=np.uint16, top=4000)
    run = maskwright.train(data, tmp_path / "run", size=32, **QUICK)
    card = SemanticCard.read(run.folder / "model_card.json")
    assert (card.channels, card.dtype) == (5, "uint16")
    image = np.full((50, 60, 5), 3000, np.uint16)
    assert maskwright.load(run.folder)(image).labels.shape == (50, 60)


def test_crops_at_native_scale_predict_in_tiles(compiled, tmp_path):
    data = draw(tmp_path, [(40 + n, 70 - n) for n in range(8)])
    run = maskwright.train(data, tmp_path / "run", size=None, crop=32, favor_rare=True, **QUICK)
    card = SemanticCard.read(run.folder / "model_card.json")
    assert (card.size, card.tile) == (None, 32)
    labels = maskwright.load(run.folder)(np.zeros((90, 75, 3), np.uint8)).labels
    assert labels.shape == (90, 75)
    found = maskwright.evaluate(run.folder, data)
    assert 0 <= float(found.total.mean_iou) <= 1


def test_two_classes_by_one_logit(tmp_path):
    data = draw(tmp_path, [(32, 32)] * 8)
    settings = {"one_logit": True, "class_weights": "balanced", "threshold": 0.4}
    run = maskwright.train(data, tmp_path / "run", size=32, **QUICK, **settings)
    predictor = maskwright.load(run.folder)
    assert predictor.card.threshold == 0.4
    made = predictor(np.zeros((32, 32, 3), np.uint8), probabilities=True)
    assert made.probabilities.shape == (32, 32, 2)


# U-Net++ learns with the three auxiliary heads of its paper, which the saved model does not have;
# the plain U-Net has 31 million weights, and nothing else that the small network has not.
@pytest.mark.parametrize(
    "preset", ["small", pytest.param("plain_unet", marks=pytest.mark.slow), "unet_plus_plus"]
)
def test_presets_train(tmp_path, preset):
    data = draw(tmp_path, [(16, 16)] * 6)
    run = maskwright.train(data, tmp_path / "run", size=16, preset=preset, **SMALL)
    assert run.read_history()[-1]["epoch"] == 1
    assert maskwright.load(run.folder)(np.zeros((16, 16, 3), np.uint8)).labels.shape == (16, 16)


def test_contradictions_are_named(tmp_path):
    data = draw(tmp_path, [(16, 16)] * 6)
    with pytest.raises(ConfigError, match="Class weights name cat; the classes are background"):
        maskwright.train(data, tmp_path / "b", size=16, class_weights={"cat": 2}, **QUICK)
    with pytest.raises(ConfigError, match="Expected an encoder of plain"):
        maskwright.train(data, tmp_path / "b", size=16, encoder="vgg", **SMALL)
    with pytest.raises(ConfigError, match="light has no setting `separable`"):
        maskwright.train(data, tmp_path / "b", size=16, separable=True, **QUICK)
    with pytest.raises(ConfigError, match="expected one of plain_unet, small"):
        maskwright.train(data, tmp_path / "b", size=16, preset="unet", **QUICK)
    # Nothing half made stands in the way of the next try.
    maskwright.train(data, tmp_path / "b", size=16, **QUICK)


def test_one_broken_file_is_told_and_left_out(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    draw(data, [(16, 16)] * 8)
    broken = maskwright.open_dataset(data).of("train")[0].image
    broken.write_bytes(broken.read_bytes()[:-300])  # the header still tells a size
    told = []
    maskwright.train(data, tmp_path / "run", size=16, on_message=told.append, **QUICK)
    assert len(told) == 1
    assert str(broken) in told[0]
    with pytest.raises(DataError, match=broken.name):
        maskwright.train(data, tmp_path / "b", size=16, skip_unreadable=False, **QUICK)
