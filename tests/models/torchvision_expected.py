"""Write what torchvision's Mask R-CNN gives for the weights and the image of `torchvision_layout`,
and two small files as PyTorch writes them.

Usage, in an environment with PyTorch and torchvision, which that of the tests is not:
python tests/models/torchvision_expected.py
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torchvision.models import resnet50
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection._utils import overwrite_eps
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops.misc import FrozenBatchNorm2d
from torchvision_layout import SIZE, image, tensors

FEATURES_EVERY = 97  # values of a level of the pyramid
MASKS_EVERY = 13  # values of the masks


def main() -> None:
    """Build it as `maskrcnn_resnet50_fpn(weights="COCO_V1")` does, but for its weights."""
    backbone = _resnet_fpn_extractor(resnet50(weights=None, norm_layer=FrozenBatchNorm2d), 3)
    model = MaskRCNN(backbone, 91, min_size=min(SIZE), max_size=max(SIZE)).eval()
    overwrite_eps(model, 0.0)
    model.load_state_dict({name: torch.from_numpy(v) for name, v in tensors().items()})
    pixels = torch.from_numpy(image().transpose(2, 0, 1).copy()).float() / 255
    with torch.inference_mode():
        images, _ = model.transform([pixels], None)
        assert images.tensors.shape[2:] == SIZE
        features = model.backbone(images.tensors)
        proposals, _ = model.rpn(images, features, None)
        found = model.roi_heads(features, proposals, images.image_sizes, None)[0][0]
    levels = [level[0].permute(1, 2, 0).numpy() for level in features.values()]
    np.savez_compressed(
        Path(__file__).with_name("torchvision_expected.npz"),
        **{f"level{n}": v.ravel()[::FEATURES_EVERY] for n, v in enumerate(levels)},
        boxes=found["boxes"].numpy(),
        scores=found["scores"].numpy(),
        labels=found["labels"].numpy().astype(np.uint8),
        masks=found["masks"].numpy().ravel()[::MASKS_EVERY],
    )
    weight = torch.arange(6, dtype=torch.float32).reshape(2, 3).T  # a view, not contiguous
    small = {"a.weight": weight, "a.bias": torch.tensor([0.5, -2.0], dtype=torch.float16)}
    small = OrderedDict(**small, count=torch.tensor(7))
    for name, new in (("torch_zip", True), ("torch_old", False)):
        path = Path(__file__).with_name(f"{name}.pth")
        torch.save(small, path, _use_new_zipfile_serialization=new)
    print({name: f"{np.abs(v).mean():.3g}" for name, v in enumerate(levels)})
    print(found["scores"][:5], len(found["scores"]), len(set(found["labels"].tolist())))


if __name__ == "__main__":
    main()
