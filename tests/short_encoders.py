"""Encoders of a block or two at each stride, in place of the published depths and widths."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import keras
import pytest

from maskwright.models.encoders import FAMILIES
from maskwright.models.encoders.resnet import RESNETS
from maskwright.models.encoders.scratch import MIX_TRANSFORMERS


def shorten_convnext(monkeypatch: pytest.MonkeyPatch) -> Callable[..., keras.Model]:
    """Make `convnext_tiny` one block at each stride; gives Keras's constructor of that."""
    family = FAMILIES["convnext_tiny"]
    short = partial(
        sys.modules[family.build.__module__].ConvNeXt,
        depths=(1, 1, 1, 1),
        projection_dims=(8, 8, 16, 16),
        layer_scale_init_value=1.0,
    )
    monkeypatch.setitem(FAMILIES, "convnext_tiny", replace(family, build=short))
    return short


def shorten_resnet(monkeypatch: pytest.MonkeyPatch) -> Callable[..., keras.Model]:
    """Make `resnet50` one block at a stride of 4; gives Keras's constructor of that."""
    family = FAMILIES["resnet50"]
    keras_resnet = sys.modules[family.build.__module__]
    short = partial(
        keras_resnet.ResNet,
        lambda x: keras_resnet.stack_residual_blocks_v1(x, 8, 1, stride1=1, name="conv2"),
        preact=False,
        use_bias=True,
    )
    monkeypatch.setitem(FAMILIES, "resnet50", replace(family, build=short))
    return short


def shorten_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `resnet18` and `mit_b0` one block at each stride."""
    monkeypatch.setitem(RESNETS, "resnet18", (1, 1, 1, 1))
    # Multiples of 1, 2, 5 and 8 heads.
    monkeypatch.setitem(MIX_TRANSFORMERS, "mit_b0", ((8, 8, 10, 16), (1, 1, 1, 1)))
