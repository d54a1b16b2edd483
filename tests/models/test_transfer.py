"""Weights of other networks: of torchvision's Mask R-CNN, and between networks of ours."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import torchvision_layout

from maskwright.errors import ConfigError, ModelError
from maskwright.labels import Labels
from maskwright.models import Blueprint
from maskwright.models.tensor_files import read_tensors
from maskwright.models.transfer import Pretrained, output_names, read_torchvision, take_weights

FOLDER = Path(__file__).parent
SMALL = {
    "decoder_name": "light",
    "widths": (4, 4),
    "encoder_widths": (4, 4),
}


@pytest.fixture(scope="module")
def mask_rcnn(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "random.npz"
    np.savez(path, **torchvision_layout.tensors())
    return read_torchvision(path)


def test_torchvisions_weights_give_its_features_and_objects(mask_rcnn):
    """Expected values are torchvision's own, see torchvision_expected.py."""
    expected = np.load(FOLDER / "torchvision_expected.npz")
    images = torchvision_layout.image()[None].astype(np.float32)
    model = mask_rcnn.model
    levels = model.get_layer("pyramid")(model.get_layer("encoder")(images))
    for number, level in enumerate(levels):
        values = np.asarray(level).ravel()[::97]
        np.testing.assert_allclose(values, expected[f"level{number}"], atol=1e-3)
    found = {name: np.asarray(values)[0] for name, values in model(images).items()}
    count = len(expected["scores"])
    assert count == np.count_nonzero(found["scores"]) > 20
    assert found["labels"][:count].tolist() == expected["labels"].tolist()
    np.testing.assert_allclose(found["scores"][:count], expected["scores"], atol=1e-3)
    boxes = expected["boxes"][:, [1, 0, 3, 2]]
    np.testing.assert_allclose(found["boxes"][:count], boxes, atol=1e-3)
    masks = found["masks"][:count].ravel()[::13]
    np.testing.assert_allclose(masks, expected["masks"], atol=1e-3)


def test_a_network_for_other_classes_takes_the_rows_of_those_it_shares(mask_rcnn):
    arguments = {**mask_rcnn.blueprint.arguments, "num_classes": 2, "channels": 1}
    blueprint = Blueprint("detector", arguments)
    model = blueprint.build()
    taken = take_weights(model, blueprint, ["background", "dog", "paw"], mask_rcnn)
    assert (taken.classes, taken.new) == (["background", "dog"], ["paw"])
    ours, theirs = (m.get_layer("box_head").get_layer for m in (model, mask_rcnn.model))
    dog = 18  # of COCO
    np.testing.assert_array_equal(
        ours("box_logits").kernel[:, :2], np.asarray(theirs("box_logits").kernel)[:, [0, dog]]
    )
    np.testing.assert_array_equal(
        ours("box_codes").kernel[:, :4], theirs("box_codes").kernel[:, 4 * dog - 4 : 4 * dog]
    )
    assert np.abs(ours("box_codes").kernel[:, 4:]).max() < 0.01  # as initialized
    ours, theirs = (m.get_layer("encoder").get_layer for m in (model, mask_rcnn.model))
    color, gray = theirs("stem_conv").kernel, ours("stem_conv").kernel
    np.testing.assert_allclose(gray, np.sum(color, axis=2, keepdims=True), atol=1e-5)


def test_files_that_are_another_network_are_refused(tmp_path):
    path = tmp_path / "weights.npz"
    some = {"roi_heads.box_predictor.cls_score.bias": np.zeros(3)}
    np.savez(path, **some)
    with pytest.raises(ModelError, match=r"lacks backbone\.body\.conv1\.weight; expected all"):
        read_torchvision(path)
    np.savez(path, **some, **{"backbone.body.conv1.weight": np.zeros((64, 3, 5, 5))})
    with pytest.raises(ModelError, match=r"backbone\.body\.conv1 in .* has not the shape"):
        read_torchvision(path)
    np.savez(path, **{"features.0.weight": np.zeros(3)})
    with pytest.raises(ModelError, match="no weights of torchvision's maskrcnn_resnet50_fpn"):
        read_torchvision(path)


