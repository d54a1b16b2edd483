"""The verb `train`: a data set becomes a run, whatever the task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from maskwright.config import RegionConfig, RunConfig, TrainConfig, given_settings, read_config
from maskwright.config.typed import RegionSettings, TrainSettings
from maskwright.errors import ConfigError
from maskwright.tasks.registry import TASKS
from maskwright.tasks.settings import train_options
from maskwright.types import OnMessage, ignore_message

if TYPE_CHECKING:
    from keras.callbacks import Callback

    from maskwright.training.options import TrainOptions
    from maskwright.training.run import Run

Config = TypeVar("Config", bound=RunConfig)


def train(
    data: str | Path,
    out: str | Path,
    *,
    plan: str | Path | None = None,
    resume: bool = False,
    callbacks: "Sequence[Callback]" = (),
    on_message: OnMessage = ignore_message,
    **settings: Unpack[TrainSettings],
) -> "Run":
    """Train a model on the images and masks in `data`; write a run into `out`.

    Args:
        resume: Continue the run in `out`, with its own settings except those given here.
        settings: Fields of `TrainConfig`, which override those of the plan; without `minutes` and
            `epochs`, ten minutes. `objects` trains a model of single objects.
    """
    config = _read(TrainConfig, out, plan, resume, settings)
    return _train(config, data, out, train_options(config, resume, callbacks, on_message))


def train_regions(
    data: str | Path,
    out: str | Path,
    *,
    plan: str | Path | None = None,
    resume: bool = False,
    callbacks: "Sequence[Callback]" = (),
    on_message: OnMessage = ignore_message,
    **settings: Unpack[RegionSettings],
) -> "Run":
    """Train a classifier of the regions in the masks of `data`, with arguments as `train` takes.

    Args:
        settings: Fields of `RegionConfig`, which override those of the plan; without `minutes` and
            `epochs`, five minutes.
    """
    config = _read(RegionConfig, out, plan, resume, settings)
    return _train(config, data, out, train_options(config, resume, callbacks, on_message))


def _read(
    kind: type[Config],
    out: str | Path,
    plan: str | Path | None,
    resume: bool,
    settings: Mapping[str, Any],
) -> Config:
    """Settings of a new run, or of one that is resumed."""
    if resume:
        plan = Path(out) / "plan.yaml"
        if not plan.exists():
            raise ConfigError(f"There is no run to resume in {out}; leave out --resume.")
    config = read_config(plan, given_settings(settings), kind)
    if config.minutes is None and config.epochs is None:
        config = config.model_copy(update={"minutes": kind.default_minutes})
    return config


def _train(config: RunConfig, data: str | Path, out: str | Path, options: "TrainOptions") -> "Run":
    from maskwright.training.run_training import run_training

    task = TASKS[config.task]
    run = run_training(task.training(config, data, options), out, options)
    task.finish(config, run.folder)
    return run
