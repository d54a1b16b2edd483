"""Whether exported models make the same promises: outer and inner masks, pixel by pixel.

    python benchmarks/trust_exports.py runs/pets oxford_pets/images -o runs/trust_exports

The run must have promises (`maskwright trust`). It predicts the images with bounds, is exported for
each engine, and each exported model predicts them again. One JSON line for each engine: the share
of pixels in which bounds differ, the largest share in an image, by how much probabilities and the
figures of trust.csv differ at most, and how many decisions do.
"""

import csv
import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import maskwright
from maskwright.imageio import read_image
from maskwright.reliability.record import TrustRecord
from maskwright.types import Format

_FIGURES = ("expected_dice", "lower_bound", "unfamiliar_p")


def main(
    run: Annotated[Path, typer.Argument(help="Run with promises.")],
    images: Annotated[Path, typer.Argument(help="Images to predict.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder.")] = Path(
        "runs/trust_exports"
    ),
    formats: Annotated[str, typer.Option(help="Separated by commas.")] = "onnx,litert,savedmodel",
) -> None:
    """Print the differences of each engine."""
    maskwright.predict(run, images, out / "run", bounds=True, overlays=False)
    for name in formats.split(","):
        engine: Format = name  # checked where it is exported
        exported = maskwright.export_model(run, out / f"{name}_model", format=engine)
        maskwright.predict(
            exported.path, images, out / name, bounds=True, overlays=False, allow_code=True
        )
        records = [TrustRecord.read(folder) for folder in (run, exported.path)]
        asked, given = ([promise.request for promise in each.promises] for each in records)
        line = {"engine": name, "same_promises": asked == given}
        line["probabilities"] = exported.parity.difference
        print(json.dumps(line | differences(out / "run", out / name)))


def differences(first: Path, second: Path) -> dict[str, float]:
    """Differences of the bounds and of trust.csv in two folders of results."""
    shares, sizes = [], []
    for kind in ("outer", "inner"):
        for path in sorted((first / kind).rglob("*.png")):
            masks = [read_image(path), read_image(second / path.relative_to(first))]
            shares.append(float((masks[0] != masks[1]).mean()))
            sizes.append(masks[0].size)
    tables = []
    for folder in (first, second):
        with (folder / "trust.csv").open(encoding="utf-8") as file:
            tables.append(list(csv.DictReader(file)))
    pairs = list(zip(*tables, strict=True))
    found = {"pixels": float(np.average(shares, weights=sizes)), "worst_image": max(shares)}
    for name in _FIGURES:
        found[name] = max(abs(float(a[name] or 0) - float(b[name] or 0)) for a, b in pairs)
    return found | {"decisions": sum(a["decision"] != b["decision"] for a, b in pairs)}


if __name__ == "__main__":
    typer.run(main)