def test_tensors_are_read_of_the_formats_of_others(tmp_path):
    expected = {
        "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3).T,  # a view, not contiguous
        "a.bias": np.array([0.5, -2], np.float16),
        "count": np.array(7, np.int64),
    }
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in expected.items():
        ends = [len(data), len(data) + value.nbytes]
        kind = {"f4": "F32", "f2": "F16", "i8": "I64"}[value.dtype.str[1:]]
        header[name] = {"dtype": kind, "shape": value.shape, "data_offsets": ends}
        data += value.tobytes()
    text = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    np.savez(tmp_path / "a.npz", **expected)
    # Written by PyTorch, see torchvision_expected.py.
    for path in (tmp_path / "a.safetensors", tmp_path / "a.npz", *FOLDER.glob("*.pth")):
        found = read_tensors(path)
        assert found.keys() == expected.keys(), path
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, strict=True)


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harm",)


@pytest.mark.parametrize("old", [True, False])
def test_a_file_of_pytorch_runs_nothing(old, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "harmful.pth"
    pickled = pickle.dumps({"weight": Harmful()}, protocol=2)
    if old:
        path.write_bytes(pickled)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("harmful/data.pkl", pickled)
    with pytest.raises(ModelError, match=r"asks for posix\.system, which is no tensor"):
        read_tensors(path)
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "cut.safetensors").write_bytes(b"\x08")
    with pytest.raises(ModelError, match="cannot be read"):
        read_tensors(tmp_path / "cut.safetensors")


def source(names, **changes):
    """A small segmenter with weights of its own, as another starts from it."""
    keras.utils.set_random_seed(1)
    blueprint = Blueprint("segmenter", {**SMALL, "num_classes": len(names), **changes})
    return Pretrained(Path("runs/a"), blueprint, blueprint.build(), names)


def started(names, given, **changes):
    keras.utils.set_random_seed(2)
    blueprint = Blueprint("segmenter", {**SMALL, "num_classes": len(names), **changes})
    model = blueprint.build()
    return model, take_weights(model, blueprint, names, given)


def kernel(model):
    return np.asarray(model.get_layer("classes").kernel)[0, 0]


def test_classes_are_taken_by_their_names():
    given = source(["background", "cell", "debris"])
    model, taken = started(["debris", "background", "vessel"], given)
    np.testing.assert_array_equal(kernel(model)[:, :2], kernel(given.model)[:, [2, 0]])
    assert not np.isin(kernel(model)[:, 2], kernel(given.model)).any()
    # Of a kernel of 4 by 3 and a bias of 3, a third is new.
    assert taken.total - taken.parameters == 5
    assert (taken.classes, taken.new) == (["debris", "background"], ["vessel"])
    image = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(model(image)[..., :2], given.model(image)[..., 2::-2], atol=1e-5)


def test_a_single_class_takes_the_place_of_a_single_class():
    given = source(["background", "cell"])
    model, _ = started(["background", "nucleus"], given)
    np.testing.assert_array_equal(kernel(model), kernel(given.model))
    # Semantic segmentation, then single objects: depth and center are new.
    names = ["background", "nucleus", "depth", "center"]
    model, taken = started(names, given)
    np.testing.assert_array_equal(kernel(model)[:, :2], kernel(given.model))
    assert taken.new == ["depth", "center"]


def test_another_layout_is_refused_with_what_differs():
    given = source(["background", "cell"], decoder_name="unet")
    with pytest.raises(
        ConfigError, match=r"another layout .*: decoder is unet there and light here; leave such"
    ):
        started(["background", "cell"], given)


def test_outputs_have_the_names_of_their_classes():
    labels = Labels.create(("bg", "cell"))
    assert output_names(labels, Blueprint("small", {"num_classes": 1})) == ["cell"]
    assert output_names(labels, Blueprint("small", {"num_classes": 2})) == ["background", "cell"]
    objects = output_names(labels, Blueprint("small", {"num_classes": 4}))
    assert objects == ["background", "cell", "depth", "center"]


def test_auxiliary_heads_start_anew():
    shape = {"decoder_name": "unet", "encoder_widths": (4, 4, 4, 4), "widths": (4, 4, 4)}
    given = source(["background", "cell"], **shape)
    model, _ = started(["background", "cell"], given, **shape, deep_supervision=True)
    np.testing.assert_array_equal(kernel(model), kernel(given.model))
