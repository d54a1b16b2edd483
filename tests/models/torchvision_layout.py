"""Random tensors of torchvision's `maskrcnn_resnet50_fpn` by name, made without PyTorch."""

from collections.abc import Iterator

import numpy as np

SIZE = (128, 160)
BLOCKS = (3, 4, 6, 3)


def image() -> np.ndarray:
    """Smooth colors with noise, uint8 `(h, w, 3)`."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = [np.sin(rows / a + columns / b) for a, b in ((9, 15), (21, -7), (-13, 30))]
    noise = rng.uniform(-25, 25, (*SIZE, 3))
    return (128 + 90 * np.stack(waves, axis=-1) + noise).clip(0, 255).astype(np.uint8)


def tensors(num_classes: int = 91) -> dict[str, np.ndarray]:
    """Float32 arrays whose features stay near 1, and whose scores and boxes differ."""
    rng = np.random.default_rng(0)
    made = {}
    for name, shape, scale in _layout(num_classes):
        part = name.rpartition(".")[2]
        if part == "running_var":
            values = rng.uniform(0.5, 1.5, shape)
        elif part == "weight" and len(shape) == 1:  # of a normalization
            values = rng.uniform(0.5, 1.5, shape) * scale
        elif part == "weight":
            values = rng.standard_normal(shape, np.float32) * scale / np.sqrt(np.prod(shape[1:]))
        else:
            values = rng.normal(0, 0.1, shape)
        made[name] = values.astype(np.float32)
    return made


def _layout(num_classes: int) -> Iterator[tuple[str, tuple[int, ...], float]]:
    """Name, shape and scale of each tensor."""
    yield from _normalized("backbone.body.conv1", "backbone.body.bn1", (64, 3, 7, 7))
    inputs = 64
    for level, blocks in enumerate(BLOCKS, start=1):
        width = 32 * 2**level
        for block in range(blocks):
            prefix = f"backbone.body.layer{level}.{block}"
            shapes = [(width, inputs, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
            for number, shape in enumerate(shapes, start=1):
                scale = 0.3 if number == 3 else 1.0
                names = f"{prefix}.conv{number}", f"{prefix}.bn{number}"
                yield from _normalized(*names, shape, scale)
            if block == 0:
                names = f"{prefix}.downsample.0", f"{prefix}.downsample.1"
                yield from _normalized(*names, (4 * width, inputs, 1, 1))
            inputs = 4 * width
    for level in range(4):
        shape = (256, 256 * 2**level, 1, 1)
        yield from _biased(f"backbone.fpn.inner_blocks.{level}.0", shape, 0.1)
    for level in range(4):
        yield from _biased(f"backbone.fpn.layer_blocks.{level}.0", (256, 256, 3, 3))
    yield from _biased("rpn.head.conv.0.0", (256, 256, 3, 3), 1.4)
    yield from _biased("rpn.head.cls_logits", (3, 256, 1, 1))
    yield from _biased("rpn.head.bbox_pred", (12, 256, 1, 1), 0.3)
    yield from _biased("roi_heads.box_head.fc6", (1024, 256 * 49), 1.4)
    yield from _biased("roi_heads.box_head.fc7", (1024, 1024), 1.4)
    yield from _biased("roi_heads.box_predictor.cls_score", (num_classes, 1024), 3.0)
    yield from _biased("roi_heads.box_predictor.bbox_pred", (4 * num_classes, 1024))
    for number in range(4):
        yield from _biased(f"roi_heads.mask_head.{number}.0", (256, 256, 3, 3), 1.4)
    yield from _biased("roi_heads.mask_predictor.conv5_mask", (256, 256, 2, 2), 2.0)
    shape = (num_classes, 256, 1, 1)
    yield from _biased("roi_heads.mask_predictor.mask_fcn_logits", shape, 2.0)


def _normalized(
    convolution: str, norm: str, shape: tuple[int, ...], scale: float = 1.0
) -> Iterator[tuple[str, tuple[int, ...], float]]:
    yield f"{convolution}.weight", shape, 1.4
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{norm}.{part}", shape[:1], scale


def _biased(
    name: str, shape: tuple[int, ...], scale: float = 1.0
) -> Iterator[tuple[str, tuple[int, ...], float]]:
    yield f"{name}.weight", shape, scale
    outputs = shape[1] if name.endswith("conv5_mask") else shape[0]
    yield f"{name}.bias", (outputs,), scale
