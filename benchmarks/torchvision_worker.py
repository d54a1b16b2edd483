"""torchvision's Mask R-CNN on a MobileNetV2 with a feature pyramid, the peer of objects_photos.py.

Called with the folder of the task, in the environment of the other peer (see `smp_python` in
race.py). The recipe is that of torchvision's references and tutorial of fine-tuning: SGD, a linear
warm-up, frozen batch normalization, horizontal flips; the rate falls by a cosine over the time. The
encoder starts from the same Keras weights as ours, with TensorFlow's padding, see smp_worker.py.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.models import mobilenet_v2
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.ops import FrozenBatchNorm2d

from exchange import Stopwatch
from smp_worker import fill_encoder, pad_like_keras

BATCH_SIZE = 4
LEARNING_RATE = 0.01
_WARMUP_STEPS = 100
_LAYERS = {"3": "0", "6": "1", "13": "2", "18": "3"}
"""Last modules of MobileNetV2 at the strides 4, 8, 16 and 32."""
_CHANNELS = [24, 32, 96, 1280]


def freeze_statistics(module: nn.Module) -> None:
    """Replace batch normalizations by frozen ones, in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            frozen = FrozenBatchNorm2d(child.num_features, eps=child.eps)
            frozen.load_state_dict(child.state_dict(), strict=False)
            setattr(module, name, frozen)
        else:
            freeze_statistics(child)


def build(folder: Path, num_classes: int, side: int) -> nn.Module:
    """Mask R-CNN for images whose longer side becomes `side` px, background among the classes."""
    features = mobilenet_v2(weights=None).features
    if (folder / "encoder.npz").exists():
        with np.load(folder / "encoder.npz") as file:
            fill_encoder(features, dict(file))
        pad_like_keras(features)
        freeze_statistics(features)
    backbone = BackboneWithFPN(features, _LAYERS, _CHANNELS, 256)
    half = [0.5, 0.5, 0.5]
    return MaskRCNN(
        backbone, num_classes, min_size=side, max_size=side, image_mean=half, image_std=half
    )


def to_target(ids: np.ndarray, labels: np.ndarray) -> dict[str, torch.Tensor]:
    """Boxes, masks and labels of the objects of an image of ids `(h, w)`."""
    masks = ids[None] == np.arange(1, len(labels) + 1)[:, None, None]
    boxes = np.zeros((len(labels), 4), np.float32)
    for place, mask in enumerate(masks):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if rows.size:
            boxes[place] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    good = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return {
        "boxes": torch.from_numpy(boxes[good]),
        "labels": torch.from_numpy(labels[good].astype(np.int64)),
        "masks": torch.from_numpy(masks[good].astype(np.uint8)),
    }


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """Pixels in [0, 1], `(c, h, w)`."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255


def main(folder: Path) -> None:
    """Train for the seconds of the task, and predict its validation and test images."""
    settings = json.loads((folder / "settings.json").read_text())
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    with np.load(folder / "images.npz") as file:
        arrays = dict(file)
    count = settings["counts"]["train"]
    model = build(folder, settings["num_classes"], settings["side"])
    model.train()
    clock = Stopwatch(settings["seconds"])
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    order = np.empty(0, np.int64)
    while clock.done < 1:
        while len(order) < BATCH_SIZE:
            order = np.concatenate([order, rng.permutation(count)])
        chosen, order = order[:BATCH_SIZE], order[BATCH_SIZE:]
        images, targets = [], []
        for index in chosen:
            image, ids = arrays[f"train_{index}_image"], arrays[f"train_{index}_ids"]
            if rng.random() < 0.5:
                image, ids = image[:, ::-1], ids[:, ::-1]
            images.append(to_tensor(image))
            targets.append(to_target(ids, arrays[f"train_{index}_labels"]))
        rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * clock.done))
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (clock.steps + 1) / _WARMUP_STEPS)
        loss = sum(model(images, targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clock.step()
    model.eval()
    results = {}
    for split in ("val", "test"):
        for index in range(settings["counts"][split]):
            with torch.inference_mode():
                found = model([to_tensor(arrays[f"{split}_{index}_image"])])[0]
            name = f"{split}_{index}"
            masks = (found["masks"][:, 0] >= 0.5).numpy()
            results[f"{name}_masks"] = np.packbits(masks.reshape(len(masks), -1), axis=1)
            results[f"{name}_scores"] = found["scores"].numpy()
            results[f"{name}_labels"] = found["labels"].numpy()
    np.savez(folder / "predictions.npz", steps=clock.steps, **results)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
