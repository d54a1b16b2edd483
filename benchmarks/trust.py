"""Whether promises about masks are kept, and what the rest of `maskwright.reliability` is worth.

    python benchmarks/trust.py
    python benchmarks/trust.py oxford_pets -o runs/trust --encoder-weights mobilenet_v2.weights.h5

Without data, the parts that a simulation shows; with it, all of them: a model is trained at 128 px,
or taken by --run, predicts all images once, and every part is computed from these arrays, which are
kept. The test images are split into calibration and new cases many times over. Foreign images are
those of the data sets beside the one that is given. One JSON line for each figure.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import trust_parts as parts


def main(
    data: Annotated[Path | None, typer.Argument(help="Data set with a test split.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for models and arrays.")] = Path(
        "runs/trust"
    ),
    run: Annotated[Path | None, typer.Option(help="Run to take in place of training.")] = None,
    class_name: Annotated[str, typer.Option("--class", help="Class that is promised.")] = "pet",
    minutes: Annotated[float, typer.Option(help="Training of the model.")] = 5,
    fold_minutes: Annotated[float, typer.Option(help="Training of each of 3 audit models.")] = 2.5,
    encoder_weights: Annotated[str | None, typer.Option(help="Keras file of MobileNetV2.")] = None,
    seed: Annotated[int, typer.Option(help="Of the faults in masks, and of folds.")] = 0,
    draws: Annotated[int, typer.Option(help="Of calibration cases.")] = 2000,
) -> None:
    """Print the figures of all parts."""
    rng = np.random.default_rng(0)
    lines = parts.sure(parts.simulated_pool(rng), "simulated", draws=draws)
    lines += parts.betting() + parts.cases_against_images(draws)
    if data is None:
        lines += parts.accept(None, draws=draws)
    else:
        import trust_arrays  # TensorFlow loads only when used

        run = run or trust_arrays.ensure_run(data, out, minutes, encoder_weights)
        arrays = trust_arrays.predicted(run, data, out / "predicted.npz")
        spoiled = trust_arrays.spoiled_out_of_fold(
            arrays, out / f"spoiled{seed}.npz", 60 * fold_minutes, encoder_weights, seed
        )
        label = arrays["names"].tolist().index(class_name)
        pool = parts.pool_of(
            arrays["test/probabilities"][..., label],
            arrays["test/labels"] == label,
            arrays["test/cases"].tolist(),
        )
        masks = parts.masks_of(arrays, label)
        lines += parts.average(pool) + parts.sure(pool, "data", draws=draws)
        lines += parts.temperature(arrays) + parts.expected_dice(masks)
        lines += parts.accept(masks, draws=draws) + parts.unfamiliar(arrays)
        lines += parts.audit(arrays, spoiled) + parts.shift(arrays, label)
    for line in lines:
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    typer.run(main)
