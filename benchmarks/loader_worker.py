"""PyTorch's `DataLoader` over image and mask files, as one of the ways of pipeline.py.

Called by it in an environment of its own, with a JSON file that lists the files and says how they
are loaded. It says `ready`, and then makes a pass for every line it reads and answers with a line.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset


class Pairs(Dataset):
    """Images `(3, h, w)` in [0, 1] and labels `(h, w)`, flipped left to right or not."""

    def __init__(self, files: list[list[str]], size: tuple[int, int]) -> None:
        self.files, self.size = files, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        height, width = self.size
        image, mask = (Image.open(file) for file in self.files[index])
        image = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        mask = mask.resize((width, height), Image.Resampling.NEAREST)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        labels = torch.from_numpy(np.array(mask).astype(np.int64))
        if torch.rand(()) < 0.5:
            pixels, labels = pixels.flip(2), labels.flip(1)
        return pixels, labels


def main(task: dict[str, Any]) -> None:
    """Make passes for as long as somebody asks."""
    loader = DataLoader(
        Pairs(task["files"], tuple(task["size"])),
        batch_size=task["batch"],
        shuffle=True,
        num_workers=task["workers"],
        persistent_workers=True,
    )
    print("ready", flush=True)
    for _ in sys.stdin:
        count = sum(len(images) for images, _ in loader)
        print(count, flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
