"""What the engines of exported networks share: arrays by name in and out, threads, quantizing."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.listing import SELFTEST_FILE
from maskwright.imageio import read_arrays

Run = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
"""From inputs by name, float32, to outputs by name."""


@dataclass(frozen=True, eq=False)
class Network:
    """A network in its engine; called with arrays by name, of which it takes what it `takes`."""

    takes: tuple[str, ...]
    run: Run

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name; `ModelError` where it takes what is not among the inputs."""
        if missing := set(self.takes) - inputs.keys():
            raise ModelError(
                f"The network has inputs that its model card does not describe, "
                f"{', '.join(sorted(missing))}: export the model again."
            )
        given = {name: np.ascontiguousarray(inputs[name], np.float32) for name in self.takes}
        try:
            return self.run(given)
        except MemoryError:
            raise
        except Exception as error:  # engines raise almost anything on a shape that does not fit
            shapes = ", ".join(f"{name} {value.shape}" for name, value in given.items())
            raise ModelError(
                f"The network fails for {shapes} ({first_line(error)}); it does not match its "
                f"model card or its engine: export the model again."
            ) from error


@dataclass(frozen=True)
class Threads:
    """How an engine is opened, and one other than TensorFlow uses the processors.

    Args:
        number: Number of its threads; `None` takes one for each processor there.
        shared: Whether threads of the program need the processors in between. Those of ONNX Runtime
            then sleep while they wait; a single small image takes half as long again.
        allow_code: Whether a format may be opened that can run code, such as writing files.
    """

    number: int | None = None
    shared: bool = False
    allow_code: bool = False


ALONE = Threads()
"""For an engine that has the processors to itself."""
OWN = Threads(allow_code=True)
"""For what was just exported."""
SHARED = Threads(shared=True)


@dataclass(frozen=True)
class Quantizer:
    """Layers with weights of a network, by name, and what writes it with some of them in float."""

    layers: tuple[str, ...]
    write: Callable[[Sequence[str]], None]


def named_outputs(model: Any) -> Any:
    """Keras model whose outputs have names, which all formats write; a single one is `"logits"`."""
    if isinstance(model.output, dict):
        return model
    import keras

    return keras.Model(model.input, {"logits": model.output}, name=model.name)


def first_line(error: Exception) -> str:
    """First line of the message of an error; without a message, the name of its type."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def cores() -> int:
    """Processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def check_outputs(
    folder: Path, run: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
) -> None:
    """Raise `ModelError` where a network does not give numbers for the example of its artifact.

    An artifact that is being made has none yet.
    """
    path = folder / SELFTEST_FILE
    if not path.is_file():
        return
    example = read_arrays(path, ModelError)
    try:
        outputs = run(example)
    except KeyError as error:
        raise ModelError(f"{path} lacks {error}; export the model again.") from None
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            raise ModelError(
                f"The network in {folder} gives {name} that are not finite for the image of its "
                f"self-test; export the model again, or use another engine."
            )
