"""Options and arguments that commands share."""

from pathlib import Path
from typing import Annotated

from rich.markup import escape
from typer import Argument, Context, Exit, Option

from maskwright.cli.console import out
from maskwright.types import Engine, Tracker

Data = Annotated[str, Argument(help="Data set: folder, CSV file, data.yaml or tfds:NAME.")]
PlanFile = Annotated[Path | None, Option("--plan", help="YAML file of settings.")]
Weights = Annotated[
    Path | None,
    Option(
        "--from",
        help="Run, or file of torchvision's Mask R-CNN, whose network and weights to start from.",
    ),
]
Settings = Annotated[
    list[str] | None, Option("--set", help="Setting as KEY=VALUE; can be repeated.")
]
RunFolder = Annotated[Path, Option("-o", "--out", help="Folder of the run.")]
Resume = Annotated[bool, Option("--resume", help="Resume what was interrupted.")]
Force = Annotated[
    bool, Option("--force", help="Train although `maskwright check` finds errors in the data.")
]
Epochs = Annotated[int | None, Option(min=1, help="Number of epochs.")]
Track = Annotated[
    Tracker | None, Option(help="Also log the run to this experiment tracker, see the guide.")
]
CalibrationShare = Annotated[
    float | None,
    Option(min=0, max=0.9, help="Share of cases set aside for `maskwright trust`, such as 0.15."),
]
Split = Annotated[str, Option(help="Split to score.")]
Flips = Annotated[bool, Option(help="Average predictions over the image and its mirror image.")]
PixelRange = Annotated[
    tuple[float, float] | None,
    Option(help="Pixel values of black and white in the images, such as 0 4095 for 12 bits."),
]
OutFolder = Annotated[Path | None, Option("-o", "--out", help="Folder for the results.")]
Json = Annotated[bool, Option("--json", help="Print the result as JSON on standard output.")]
GroupBy = Annotated[
    str | None, Option(help="CSV column, or regular expression whose first group is the case.")
]
AllowCode = Annotated[
    bool, Option("--allow-code", help="Open a SavedModel, which can run code, of a trusted maker.")
]
Overwrite = Annotated[bool, Option("--overwrite", help="Recompute existing results.")]
FolderEngine = Annotated[
    Engine, Option(help="This process, or a Ray cluster with a shared file system.")
]
TrainingEngine = Annotated[
    Engine,
    Option(help="This process, or a Ray cluster that works on several parts of the task at once."),
]
ClusterAddress = Annotated[
    str | None,
    Option(
        envvar="RAY_ADDRESS", help="Address of a running Ray cluster; by default, start one here."
    ),
]


def cluster_of(engine: Engine, address: str | None) -> str | None:
    """The cluster that training functions take: `None` for this process."""
    return (address or "local") if engine == "ray" else None


def show_settings(context: Context, wanted: bool) -> None:
    """List the settings of a training command and exit, if wanted."""
    if not wanted:
        return
    from maskwright.config import RegionConfig, TrainConfig

    config = RegionConfig if context.command_path == RegionConfig.command else TrainConfig
    for name, field in config.model_fields.items():
        default = field.get_default(call_default_factory=True)
        text = str(list(default) if isinstance(default, tuple) else default)
        text = {"None": "none", "True": "true", "False": "false"}.get(text, text)
        description = escape(" ".join(str(field.description).split()))
        out().print(f"[bold]{name}[/] = {escape(text)}  [dim]{description}[/]")
    raise Exit


ShowSettings = Annotated[
    bool,
    Option("--settings", is_eager=True, callback=show_settings, help="List all settings and exit."),
]
