"""How well near-duplicates are found: published groups, drawn look-alikes and copies, real sets.

    python benchmarks/duplicates.py [--data DIR] [--sheets DIR]

prints one JSON line a part on standard output:

- `look_alikes`: drawn images of different patients, see lookalikes.py; every pair found is false;
- `copies`: among those, copies by what was done to them; share of them found;
- `busi`: images of BUSI in DIR/busi, whose near-duplicates are published in its groups.csv; pairs
  of them found, and other pairs found;
- `sets`: every folder in DIR that is a data set; all pairs found, by name. `--sheets` draws each
  pair, side by side.
"""

import csv
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from lookalikes import COPIES, KINDS, SIDE, Image
from maskwright.data import open_dataset
from maskwright.data.cases.duplicates import near_duplicates, thumbnail
from maskwright.data.parallel import in_threads
from maskwright.errors import DataError
from maskwright.imageio import read_image, write_image

_COPIED = 10  # images of a kind


def pairs_among(images: Sequence[Image]) -> list[tuple[int, int]]:
    """Pairs that are found among images in memory."""
    thumbs = np.stack([thumbnail(image) for image in images])
    return near_duplicates(thumbs, lambda index: images[index])


def look_alikes(count: int) -> dict[str, object]:
    """Pairs found among images of different patients, by kind."""
    found = {
        name: pairs_among([draw(seed) for seed in range(count)]) for name, draw in KINDS.items()
    }
    return {
        "part": "look_alikes",
        "pairs_each": count * (count - 1) // 2,
        "false_pairs": {name: len(pairs) for name, pairs in found.items()},
    }


def copies(count: int) -> dict[str, object]:
    """Share of copies that are found beside `count` look-alikes, by kind and way of copying."""
    found: dict[str, dict[str, float]] = {}
    false: dict[str, int] = {}
    for kind, draw in KINDS.items():
        images = [draw(seed) for seed in range(count)]
        found[kind] = {}
        for name, change in COPIES.items():
            pairs = pairs_among([*images, *(change(image) for image in images[:_COPIED])])
            true = {(place, count + place) for place in range(_COPIED)}
            found[kind][name] = len(true & set(pairs)) / _COPIED
            if wrong := len(set(pairs) - true):
                false[f"{kind} {name}"] = wrong
    return {"part": "copies", "found": found, "false_pairs": false}


def busi(folder: Path) -> dict[str, object]:
    """Recall of the published pairs, and pairs beyond them."""
    with (folder / "groups.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    paths = [folder / row["class"] / "images" / row["image"] for row in rows]
    group = [row["group"] for row in rows]
    pairs = set(pairs_among([read_image(path) for path in paths]))
    published = {(i, j) for i, j in combinations(range(len(rows)), 2) if group[i] == group[j]}
    return {
        "part": "busi",
        "images": len(rows),
        "published_pairs": len(published),
        "recall": round(len(published & pairs) / len(published), 3),
        "missed": [[paths[i].name for i in pair] for pair in sorted(published - pairs)],
        "others": [[paths[i].name for i in pair] for pair in sorted(pairs - published)],
    }


def real_set(folder: Path, sheets: Path | None) -> dict[str, object]:
    """Pairs found in a data set."""
    samples = open_dataset(folder).samples
    paths = list(dict.fromkeys(sample.image for sample in samples))
    thumbs = list(in_threads(lambda path: thumbnail(read_image(path)), paths, "Reading images"))
    pairs = near_duplicates(np.stack(thumbs), lambda index: read_image(paths[index]))
    for first, second in pairs if sheets else ():
        both = [
            cv2.resize(
                read_image(paths[place])[..., :3], (SIDE, SIDE), interpolation=cv2.INTER_AREA
            )
            for place in (first, second)
        ]
        write_image(sheets / f"{folder.name}_{first}_{second}.png", np.concatenate(both, axis=1))
    names = [[str(paths[place].relative_to(folder)) for place in pair] for pair in pairs]
    return {"part": "sets", "set": folder.name, "images": len(paths), "pairs": names}


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with data sets, BUSI as busi.")] = None,
    sheets: Annotated[Path | None, typer.Option(help="Folder for pictures of the pairs.")] = None,
    count: Annotated[int, typer.Option(min=20, help="Drawn images of each kind.")] = 60,
) -> None:
    """Measure, print."""
    print(json.dumps(look_alikes(count)), flush=True)
    print(json.dumps(copies(count)), flush=True)
    if data is None:
        return
    print(json.dumps(busi(data / "busi")), flush=True)
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        try:
            print(json.dumps(real_set(folder, sheets)), flush=True)
        except DataError as error:
            print(json.dumps({"part": "sets", "set": folder.name, "refused": str(error)}))


if __name__ == "__main__":
    typer.run(main)
