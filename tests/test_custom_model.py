"""Keras models of the user's: trained, measured, exported and resumed as runs."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import maskwright
from maskwright.data.synthetic import write_dataset
from maskwright.errors import ConfigError, ModelError
from maskwright.models import Blueprint
from maskwright.models.keras_network import as_logits

pytestmark = pytest.mark.usefixtures("uncompiled")
SHORT = {"batch_size": 4, "epochs": 1, "previews": 1, "augmentation": "none"}


def small(size=None, classes=3, activation="softmax", first=layers.Rescaling, **scale):
    """Two convolutions, the second at half the size."""
    images = keras.Input((size, size, 3))
    x = first(**(scale or {"scale": 1 / 255}))(images)
    skip = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(8, 3, 2, padding="same", activation="relu")(skip)
    x = layers.Concatenate()([layers.UpSampling2D()(x), skip])
    return keras.Model(images, layers.Conv2D(classes, 1, activation=activation)(x))


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("cells") / "data", num_images=10, size=64)


def test_a_model_becomes_a_run_that_is_measured_and_exported(cells, tmp_path):
    model = small()
    before = model.get_weights()
    run = maskwright.train(
        cells, tmp_path / "run", model=model, loss=keras.losses.SparseCategoricalCrossentropy(),
        size=64, **SHORT,
    )  # fmt: skip
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)  # a copy was trained
    settings = (run.folder / "plan.yaml").read_text()
    assert "encoder" not in settings
    assert "loss: custom" in settings
    found = maskwright.evaluate(run.folder, cells)
    assert 0 <= float(found.total.mean_iou) <= 1
    image = np.full((50, 70, 3), 90, np.uint8)
    first = maskwright.load(run.folder)(image, probabilities=True).probabilities
    np.testing.assert_allclose(first.sum(axis=-1), 1, atol=1e-5)
    maskwright.export_model(run.folder, tmp_path / "onnx", format="onnx")
    second = maskwright.load(tmp_path / "onnx")(image, probabilities=True).probabilities
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_arrays_and_tf_data_are_trained_on(cells, tmp_path):
    data = maskwright.open_dataset(cells)
    images = np.stack([data.read_image(sample) for sample in data.samples])
    masks = np.stack([data.read_mask(sample) for sample in data.samples])
    run = maskwright.train((images, masks), tmp_path / "run", model=small(), size=64, **SHORT)
    found = maskwright.evaluate(run.folder, tmp_path / "run-data")
    assert found.total.iou.shape == (3,)


def test_a_copy_gives_logits_of_the_same_weights():
    model = keras.Sequential([keras.Input((32, 32, 3)), small(activation="softmax")])
    logits = as_logits(model, 3)
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(
        keras.ops.softmax(logits(image)), np.asarray(model(image)), atol=1e-6
    )
    again = Blueprint.from_json(Blueprint.of_model(logits).to_json()).build()
    again.set_weights(logits.get_weights())
    np.testing.assert_array_equal(again(image), logits(image))


def test_a_resumed_run_goes_on_with_its_network_and_needs_its_loss(cells, tmp_path):
    def per_pixel(truth, predicted):
        return keras.losses.sparse_categorical_crossentropy(truth, predicted)

    given = {"size": 64, **SHORT}
    maskwright.train(cells, tmp_path / "run", model=small(64), loss=per_pixel, **given)
    with pytest.raises(ConfigError, match="a loss of your own: pass it again"):
        maskwright.train(cells, tmp_path / "run", resume=True, epochs=2)
    with pytest.raises(ConfigError, match="leave `model` out"):
        maskwright.train(cells, tmp_path / "run", resume=True, model=small(64), epochs=2)
    run = maskwright.train(cells, tmp_path / "run", resume=True, loss=per_pixel, epochs=2)
    assert len((run.folder / "history.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (lambda: small(first=layers.Dropout, rate=0.1), {}, "begin it with keras.layers.Rescaling"),
        (lambda: small(classes=2), {}, "has 3 classes, background included, and the model gives 2"),
        (lambda: small(activation="sigmoid"), {}, "gives 3 sigmoids for each pixel"),
        (lambda: small(48), {"size": 64}, "takes images of 48x48 px; leave `size` out"),
        (lambda: small(), {"encoder": "resnet18"}, "`encoder` has no effect on a model"),
        (lambda: small(), {"size": 63}, "state"),
        (lambda: small(), {"objects": "centers"}, "`objects` has no effect"),
        (lambda: keras.Sequential([layers.Rescaling(1.0)]), {}, "begin it with keras.Input"),
    ],
)  # fmt: skip
def test_models_that_do_not_suit_are_refused_before_anything_is_written(
    cells, tmp_path, model, settings, message
):
    with pytest.raises(ConfigError, match=message):
        maskwright.train(cells, tmp_path / "run", model=model(), **{**SHORT, **settings})
    assert not (tmp_path / "run" / "plan.yaml").exists()


def test_a_file_of_a_network_holds_no_code():
    told = json.loads(Blueprint.of_model(small()).to_json())
    layer = told["arguments"]["layers"]["config"]["layers"][1]
    for module, name in (("keras.layers", "Lambda"), ("os", "system"), ("keras.utils", "get_file")):
        layer |= {"module": module, "class_name": name}
        with pytest.raises(ModelError, match=f"the layer or function {name}"):
            Blueprint.from_json(json.dumps(told))
    layer |= {"module": None, "class_name": "Mine", "registered_name": "elsewhere>Mine"}
    with pytest.raises(ModelError, match="elsewhere>Mine, which is not registered here"):
        Blueprint.from_json(json.dumps(told))
