"""Networks in whole numbers of eight bits, with layers left in float where that is needed.

Weights have a scale for each channel, activations one for each tensor, both from images of the
training split. Where Dice falls too far, the layers are divided into groups, each group is left in
float once, and those that bring the most labels back are kept so.
"""

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ConfigError, ModelError
from maskwright.export.export_task import INT8, Parity, ParityLimits
from maskwright.export.formats.table import FORMATS
from maskwright.export.runtime import Logits
from maskwright.quiet import quiet_stderr
from maskwright.types import Format

_GROUPS = 8
_KEPT_GROUPS = (1, 2, 4)  # tried in turn
_RANKED_ON = 16  # images
_NAMED = 12  # layers, in a message


def write_int8(
    engine: Format,
    model: Any,
    folder: Path,
    images: Sequence[np.ndarray],
    open_written: Callable[[], Logits],
    compare: Callable[[Logits], Parity],
    limits: ParityLimits = INT8,
) -> tuple[Parity, tuple[str, ...]]:
    """Replace the float network of an artifact by one of eight bits.

    How far it differs is returned, and the names of the layers that stayed in float.

    Args:
        model: Keras model that the network was written from.
        images: Of the training split, `(h, w, c)` float32 as the model takes them.
        open_written: Opens the network of `folder`.
        compare: Compares an opened network with the model.

    Raises `ConfigError` if the format has no networks of eight bits, `ModelError` if Dice falls too
    far whatever is kept in float.
    """
    chosen = FORMATS[engine]
    if chosen.quantizer is None:
        raise ConfigError(f"{engine} has no networks of eight bits; export without --int8.")
    ranked_on = images[:_RANKED_ON]
    plain = open_written()
    wanted = [_labels(plain, image) for image in ranked_on]
    with tempfile.TemporaryDirectory(dir=folder) as scratch, _quiet():
        network = chosen.quantizer(model, folder / chosen.file, Path(scratch), images)

        def brought_back(keep: Sequence[str]) -> float:
            network.write(keep)
            written = open_written()
            pairs = zip(ranked_on, wanted, strict=True)
            return float(np.mean([(_labels(written, a) == b).mean() for a, b in pairs]))

        network.write(())
        parity = compare(open_written())
        if parity.within(limits):
            return parity, ()
        parts = np.array_split(np.array(network.layers, object), _GROUPS)
        groups = [tuple(part) for part in parts if len(part)]
        gains = [brought_back(group) for group in groups]
        ranked = [groups[place] for place in np.argsort(gains, kind="stable")[::-1]]
        falls = [parity.dice_change]
        for number in _KEPT_GROUPS:
            keep = tuple(name for group in ranked[:number] for name in group)
            network.write(keep)
            parity = compare(open_written())
            if parity.within(limits):
                return parity, keep
            falls.append(parity.dice_change)
    first, *others = (f"{fall:+.4f}" for fall in falls)
    names = ", ".join(keep[:_NAMED]) + (", …" if len(keep) > _NAMED else "")
    raise ModelError(
        f"Quantization changes Dice by {first} (limit {-limits.dice:g}), and with 1, 2 and 4 of "
        f"{len(groups)} groups of layers in float by {', '.join(others)}; the largest losses are "
        f"in {names}: export without --int8."
    )


def _labels(logits: Logits, image: np.ndarray) -> np.ndarray:
    values = logits(image[None])[0]
    return values[..., 0] > 0 if values.shape[-1] == 1 else values.argmax(-1)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep progress and advice of the converters off the screen."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        text = io.StringIO()
        with contextlib.redirect_stdout(text), quiet_stderr(), contextlib.redirect_stderr(text):
            yield
    finally:
        logging.disable(level)
