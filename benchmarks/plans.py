"""The plan's own choice against fixed networks: equal minutes, the same test images, paired.

    python benchmarks/plans.py DATA -o runs/plans --minutes 10 --encoder-weights FILE

trains what `maskwright plan` chooses for the data and, with the defaults of `maskwright train`,
U-Net, DeepLabV3+ and SegFormer-B0, one after the other for the same minutes, and scores all on the
test split in the size of the originals. U-Net and DeepLabV3+ get the encoder weights that the plan
gets; for SegFormer's encoder there are none. One JSON line goes to standard output: the scores of
each, and its paired difference from the plan with an interval.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from runs import compare, plan, train

FIXED = {
    "unet": ("decoder=unet",),
    "deeplab_v3_plus": ("decoder=deeplab_v3_plus", "output_stride=16", "separable=true"),
    "segformer_b0": ("encoder=mit_b0", "decoder=segformer", "learning_rate=5e-4"),
}
"""Settings of the fixed networks; a transformer does not train at the rate of the others."""


def main(
    data: Annotated[str, typer.Argument(help="Data set, as `maskwright train` takes it.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the runs.")],
    minutes: Annotated[float, typer.Option(min=0.1, help="Training time of each.")] = 10.0,
    encoder_weights: Annotated[str | None, typer.Option(help="Of MobileNetV2; a file.")] = None,
) -> None:
    """Train all, then compare each with the plan."""
    written = plan(data, out / "plan.yaml", minutes, encoder_weights)
    results: dict[str, Any] = {"plan": {"scores": train(data, out / "plan", written, minutes)}}
    for name, settings in FIXED.items():
        weights = "none" if "encoder=mit_b0" in settings else encoder_weights or "none"
        given = (*settings, f"encoder_weights={weights}")
        scores = train(data, out / name, None, minutes, *given)
        results[name] = {"scores": scores, "plan_ahead": compare(out / "plan", out / name, data)}
    print(json.dumps(results))


if __name__ == "__main__":
    typer.run(main)
