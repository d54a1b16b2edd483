"""The U-Net or DeepLabV3+ of segmentation_models.pytorch with a good recipe, as a racer.

Called by race.py with the folder of the task, in an environment of its own (see smp_python there).

The encoder starts from the same Keras weights as the others. TensorFlow pads a convolution of
stride 2 by one pixel below and on the right, PyTorch's model by one on every side. The peer is
given TensorFlow's padding: the weights then see what they were trained on, and its features are
checked against Keras's before every race.
"""

import math
import os
import sys
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import nn

from exchange import IGNORE_LABEL, Stopwatch, Task, pad, read_task, write_result

BATCH_SIZE = 16
LEARNING_RATE = 1e-3
FEATURE_TOLERANCE = 1e-3


def fill_encoder(encoder: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Copy Keras's weights into `smp`'s MobileNetV2.

    Args:
        encoder: `smp`'s encoder, in place.
        arrays: `LAYER/WEIGHT` → values, layers numbered in Keras's order; convolutions hold
            `kernel`, batch normalizations `gamma`, `beta`, `mean` and `variance`.
    """
    places = [m for m in encoder.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    count = 1 + max(int(key.split("/")[0]) for key in arrays)
    if len(places) != count:
        raise RuntimeError(f"Expected {len(places)} layers for smp's encoder, received {count}.")
    for position, place in enumerate(places):
        if isinstance(place, nn.Conv2d):
            depthwise = place.groups > 1
            order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
            values = {"weight": arrays[f"{position}/kernel"].transpose(order)}
        else:
            names = {
                "weight": "gamma",
                "bias": "beta",
                "running_mean": "mean",
                "running_var": "variance",
            }
            values = {ours: arrays[f"{position}/{theirs}"] for ours, theirs in names.items()}
            place.eps = 1e-3
        state = {name: torch.from_numpy(np.array(value)) for name, value in values.items()}
        place.load_state_dict(state, strict=False)


def pad_like_keras(module: nn.Module) -> None:
    """Give every convolution of stride 2 TensorFlow's padding, in place.

    Sizes are multiples of 32 here, so every such convolution meets an even size.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d) and child.stride == (2, 2):
            child.padding = (0, 0)
            setattr(module, name, nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), child))
        else:
            pad_like_keras(child)


def check_features(encoder: nn.Module, folder: Path) -> None:
    """Compare the encoder's features with Keras's on the same images.

    Where it is dilated, there is nothing at stride 32 to compare.

    Raises:
        RuntimeError: If they differ by more than `FEATURE_TOLERANCE`.
    """
    with np.load(folder / "encoder_features.npz") as reference:
        strides = [stride for stride in (2, 4, 8, 16, 32) if stride <= encoder.output_stride]
        features = [reference[f"stride_{stride}"] for stride in strides]
        images = reference["images"]
    encoder.eval()
    with torch.inference_mode():
        found = encoder(to_tensor(images))[1:]
    largest = max(
        float(np.abs(mine.permute(0, 2, 3, 1).numpy() - theirs).max())
        for mine, theirs in zip(found, features, strict=False)
    )
    print(f"  smp's encoder differs from Keras's by at most {largest:.1e}", file=sys.stderr)
    if not largest < FEATURE_TOLERANCE:
        raise RuntimeError(f"The encoder of smp was filled wrongly: features differ by {largest}.")


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """Pixels in [-1, 1], `(n, c, h, w)`, from uint8 `(n, h, w, c)`."""
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return tensor.contiguous(memory_format=torch.channels_last)


def build(name: str, folder: Path, num_classes: int, pretrained: bool) -> nn.Module:
    """Build a model of `smp` on a MobileNetV2 with Keras's weights, or on a random one."""
    kind = {"default": smp.Unet, "deeplab_v3_plus": smp.DeepLabV3Plus}[name]
    model = kind("mobilenet_v2", encoder_weights=None, in_channels=3, classes=num_classes)
    if pretrained:
        with np.load(folder / "encoder.npz") as file:
            fill_encoder(model.encoder, dict(file))
        pad_like_keras(model.encoder)
        check_features(model.encoder, folder)
    return model.to(memory_format=torch.channels_last)


def train(folder: Path, task: Task) -> tuple[nn.Module, Stopwatch]:
    """Train for the seconds of the task."""
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(task.settings.seed)
    rng = np.random.default_rng(task.settings.seed)
    images = pad(task.train_images, None)
    labels = torch.from_numpy(pad(task.train_labels, IGNORE_LABEL)).long()
    told = task.settings
    model = build(told.model, folder, told.num_classes, bool(told.encoder_weights))
    model.train()

    clock = Stopwatch(task.settings.seconds)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    entropy = nn.CrossEntropyLoss(ignore_index=IGNORE_LABEL)
    dice = smp.losses.DiceLoss("multiclass", from_logits=True, ignore_index=IGNORE_LABEL)
    order = np.empty(0, np.int64)
    while clock.done < 1:
        # Full batches out of shuffled passes: what is left of one pass begins the next batch.
        while len(order) < BATCH_SIZE:
            order = np.concatenate([order, rng.permutation(len(images))])
        chosen, order = order[:BATCH_SIZE], order[BATCH_SIZE:]
        x, y = to_tensor(images[chosen]), labels[torch.from_numpy(chosen)]
        mirrored = torch.from_numpy(rng.random(BATCH_SIZE) < 0.5)[:, None, None]
        x = torch.where(mirrored[..., None], x.flip(3), x)
        x = x.contiguous(memory_format=torch.channels_last)
        y = torch.where(mirrored, y.flip(2), y)

        # A cosine over the time itself: it ends where the time does, whatever a step takes.
        rate = LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * clock.done))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        logits = model(x)
        loss = entropy(logits, y) + dice(logits, y)
        loss.backward()
        optimizer.step()
        clock.step()
    return model, clock


def main(folder: Path) -> None:
    """Train, predict and hand in."""
    task = read_task(folder)
    model, clock = train(folder, task)
    height, width = task.test_images.shape[1:3]
    images = pad(task.test_images, None)
    model.eval()
    with torch.inference_mode():
        labels = [
            model(to_tensor(images[i : i + 8])).argmax(1).numpy() for i in range(0, len(images), 8)
        ]
    predictions = np.concatenate(labels)[:, :height, :width]
    write_result(folder, "smp", predictions, clock.steps, clock.seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
