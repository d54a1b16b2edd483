"""Times segmentation_models.pytorch's U-Net on MobileNetV2 for latency.py, in its environment.

Called with the side of the images in px and their number. The tensors are ready: scaled, turned
and in the memory format of each way.
"""

import os
import sys

import segmentation_models_pytorch as smp
import torch

from latency_turns import take_turns


def main(size: int, batch: int) -> None:
    """Eager, channels-last, and compiled."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    model = smp.Unet("mobilenet_v2", encoder_weights=None, in_channels=3, classes=3).eval()
    images = torch.rand(batch, 3, size, size)
    last = images.contiguous(memory_format=torch.channels_last)
    turned = smp.Unet("mobilenet_v2", encoder_weights=None, in_channels=3, classes=3).eval()
    turned = turned.to(memory_format=torch.channels_last)
    compiled = torch.compile(model)
    with torch.inference_mode():
        take_turns(
            {
                "smp_eager": lambda: model(images),
                "smp_channels_last": lambda: turned(last),
                "smp_compiled": lambda: compiled(images),
            }
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
